"""Schedules on record: one row for each due instant, so that none fires twice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.store import schedules
from wrkflw_tui.store.claims import claim, enqueue, finish
from wrkflw_tui.store.file import connect, prepare
from wrkflw_tui.store.schedules import ScheduleNotFound

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    prepare(file)
    connection = connect(file)
    yield connection
    connection.close()


def add(connection: sqlite3.Connection, next_at: int | None, workflow_id: str = "flow") -> str:
    return schedules.add(
        connection, workflow_id, "0 7 * * *", "local", "Europe/Berlin", "{}", next_at
    )


def test_a_schedule_is_read_back(connection: sqlite3.Connection) -> None:
    schedule_id = schedules.add(
        connection, "flow", "* * * * *", "local", "UTC", '{"n": 1}', 60, "allow", "none"
    )
    row = schedules.find(connection, schedule_id)
    assert row == schedules.ScheduleRow(
        schedule_id,
        "flow",
        "app",
        None,
        ScheduleTerms(timing="* * * * *", overlap="allow", catch_up="none"),
        zone="UTC",
        anchor=0,
        input='{"n": 1}',
        remark="",
        paused=False,
        paused_until=None,
        runs_started=0,
        failures=0,
        next_at=60,
        fire_at=60,
    )
    assert schedules.find(connection, "nothing") is None


def test_those_that_fire_soonest_come_first(connection: sqlite3.Connection) -> None:
    never, late, soon, paused = (add(connection, n) for n in (None, 200, 100, 50))
    schedules.set_paused(connection, paused, True, 50)
    listed = [row.schedule_id for row in schedules.list_schedules(connection)]
    assert listed == [soon, late, never, paused]


def test_which_are_due(connection: sqlite3.Connection) -> None:
    late, soon, paused = (add(connection, n) for n in (200, 100, 50))
    schedules.set_paused(connection, paused, True, 50)
    assert schedules.next_due(connection) == 100
    assert schedules.due(connection, 99) == []
    assert [row.schedule_id for row in schedules.due(connection, 100)] == [soon]
    assert [row.schedule_id for row in schedules.due(connection, 900)] == [soon, late]
    schedules.set_paused(connection, paused, False, 70)
    assert schedules.next_due(connection) == 70


def test_no_schedule_no_due_instant(connection: sqlite3.Connection) -> None:
    assert schedules.next_due(connection) is None
    add(connection, None)
    assert schedules.next_due(connection) is None


def test_the_pointer_moves(connection: sqlite3.Connection) -> None:
    schedule_id = add(connection, 100)
    schedules.move_pointer(connection, schedule_id, "Asia/Tokyo", None)
    row = schedules.find(connection, schedule_id)
    assert row is not None
    assert (row.zone, row.next_at) == ("Asia/Tokyo", None)


def test_an_instant_is_fired_once(connection: sqlite3.Connection) -> None:
    one, other = add(connection, 100), add(connection, 100)
    assert schedules.record_fire(connection, one, 100, "started", run_id="r")
    assert not schedules.record_fire(connection, one, 100, "started", run_id="again")
    assert schedules.record_fire(connection, other, 100, "skipped", "still at work", 3)
    assert schedules.record_fire(connection, one, 200, "started")
    newest, first = schedules.list_fires(connection, one)
    assert newest.due_at == datetime(1970, 1, 1, 0, 3, 20, tzinfo=UTC)
    assert (first.outcome, first.run_id, first.count) == ("started", "r", 1)
    (skipped,) = schedules.list_fires(connection, other)
    assert (skipped.outcome, skipped.reason, skipped.count) == ("skipped", "still at work", 3)
    assert len(schedules.list_fires(connection, one, limit=1)) == 1


def test_whether_a_run_of_it_is_still_active(connection: sqlite3.Connection) -> None:
    schedule_id = add(connection, 100)
    assert not schedules.has_active_run(connection, schedule_id)
    enqueue(connection, "flow", "{}", "schedule", schedule_id=schedule_id)
    assert schedules.has_active_run(connection, schedule_id)
    assert not schedules.has_active_run(connection, "another")
    taken = claim(connection, 1, "me", ("queued",))
    assert taken is not None
    assert schedules.has_active_run(connection, schedule_id)
    finish(connection, taken, "failed")
    assert not schedules.has_active_run(connection, schedule_id)


def test_its_fires_outlive_it(connection: sqlite3.Connection) -> None:
    schedule_id = add(connection, 100)
    schedules.record_fire(connection, schedule_id, 100, "started")
    schedules.remove(connection, schedule_id)
    assert schedules.find(connection, schedule_id) is None
    assert len(schedules.list_fires(connection, schedule_id)) == 1


def test_an_unknown_schedule_is_named(connection: sqlite3.Connection) -> None:
    with pytest.raises(ScheduleNotFound, match="nothing"):
        schedules.remove(connection, "nothing")
    with pytest.raises(ScheduleNotFound, match="nothing"):
        schedules.set_paused(connection, "nothing", True, None)
    with pytest.raises(ScheduleNotFound, match="nothing"):
        schedules.move_pointer(connection, "nothing", "UTC", None)
