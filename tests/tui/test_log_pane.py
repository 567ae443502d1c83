"""The log of a run on screen: searched, followed or read, its colours kept and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tui.test_keys import until, until_shown

from wrkflw_tui.store import logs
from wrkflw_tui.store.file import closing_connection, transaction
from wrkflw_tui.store.logs import Stretch
from wrkflw_tui.tui import ansi
from wrkflw_tui.tui.screens.run import RunScreen
from wrkflw_tui.tui.widgets.log_pane import LogPane

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

    from wrkflw_tui.tui.app import WrkflwApp

SIZE = (120, 40)


def add(database: Path, run_id: str, *lines: str) -> None:
    add_all(database, run_id, [lines])


def add_all(
    database: Path, run_id: str, stretches: list[tuple[str, ...]], limit: int = logs.LIMIT
) -> None:
    with closing_connection(database) as connection, transaction(connection):
        key = connection.execute(
            "SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?", (run_id,)
        ).fetchone()[0]
        made = [Stretch("stdout", "copy-all/copy", 1, lines) for lines in stretches]
        logs.append(connection, key, made, limit)


async def open_log(app: WrkflwApp, pilot: Pilot[None]) -> LogPane:
    await until_shown(pilot)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, RunScreen))
    await until_shown(pilot)
    log = app.screen.query_one(LogPane)
    await until(pilot, lambda: len(log.log_lines) > 0)
    return log


def drawn(log: LogPane) -> list[str]:
    return [log.render_line(y).text.rstrip() for y in range(log.size.height)]


def subtitle(app: WrkflwApp) -> str:
    return str(app.screen.query_one("#pane").border_subtitle)


async def test_a_search_goes_from_line_to_line_and_ends(
    app: WrkflwApp, database: Path, ids: dict[str, str]
) -> None:
    add(database, ids["live"], *(f"Photo {n}" for n in range(300)), "the photo [/b]")
    async with app.run_test(size=SIZE) as pilot:
        log = await open_log(app, pilot)
        await pilot.press("slash", *"photo", "space", "2", "9")
        await until(pilot, lambda: log.found == "11 found")
        await pilot.press("enter")
        await until(pilot, lambda: app.focused is log)
        await until(pilot, lambda: subtitle(app).endswith(" of 11  following"))
        assert any("Photo 29" in line for line in drawn(log))
        before = log.found
        await pilot.press("n")
        await until(pilot, lambda: log.found != before)
        await pilot.press("N")
        await until(pilot, lambda: log.found == before)
        await pilot.press("escape")
        await until(pilot, lambda: subtitle(app) == "following")
        assert isinstance(app.screen, RunScreen)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, RunScreen))


async def test_what_is_not_there_is_said(app: WrkflwApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_log(app, pilot)
        await pilot.press("slash", *"[nowhere", "enter")
        await until(pilot, lambda: subtitle(app).startswith("none"))


async def test_who_reads_is_left_where_they_are(
    app: WrkflwApp, database: Path, ids: dict[str, str]
) -> None:
    add(database, ids["live"], *(f"line {n}" for n in range(300)))
    async with app.run_test(size=SIZE) as pilot:
        log = await open_log(app, pilot)
        await until(pilot, lambda: any("line 299" in line for line in drawn(log)))
        add(database, ids["live"], *(f"line {n}" for n in range(300, 350)))
        await until(pilot, lambda: any("line 349" in line for line in drawn(log)))
        assert log.is_vertical_scroll_end
        app.screen.set_focus(log)
        await pilot.press("g")
        await until(pilot, lambda: log.scroll_offset.y == 0)
        await until(pilot, lambda: all(line.strip() for line in drawn(log)[:10]))
        top = drawn(log)[:10]
        count = len(log.log_lines)
        add(database, ids["live"], *(f"line {n}" for n in range(350, 400)))
        await until(pilot, lambda: len(log.log_lines) == count + 50)
        await pilot.pause()
        assert log.scroll_offset.y == 0
        assert drawn(log)[:10] == top


async def test_a_long_log_is_read_where_it_is_looked_at(
    app: WrkflwApp, database: Path, ids: dict[str, str]
) -> None:
    lines = [f"line {n}" for n in range(150_000)]
    add_all(database, ids["live"], [tuple(lines[n : n + 64]) for n in range(0, len(lines), 64)])
    async with app.run_test(size=SIZE) as pilot:
        log = await open_log(app, pilot)
        app.screen.set_focus(log)
        count = len(log.log_lines)
        assert count > 150_000
        for y in (0, 75_000, 120_000, 10, count - 1):
            log.scroll_to(y=y, animate=False)
            await until(pilot, lambda: all(line.strip() for line in drawn(log)))
        log.scroll_to(y=count - 150_000 + 70_000, animate=False)
        await until(pilot, lambda: "line 70" in drawn(log)[5])
        await pilot.press("slash", *"line 1234", "enter")
        await until(pilot, lambda: subtitle(app).startswith("12 of 111"))
        await until(pilot, lambda: any(line.endswith("line 123400") for line in drawn(log)))


async def test_lines_that_had_to_go_move_nothing_that_is_read(
    app: WrkflwApp, database: Path, ids: dict[str, str]
) -> None:
    stretches = [(f"line {n} {'x' * 50}",) for n in range(400)]
    add_all(database, ids["live"], stretches)
    async with app.run_test(size=SIZE) as pilot:
        log = await open_log(app, pilot)
        app.screen.set_focus(log)
        log.scroll_to(y=len(log.log_lines) - 60, animate=False)
        await until(pilot, lambda: all(line.strip() for line in drawn(log)))
        top = drawn(log)[0]
        add_all(database, ids["live"], [("more",)] * 100, limit=20_000)
        await until(pilot, lambda: log.log_lines.line(len(log.log_lines) - 1) is None)
        await until(pilot, lambda: drawn(log)[0] == top)


async def test_a_hostile_line_stays_a_line(
    app: WrkflwApp, database: Path, ids: dict[str, str]
) -> None:
    add(
        database,
        ids["live"],
        "\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m\x1b[5;5H \x9b2Jend \x1b]8;;http://x\x07link\x1b]8;;\x07",
    )
    async with app.run_test(size=SIZE) as pilot:
        log = await open_log(app, pilot)
        await until(pilot, lambda: any("red 2Jend link" in line for line in drawn(log)))
        assert not any("\x1b" in line or "\x9b" in line for line in drawn(log))
        strips = [log.render_line(y) for y in range(log.size.height)]
        red = [s for strip in strips for s in strip if s.text == "red"]
        assert [s.style.color.number for s in red if s.style and s.style.color] == [1]
        assert not any(s.style and s.style.link for strip in strips for s in strip)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[1;32mgreen\x1b[0m [/b]", "green [/b]"),
        ("10%\r20%\r100%", "100%"),
        ("a\x00b\x08c\td", "abc d"),
        ("\x1b[", ""),
        ("\x1b]0;never ended", ""),
        ("\u2028 \udce9", "\u2028 \udce9"),
    ],
)
def test_lines_are_shown_without_what_they_tell_a_terminal(line: str, shown: str) -> None:
    assert ansi.shown(line) == shown
    assert ansi.styled(line).plain == shown
