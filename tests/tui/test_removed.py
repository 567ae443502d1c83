"""Runs that are removed while the app shows them, and a file that is found to be damaged."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from textual.widgets import Static
from tui import record
from tui.test_keys import SIZE, said_by, until, until_shown

from wrkflw_tui.config import Config
from wrkflw_tui.store import checking, housekeeping, retention, runs
from wrkflw_tui.store.file import connect, transaction
from wrkflw_tui.store.housekeeping import Housekeeper
from wrkflw_tui.store.retention import Rule
from wrkflw_tui.tui.app import WrkflwApp
from wrkflw_tui.tui.known import Change, Known
from wrkflw_tui.tui.screens.run import RunScreen
from wrkflw_tui.tui.screens.runs import RunsScreen
from wrkflw_tui.tui.screens.schedules import SchedulesScreen
from wrkflw_tui.tui.widgets.fire_list import FireList
from wrkflw_tui.tui.widgets.place_bar import PlaceBar
from wrkflw_tui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from wrkflw_tui.engine.models import RunSummary


def remove(database: Path, workflow_id: str, keep: int = 0) -> int:
    with closing(Housekeeper(database, lambda _took: False)) as keeper:
        surplus = retention.surplus(keeper.connection, workflow_id, Rule(keep), 10**18)
        removed = 0 if surplus is None else keeper.remove(surplus)
        keeper.clear()
        return removed


def write(database: Path, sql: str, *values: object) -> None:
    with closing(connect(database)) as connection, transaction(connection):
        connection.execute(sql, values)


def many(database: Path, runs: int) -> None:
    """Put runs on record, newer than all others."""
    with closing(connect(database)) as connection, transaction(connection):
        connection.executemany(
            "INSERT INTO wrkflw_workflow_runs (run_id, workflow_id, status, trigger, created_at,"
            " updated_at, finished_at, revision) VALUES (?, 'many', 'success', 'cli', ?, ?, ?, 1)",
            [
                (f"many-{n:04}", record.ago(9 - n / 100), record.ago(1), record.ago(1))
                for n in range(runs)
            ],
        )


def cut(database: Path) -> None:
    """Take the rear of the file away."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 3)


def errors(app: WrkflwApp) -> list[str]:
    return [note.message for note in app._notifications if note.severity == "error"]


async def test_the_lists_lose_what_is_removed(app: WrkflwApp, database: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        rows = await until_shown(pilot)
        before = set(rows.keys)
        gone = {
            run.run_id for run in app.known.history["backup-photos"] if run.finished_at is not None
        }
        assert len(gone) == 4
        assert remove(database, "backup-photos") == 4
        await until(pilot, lambda: set(rows.keys) == before - gone)
        assert [r.status for r in app.known.history["backup-photos"]] == ["running"]
        assert errors(app) == []


async def test_the_cursor_stays_near_a_row_that_goes(app: WrkflwApp, database: Path) -> None:
    many(database, 5)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        rows = await until_shown(pilot)
        rows.select("many-0003")
        remove(database, "many", keep=1)
        await until(pilot, lambda: "many-0003" not in rows.keys)
        assert rows.key in rows.keys
        await pilot.press("down", "up", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert errors(app) == []


async def test_a_run_on_the_screen_says_that_it_was_removed(
    app: WrkflwApp, database: Path, ids: dict[str, str]
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        app.open_run(ids["failed"])
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.record.run)
        assert remove(database, "sync-notes") == 1
        head = app.screen.query_one("#head", Static)
        await until(pilot, lambda: "not on record any more" in said_by(head))
        rows = app.screen.query_one(Rows)
        assert "push" in rows.keys, "what has been read of it stays"
        write(database, "UPDATE wrkflw_keeping SET checked_at = 1")
        await pilot.press("down", "l", "z", "z", "y", "slash", "escape")
        await pilot.pause(0.3)
        assert "not on record any more" in said_by(head)
        assert errors(app) == []
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, RunScreen))


async def test_one_that_ends_and_is_removed_between_two_looks_is_live_no_more(
    app: WrkflwApp, database: Path, ids: dict[str, str]
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        app.open_run(ids["live"])
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.record.run)
        with closing(connect(database)) as connection, transaction(connection):
            connection.execute("DELETE FROM wrkflw_workflow_runs WHERE run_id = ?", (ids["live"],))
        screen = cast("RunScreen", app.screen)
        head = screen.query_one("#head", Static)
        await until(pilot, lambda: "not on record any more" in said_by(head))
        await pilot.pause(0.6)  # longer than its clock takes to tick
        assert "not on record any more" in said_by(head)
        assert screen.check_action("cancel", ()) is False
        assert errors(app) == []


async def test_a_run_that_was_removed_before_it_is_opened(
    app: WrkflwApp, database: Path, ids: dict[str, str]
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        remove(database, "sync-notes")
        app.open_run(ids["failed"])
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        head = app.screen.query_one("#head", Static)
        await until(pilot, lambda: "not on record any more" in said_by(head))
        await pilot.press("a", "c", "R", "l", "o", "escape")
        await until(pilot, lambda: not isinstance(app.screen, RunScreen))


async def test_pages_go_on_below_a_run_that_was_removed(app: WrkflwApp, database: Path) -> None:
    many(database, 250)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        rows = await until_shown(pilot)
        await until(pilot, lambda: len(rows.keys) >= 100)
        screen = cast("RunsScreen", app.screen)
        assert screen._oldest is not None
        write(
            database,
            "UPDATE wrkflw_workflow_runs SET finished_at = 1, workflow_id = 'other'"
            " WHERE run_id = ?",
            screen._oldest.run_id,
        )
        remove(database, "other")
        await until(pilot, lambda: screen._oldest and screen._oldest.run_id not in rows.keys)
        for expected in (199, 259):
            await pilot.press("G")
            await until(pilot, lambda n=expected: len(rows.keys) == n)


async def test_after_very_many_removals_everything_is_read_anew(
    app: WrkflwApp, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "REMEMBERED", 2)
    many(database, 150)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        rows = await until_shown(pilot)
        await until(pilot, lambda: len(rows.keys) >= 100)
        # All within one look of the feed: it is held up as long as somebody writes.
        look = app._feed._ended.wait
        monkeypatch.setattr(app._feed._ended, "wait", lambda _seconds: look(0.5))
        for kept in range(140, 9, -10):
            remove(database, "many", keep=kept)
        monkeypatch.setattr(app._feed._ended, "wait", look)
        await until(pilot, lambda: sum(key.startswith("many") for key in rows.keys) == 10)
        await until(pilot, lambda: len(rows.keys) == 20)
        assert errors(app) == []


async def test_a_fire_whose_run_was_removed_says_so(app: WrkflwApp, database: Path) -> None:
    write(database, "DELETE FROM wrkflw_schedule_fires WHERE schedule_id = 's1' AND outcome <> ?",
          "started")  # fmt: skip
    remove(database, "sync-notes")
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, SchedulesScreen))
        rows = await until_shown(pilot)
        assert rows.cell_text("s1", 4) == "run removed"
        rows.select("s1")
        fires = app.screen.query_one(FireList)
        await until(pilot, lambda: len(fires.keys) == 1)
        assert fires.cell_text(fires.keys[0], 1) == "run removed"


async def test_a_damaged_file_is_told_until_it_is_whole_again(
    app: WrkflwApp, database: Path
) -> None:
    async with app.run_test(size=(200, 40)) as pilot:
        rows = await until_shown(pilot)
        with closing(connect(database)) as connection, transaction(connection):
            checking.record_finding(connection, "page 7 is never used", 1)
        bar = app.screen.query_one(PlaceBar)
        await until(pilot, lambda: "is damaged (page 7 is never used)" in bar.worker)
        assert ".recover" in errors(app)[0]
        assert len(errors(app)) == 1
        assert rows.keys, "the lists are still there"
        with closing(connect(database)) as connection, transaction(connection):
            checking.record_finding(connection, "", 2)
        await until(pilot, lambda: "damaged" not in bar.worker)


async def test_a_file_that_was_found_damaged_before_the_app_is_opened(
    database: Path, ids: dict[str, str]
) -> None:
    with closing(connect(database)) as connection, transaction(connection):
        checking.record_finding(connection, "page 7 is never used", 1)
    app = WrkflwApp(Config(database.parent, database), clock=lambda: record.NOW)
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot)
        await until(pilot, lambda: errors(app))
        assert "is damaged" in errors(app)[0]


async def test_a_file_with_unreadable_pages_is_a_sentence(database: Path) -> None:
    record.build(database)
    many(database, 3000)
    cut(database)
    app = WrkflwApp(Config(database.parent, database), clock=lambda: record.NOW)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: "malformed" in app.known.problem)
        await until(pilot, lambda: errors(app))
        assert "the file is damaged" in app.known.problem
        assert ".recover" in app.known.problem
        await pilot.press("2", "3", "1", "question_mark", "escape")
        await pilot.press("q")


def test_a_page_that_was_read_before_a_removal_brings_nothing_back(
    database: Path, ids: dict[str, str]
) -> None:
    with closing(connect(database, read_only=True)) as connection:
        page = runs.list_runs(connection)
    known = Known()
    known.take(Change(runs=tuple(page)))
    known.take(Change(removed=(page[0].run_id,)))
    known.take_page(page)
    assert page[0].run_id not in known.recent
    assert len(known.recent) == len(page) - 1


def test_a_run_that_is_put_on_record_again_is_there_again(
    database: Path, ids: dict[str, str]
) -> None:
    with closing(connect(database, read_only=True)) as connection:
        run: RunSummary = runs.list_runs(connection)[0]
    known = Known()
    known.take(Change(runs=(run,)))
    known.take(Change(removed=(run.run_id,), runs=(replace(run, revision=99),)))
    assert known.recent[run.run_id].revision == 99
    assert [one.revision for one in known.history[run.workflow_id]] == [99]
