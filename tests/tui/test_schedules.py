"""The schedules' screen, its editor, its forms and its history, by their keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import pytest
from textual.widgets import Input, Select, Static
from tui import record
from tui.test_keys import SIZE, row, said_by, until, until_shown

from wrkflw_tui.schedules.schedule import Schedule, Settings, terms_of
from wrkflw_tui.store import fires, schedules
from wrkflw_tui.store.file import closing_connection, transaction
from wrkflw_tui.tui import deeds
from wrkflw_tui.tui.screens.backfill import BackfillForm
from wrkflw_tui.tui.screens.run import RunScreen
from wrkflw_tui.tui.screens.schedule_editor import ScheduleEditor
from wrkflw_tui.tui.screens.schedules import SchedulesScreen
from wrkflw_tui.tui.screens.week import WeekView
from wrkflw_tui.tui.widgets.fire_list import FireList
from wrkflw_tui.tui.widgets.form import FieldRow
from wrkflw_tui.tui.widgets.page import Page
from wrkflw_tui.tui.widgets.rows import Rows
from wrkflw_tui.tui.widgets.setting_row import SettingRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path
    from typing import Unpack

    from textual.pilot import Pilot

    from wrkflw_tui.engine.terms import ScheduleTerms
    from wrkflw_tui.tui.app import WrkflwApp

NOW = int(record.NOW.timestamp())
HOSTILE = "[/red] [@click=app.quit]x[/] \x1b[31m"


def write(database: Path, work: Callable[[sqlite3.Connection], object]) -> None:
    with closing_connection(database) as connection, transaction(connection):
        work(connection)


def put(
    database: Path,
    id: str,
    timing: str = "0 18 * * *",
    *,
    next_at: int | None = NOW + 60,
    workflow_id: str = "morning-digest",
    file: str | None = None,
    **settings: Unpack[Settings],
) -> None:
    terms = terms_of(timing, **settings)
    source = "app" if file is None else "code"
    write(
        database,
        lambda c: schedules.insert(
            c, id, workflow_id, terms, "UTC", "null", next_at, now=NOW, source=source, file=file
        ),
    )


def terms_in(database: Path, id: str) -> ScheduleTerms:
    with closing_connection(database) as connection:
        return schedules.get(connection, id).terms


async def open_schedules(pilot: Pilot[None], at: str | None = None) -> Rows:
    await until_shown(pilot)
    await pilot.press("3")
    await until(pilot, lambda: isinstance(pilot.app.screen, SchedulesScreen))
    rows = await until_shown(pilot)
    if at is not None:
        await until(pilot, lambda: at in rows.keys)
        rows.select(at)
        await pilot.pause()
    return rows


def setting(app: WrkflwApp, name: str) -> SettingRow:
    return app.screen.query_one(f"#setting-{name}", SettingRow)


def put_in(app: WrkflwApp, name: str, typed: str) -> None:
    cast("Input", setting(app, name).input).value = typed


def about(app: WrkflwApp) -> str:
    return said_by(app.screen.query_one(Page).query_one(Static))


class TestTheEditor:
    async def open(self, pilot: Pilot[None], key: str = "n", at: str | None = None) -> None:
        await open_schedules(pilot, at)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, ScheduleEditor))
        await until(pilot, lambda: pilot.app.screen.query("SchemaForm"))

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("every 90m", "every 1h30m"),
            ("every 90m", "Fri 31 Jul 2026 13:30"),
            ("once 2026-12-01T08:00", "Tue 01 Dec 2026 08:00"),
            ("@daily", "every day at 00:00"),
            ("*/35 * * * *", "! */35: 35 does not divide"),
            ("61 * * * *", "✗ minute: '61' is out of range"),
            ("every 5x", "✗ '5x' cannot be read"),
            ("once 2020-01-01", "✗ never fires"),
            (HOSTILE, "✗"),
        ],
    )
    async def test_a_timing_is_told_while_it_is_typed(
        self, app: WrkflwApp, typed: str, said: str
    ) -> None:
        async with app.run_test(size=SIZE) as pilot:
            await self.open(pilot)
            app.screen.query_one("#timing", Input).value = typed
            preview = app.screen.query_one("#preview", Static)
            await until(pilot, lambda: said in said_by(preview))

    @pytest.mark.parametrize(
        ("name", "typed", "said"),
        [
            ("timezone", "Mars/Olympus", "is not a time zone"),
            ("late_limit", "soon", "'soon' cannot be read"),
            ("jitter", "5", "'5' cannot be read"),
            ("pause_after_failures", "-1", "a whole number, 0 at least"),
            ("expect_within", HOSTILE, "cannot be read"),
            ("max_runs", "0", "a whole number, 1 at least"),
            ("start_at", "soon", "'soon' is no instant"),
            ("end_at", "1", "is no instant"),
            ("exclude", "2026-02-30", "is no date"),
        ],
    )
    async def test_what_is_wrong_stands_at_its_field(
        self, app: WrkflwApp, name: str, typed: str, said: str
    ) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await self.open(pilot)
            app.screen.query_one("#timing", Input).value = "@daily"
            put_in(app, name, typed)
            problem = setting(app, name).query_one(".problem", Static)
            await until(pilot, lambda: said in said_by(problem))
            assert len(app.screen.query("SettingRow.-wrong")) == 1
            await pilot.press("ctrl+s")
            await until(pilot, lambda: app.focused is setting(app, name).input)
            put_in(app, name, "")
            await until(pilot, lambda: not app.screen.query("SettingRow.-wrong"))

    async def test_all_settings_are_kept_and_the_input_is_asked_for(
        self, app: WrkflwApp, database: Path
    ) -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await self.open(pilot)
            app.screen.query_one("#workflow", Select).value = "pay-invoice"
            await until(pilot, lambda: len(app.screen.query(FieldRow)) == 1)
            app.screen.query_one(FieldRow).raw = "no. 7"
            app.screen.query_one("#timing", Input).value = "every 15m"
            await pilot.press("f3")
            await until(pilot, lambda: app.focused is setting(app, "overlap").input)
            typed = {
                "timezone": "Asia/Tokyo",
                "late_limit": "36h",
                "jitter": "5m",
                "pause_after_failures": "3",
                "expect_within": "1h",
                "max_runs": "9",
                "start_at": "2026-08-01T08:00",
                "end_at": "2037-01-01",
                "exclude": "2026-12-24, 2026-12-25",
                "note": HOSTILE,
            }
            for name, value in typed.items():
                put_in(app, name, value)
            cast("Select[str]", setting(app, "overlap").input).value = "queue_all"
            cast("Select[str]", setting(app, "catch_up").input).value = "all"
            await pilot.pause()
            assert "Sat 01 Aug 2026 08:15" in said_by(app.screen.query_one("#preview", Static))
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(app.screen, SchedulesScreen))
            query = "SELECT * FROM wrkflw_schedules WHERE timing = 'every 15m'"
            await until(pilot, lambda: row(database, query))
            made = row(database, query)
            assert made is not None
            assert (made["workflow_id"], json.loads(made["input"])) == ("pay-invoice", "no. 7")
            assert made["zone"] == "Asia/Tokyo"
            wanted = Schedule(
                every="15m",
                timezone="Asia/Tokyo",
                overlap="queue_all",
                catch_up="all",
                late_limit="36h",
                jitter="5m",
                pause_after_failures=3,
                expect_within="1h",
                max_runs=9,
                start_at="2026-08-01T08:00",
                end_at="2037-01-01",
                exclude=["2026-12-24", "2026-12-25"],
                note=HOSTILE,
            )
            assert terms_in(database, made["schedule_id"]) == wanted.terms

    async def test_a_schedule_is_changed(self, app: WrkflwApp, database: Path) -> None:
        put(database, "own", "0 9 * * *", expect_within="1h", note="before")
        before = terms_in(database, "own")
        async with app.run_test(size=SIZE) as pilot:
            await self.open(pilot, "e", "own")
            assert app.screen.query_one("#timing", Input).value == "0 9 * * *"
            await pilot.press("ctrl+s")
            await until(pilot, lambda: isinstance(app.screen, SchedulesScreen))
            assert terms_in(database, "own") == before
            await pilot.press("e")
            await until(pilot, lambda: isinstance(app.screen, ScheduleEditor))
            await until(pilot, lambda: app.screen.query("SchemaForm"))
            app.screen.query_one("#timing", Input).value = "0 10 * * *"
            put_in(app, "note", "after")
            await pilot.press("ctrl+s")
            await until(pilot, lambda: terms_in(database, "own").timing == "0 10 * * *")
            await until(pilot, lambda: "after" in about(app))
            assert terms_in(database, "own").expect_within == 3600

    async def test_one_in_code_is_changed_in_its_file(
        self, app: WrkflwApp, database: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(database, "code", file="digest.py")
        opened: list[str] = []

        async def edit(_app: WrkflwApp, path: Path, _line: int | None = None) -> None:
            opened.append(path.name)

        monkeypatch.setattr(deeds, "edit", edit)
        async with app.run_test(size=SIZE) as pilot:
            rows = await open_schedules(pilot, "code")
            assert rows.cell_text("code", 0) == "● morning-digest in code"
            await until(pilot, lambda: "in code: digest.py" in about(app))
            await pilot.press("e")
            await until(pilot, lambda: opened == ["digest.py"])
            await pilot.press("d")
            await pilot.pause()
            assert row(database, "SELECT 1 FROM wrkflw_schedules WHERE schedule_id = 'code'")


async def test_the_next_is_skipped(app: WrkflwApp, database: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        rows = await open_schedules(pilot, "s2")
        await pilot.press("S")
        await until(pilot, lambda: "- skipped" in rows.cell_text("s2", 4))
        fires = app.screen.query_one(FireList)
        await until(pilot, lambda: len(fires.keys) == 1)
        assert "skipped by hand" in fires.cell_text(fires.keys[0], 2)


async def test_a_range_is_filled_in_after_a_look(app: WrkflwApp, database: Path) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await open_schedules(pilot, "s2")
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, BackfillForm))
        fillings = app.screen.query_one("#fillings", Rows)
        await until(pilot, lambda: len(fillings.keys) == 1)
        put_in(app, "from", "2026-07-28")
        await until(pilot, lambda: len(fillings.keys) == 3)
        assert said_by(app.screen.query_one("#summary", Static)) == "3 will run"
        put_in(app, "to", "soon [/red]")
        problem = setting(app, "to").query_one(".problem", Static)
        await until(pilot, lambda: "is no instant" in said_by(problem))
        put_in(app, "to", "2026-07-20")
        await until(pilot, lambda: "is before from" in said_by(problem))
        await pilot.press("ctrl+s")
        assert isinstance(app.screen, BackfillForm)
        put_in(app, "to", "2026-07-31")
        await until(pilot, lambda: len(fillings.keys) == 3)
        await pilot.press("ctrl+s")
        count = "SELECT count(*) FROM wrkflw_schedule_fires WHERE origin = 'backfill'"
        await until(pilot, lambda: tuple(row(database, count) or ()) == (3,))
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, BackfillForm))
        put_in(app, "from", "2026-07-28")
        summary = app.screen.query_one("#summary", Static)
        await until(pilot, lambda: "1 ran already, 2 waiting" in said_by(summary))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "there is nothing to start" in said_by(summary))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, SchedulesScreen))


async def test_a_week_is_drawn_and_leads_to_a_schedule(app: WrkflwApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        rows = await open_schedules(pilot)
        assert rows.key == "s1"
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, WeekView))
        days = app.screen.query_one("#days", Rows)
        await until(pilot, lambda: days.cell_text("2026-08-01", 2) == "25")
        assert days.cell_text("2026-07-31", 2) == "13"
        hours = days.cell_text("2026-07-31", 1)
        assert (len(hours), hours[24:26], hours[36:38]) == (48, " 1", " 2")
        await pilot.press("j", "enter", *"jjjjjjjjjjjjjjjjjj")
        fires = app.screen.query_one("#day-fires", Rows)
        await until(pilot, lambda: fires.key is not None and fires.key.endswith(":s2"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SchedulesScreen))
        assert rows.key == "s2"


async def test_what_fired_is_read_as_one_scrolls(app: WrkflwApp, database: Path) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        for n in range(180):
            fires.record_fire(connection, "s2", NOW - 60 * n, "skipped", HOSTILE)
        fires.record_fire(connection, "s2", NOW - 60 * 60, "started", origin="hand")

    write(database, fill)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_schedules(pilot, "s2")
        shown = app.screen.query_one(FireList)
        await until(pilot, lambda: len(shown.keys) >= 50)
        assert len(shown.keys) < 150
        await pilot.press("l")
        for _ in range(4):
            before = len(shown.keys)
            await pilot.press("G")
            await until(pilot, lambda: len(shown.keys) > before or before == 181)  # noqa: B023
        assert len(set(shown.keys)) == 181


async def test_a_fire_leads_to_its_run(app: WrkflwApp, ids: dict[str, str]) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_schedules(pilot, "s1")
        shown = app.screen.query_one(FireList)
        await until(pilot, lambda: len(shown.keys) == 2)
        assert shown.cell_text(shown.keys[0], 1) == "- skipped 2 times"
        assert "a run was going" in shown.cell_text(shown.keys[0], 2)
        assert shown.cell_text(shown.keys[1], 1) == "✗ failed"
        await pilot.press("enter", "enter")
        await pilot.pause()
        assert isinstance(app.screen, SchedulesScreen)
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert cast("RunScreen", app.screen).record.run_id == ids["failed"]


async def test_one_that_is_late_says_so(app: WrkflwApp, database: Path) -> None:
    put(database, "late", next_at=NOW - 7200, expect_within="1h")
    put(database, "soon", next_at=NOW - 60, expect_within="1h")
    async with app.run_test(size=SIZE) as pilot:
        rows = await open_schedules(pilot, "late")
        assert rows.cell_text("late", 4) == "LATE"
        assert rows.cell_text("late", 0).startswith("! ")
        assert rows.cell_text("soon", 4) == "none yet"
        await until(pilot, lambda: "LATE since 2026-07-31 11:00:00 UTC" in about(app))
        await pilot.press("space")
        await until(pilot, lambda: rows.cell_text("late", 4) != "LATE")


async def test_outside_text_is_shown_as_it_is(app: WrkflwApp, database: Path) -> None:
    put(database, "odd", workflow_id="odd[/]", file="a[/b].py", note=HOSTILE)
    async with app.run_test(size=SIZE) as pilot:
        rows = await open_schedules(pilot, "odd")
        await until(pilot, lambda: "[@click=app.quit]x[/]" in about(app))
        assert "odd[/]" in rows.cell_text("odd", 0)
        for key, screen in (("b", BackfillForm), ("w", WeekView)):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, screen))  # noqa: B023
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, SchedulesScreen))


async def test_ten_thousand_schedules_are_followed(app: WrkflwApp, database: Path) -> None:
    terms = terms_of("0 18 * * *")

    def fill(connection: sqlite3.Connection) -> None:
        for n in range(10_000):
            at = NOW + 100 + n
            schedules.insert(connection, f"n{n:05}", "many", terms, "UTC", "null", at, now=NOW)

    write(database, fill)
    async with app.run_test(size=(80, 24)) as pilot:
        rows = await open_schedules(pilot)
        await until(pilot, lambda: len(rows.keys) == 10_003)
        await pilot.press("g")
        assert rows.key == "n00000"
        await pilot.press("space")
        await until(pilot, lambda: rows.keys[0] == "n00001")
        assert rows.cell_text("n00000", 3) == "paused"
        write(database, lambda c: schedules.remove(c, "n00001"))
        await until(pilot, lambda: rows.keys[0] == "n00002")
