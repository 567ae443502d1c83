from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from textual.command import CommandPalette
from textual.widgets import Input, Select, Static, TextArea
from tui import record
from tui.record import BACKUP_INPUT

from wrkflw_tui.config import Config
from wrkflw_tui.tui.app import WrkflwApp
from wrkflw_tui.tui.screens.confirm import Confirm
from wrkflw_tui.tui.screens.help import HelpScreen
from wrkflw_tui.tui.screens.input_form import InputForm
from wrkflw_tui.tui.screens.place import Place
from wrkflw_tui.tui.screens.run import RunScreen
from wrkflw_tui.tui.screens.runs import RunsScreen
from wrkflw_tui.tui.screens.schedule_editor import ScheduleEditor
from wrkflw_tui.tui.widgets.form import FieldRow
from wrkflw_tui.tui.widgets.page import Page
from wrkflw_tui.tui.widgets.rows import Rows
from wrkflw_tui.tui.widgets.tab_strip import TabStrip

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot

SIZE = (120, 40)
PATIENCE = 20.0
"""Seconds after which what has not come about never will."""


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait for what other threads bring about."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        await pilot.pause(0.02)
        if holds():
            return
    raise AssertionError("it did not come about")


async def until_shown(pilot: Pilot[None]) -> Rows:
    rows = pilot.app.screen.query_one(Rows)
    await until(pilot, lambda: rows.keys)
    return rows


def row(database: Path, query: str, *values: object) -> sqlite3.Row | None:
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    try:
        return connection.execute(query, values).fetchone()
    finally:
        connection.close()


def newest(database: Path) -> sqlite3.Row:
    found = row(database, "SELECT * FROM wrkflw_workflow_runs ORDER BY id DESC LIMIT 1")
    assert found is not None
    return found


def field(app: WrkflwApp, name: str) -> FieldRow:
    return next(row for row in app.screen.query(FieldRow) if row.wanted.name == name)


def said_by(block: Static) -> str:
    return str(block.visual)


def page_text(app: WrkflwApp) -> str:
    return said_by(app.screen.query_one(Page).query_one(Static))


async def test_workflows_and_broken_files_are_listed(app: WrkflwApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        rows = await until_shown(pilot)
        assert rows.keys == [
            "backup-photos", "morning-digest", "pay-invoice", "sync-notes", "file:broken.py",
        ]  # fmt: skip
        assert rows.cell_text("backup-photos", 1) == "running"
        assert rows.cell_text("sync-notes", 2) == "12:30"
        await pilot.press("G")
        await until(pilot, lambda: "undefined[/red]" in page_text(app))
        assert app.screen.check_action("run", ()) is False


async def test_a_changed_run_changes_only_its_row(app: WrkflwApp, database: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        rows = await until_shown(pilot)
        await pilot.press("j")
        assert rows.key == "morning-digest"
        connection = sqlite3.connect(database)
        connection.execute("UPDATE wrkflw_revision SET revision = revision + 1")
        connection.execute(
            "UPDATE wrkflw_workflow_runs SET status = 'failed', finished_at = created_at,"
            " revision = (SELECT revision FROM wrkflw_revision) WHERE status = 'queued'"
        )
        connection.commit()
        connection.close()
        await until(pilot, lambda: rows.cell_text("morning-digest", 0).startswith("✗"))
        assert rows.key == "morning-digest"


async def test_the_form_says_what_is_wrong_and_starts_what_is_right(
    app: WrkflwApp, database: Path
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        before = newest(database)["id"]
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, InputForm) and app.screen.query(FieldRow))
        keep = field(app, "keep")
        assert isinstance(keep.input, Input)
        assert keep.input.value == "30"
        keep.input.value = "many"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert keep.has_class("-wrong")
        assert "whole number" in said_by(keep.query_one(".problem", Static))
        assert app.focused is keep.input
        assert newest(database)["id"] == before
        keep.input.value = "7"
        await pilot.pause()
        assert not keep.has_class("-wrong")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        run = newest(database)
        assert run["workflow_id"] == "backup-photos"
        assert run["status"] == "queued"
        assert run["trigger"] == "app"
        assert json.loads(run["input"]) == BACKUP_INPUT | {"keep": 7}
        kept = row(
            database, "SELECT last_input FROM wrkflw_workflows WHERE workflow_id = 'backup-photos'"
        )
        assert kept is not None
        assert json.loads(kept["last_input"])["keep"] == 7


async def test_the_input_as_json(app: WrkflwApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, InputForm) and app.screen.query(FieldRow))
        await pilot.press("f2")
        area = app.screen.query_one("#json", TextArea)
        assert json.loads(area.text) == BACKUP_INPUT
        area.text = json.dumps(BACKUP_INPUT | {"keep": 0, "mode": "burn"})
        await pilot.press("ctrl+s")
        await pilot.pause()
        said = said_by(app.screen.query_one("#whole-problem", Static))
        assert "keep: must be at least 1" in said
        assert "mode: must be one of copy, move" in said
        area.text = json.dumps(BACKUP_INPUT | {"keep": 5})
        await pilot.press("f2")
        await pilot.pause()
        assert field(app, "keep").raw == "5"
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, InputForm))


async def test_a_workflow_without_input_starts_at_once(app: WrkflwApp, database: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("j", "r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert newest(database)["workflow_id"] == "morning-digest"
        assert newest(database)["input"] == "null"


async def test_again_takes_the_last_input(app: WrkflwApp, database: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert json.loads(newest(database)["input"]) == BACKUP_INPUT


async def test_cancel_asks_first(app: WrkflwApp, database: Path, ids: dict[str, str]) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        query = "SELECT cancel_requested FROM wrkflw_workflow_runs WHERE run_id = ?"
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, Confirm))
        found = row(database, query, ids["live"])
        assert found is not None
        assert found[0] == 0
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: (row(database, query, ids["live"]) or [0])[0] == 1)


async def test_the_filter_narrows_the_list_and_escape_clears_it(app: WrkflwApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        rows = await until_shown(pilot)
        await pilot.press("slash", *"invoice")
        await until(pilot, lambda: rows.keys == ["pay-invoice"])
        await pilot.press("enter")
        await pilot.pause()
        assert app.focused is rows
        assert rows.keys == ["pay-invoice"]
        await pilot.press("escape")
        await until(pilot, lambda: len(rows.keys) == 5)


async def test_a_run_is_followed_until_the_person_moves(
    app: WrkflwApp, ids: dict[str, str]
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        rows = await until_shown(pilot)
        await until(pilot, lambda: rows.key == "copy-all/copy")
        assert app.screen.query_one(TabStrip).active == "Logs"
        assert "63%" in rows.cell_text("copy-all/copy", 0)
        await pilot.press("g", "j")
        await pilot.pause(0.3)
        assert rows.key == "list-new"
        assert "a.jpg" in app.screen.query_one("#text", TextArea).text
        await pilot.press("f")
        await pilot.pause()
        assert rows.key == "copy-all/copy"
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, RunScreen))


async def test_a_failed_run_shows_its_error(app: WrkflwApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("G", "k", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await until(pilot, lambda: app.screen.query_one(TabStrip).active == "Error")
        said = app.screen.query_one("#text", TextArea).text
        assert said.startswith("TimeoutError: nas.local did not answer [/red]")
        assert "caused by OSError: no route to host" in said


async def test_runs_are_read_page_by_page(app: WrkflwApp, database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.executemany(
        "INSERT INTO wrkflw_workflow_runs (run_id, workflow_id, status, trigger, created_at,"
        " updated_at, revision) VALUES (?, 'many', 'success', 'cli', ?, ?, 1)",
        [(f"many-{n:04}", record.ago(9 - n / 100), record.ago(1)) for n in range(250)],
    )
    connection.commit()
    connection.close()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        rows = await until_shown(pilot)
        await until(pilot, lambda: len(rows.keys) >= 100)
        assert rows.keys[0] == "many-0249"
        await pilot.press("G")
        await until(pilot, lambda: len(rows.keys) == 200)
        await pilot.press("G")
        await until(pilot, lambda: len(rows.keys) == 260)


async def test_a_schedule_is_added(app: WrkflwApp, database: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("3")
        await until_shown(pilot)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, ScheduleEditor))
        app.screen.query_one("#workflow", Select).value = "morning-digest"
        await pilot.press(*"61", "space", *"9")
        await pilot.pause()
        preview = app.screen.query_one("#preview", Static)
        assert "✗" in said_by(preview)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert isinstance(app.screen, ScheduleEditor)
        app.screen.query_one("#timing", Input).value = "30 9 * * 1-5"
        await pilot.pause()
        assert "Mon 03 Aug 2026 09:30" in said_by(preview)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, ScheduleEditor))
        query = "SELECT * FROM wrkflw_schedules WHERE timing = '30 9 * * 1-5'"
        await until(pilot, lambda: row(database, query))
        made = row(database, query)
        assert made is not None
        assert (made["workflow_id"], made["input"]) == ("morning-digest", "null")
        assert (made["timezone"], made["zone"]) == ("local", "UTC")
        assert made["next_at"] == int(record.NOW.timestamp()) + 69 * 3600 + 1800
        await until(pilot, lambda: len(app.screen.query_one(Rows).keys) == 4)


async def test_a_schedule_is_paused_and_goes_on(app: WrkflwApp, database: Path) -> None:
    query = "SELECT paused, next_at FROM wrkflw_schedules WHERE schedule_id = 's1'"

    def stands() -> tuple[Any, ...]:
        found = row(database, query)
        assert found is not None
        return tuple(found)

    coming = int(record.NOW.timestamp()) + 1800
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("3")
        rows = await until_shown(pilot)
        assert rows.key == "s1"
        assert "in 30m 00s" in rows.cell_text("s1", 3)
        await pilot.press("space")
        await until(pilot, lambda: stands()[0] == 1)
        await until(pilot, lambda: rows.cell_text("s1", 3) == "paused")
        await pilot.press("space")
        await until(pilot, lambda: stands() == (0, coming))


async def test_a_schedule_is_triggered_and_removed(app: WrkflwApp, database: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("3")
        rows = await until_shown(pilot)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert (newest(database)["workflow_id"], newest(database)["schedule_id"]) == (
            "sync-notes", "s1",
        )  # fmt: skip
        await pilot.press("escape", "d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: rows.keys == ["s2", "s3"])


async def test_help_lists_the_keys_that_work_here(app: WrkflwApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        said = page_text(app)
        assert "Run with the last input" in said
        assert "Page down" in said
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))


async def test_the_palette_runs_a_workflow(app: WrkflwApp, database: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"run morn".replace(" ", "~").replace("~", " "))
        await pilot.pause(0.5)
        await pilot.press("enter")
        await pilot.pause(0.2)
        if isinstance(app.screen, CommandPalette):
            await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert newest(database)["workflow_id"] == "morning-digest"


async def test_an_empty_folder_says_how_to_begin(empty_app: WrkflwApp) -> None:
    async with empty_app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "/home/ada/automations" in page_text(empty_app))
        assert "create_workflow" in page_text(empty_app)


async def test_the_first_automation_appears_by_itself_and_has_the_focus(
    empty_app: WrkflwApp, database: Path
) -> None:
    async with empty_app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: empty_app.screen.has_class("-empty"))
        record.build(database)
        rows = await until_shown(pilot)
        await until(pilot, lambda: empty_app.focused is rows)
        await pilot.press("j")
        assert rows.key == "morning-digest"


async def test_a_record_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "wrkflw.db"
    broken.write_text("this is no database, and longer than a header of one hundred bytes " * 3)
    app = WrkflwApp(Config(tmp_path, broken), clock=lambda: record.NOW)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.known.problem)
        assert "not a database" in app.known.problem
        await pilot.press("q")


class Link:
    """A worker that only notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = "worker ready"

    async def start(self) -> None:
        self.asked.append("start")

    async def check(self) -> None:
        pass

    async def stop(self) -> None:
        self.asked.append("stop")

    async def stop_all(self) -> None:
        self.asked.append("stop all")

    async def leave(self) -> None:
        self.asked.append("leave")


@pytest.mark.parametrize(("key", "asked"), [("l", "leave"), ("s", "stop all")])
async def test_quitting_asks_what_becomes_of_the_runs(
    database: Path, ids: dict[str, str], key: str, asked: str
) -> None:
    link = Link()
    config = Config(Path("/home/ada/automations"), database)
    app = WrkflwApp(config, worker=link, clock=lambda: record.NOW)
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await until(pilot, lambda: "start" in link.asked)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, Confirm))
        assert link.asked == ["start"]
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press(key)
        await until(pilot, lambda: asked in link.asked)


@pytest.mark.parametrize(("place", "keys"), [("1", ("enter",)), ("2", ("2", "enter"))])
async def test_the_key_of_a_place_leads_to_its_list(
    app: WrkflwApp, place: str, keys: tuple[str, ...]
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        for key in keys:
            beneath = app.screen
            await pilot.press(key)
            await until(pilot, lambda beneath=beneath: app.screen is not beneath)
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press(place)
        await until(pilot, lambda: isinstance(app.screen, Place))
        listed = app.screen
        await pilot.press("3", place)  # nor does the run come back from elsewhere
        await until(pilot, lambda: app.screen is listed)
