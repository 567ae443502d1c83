"""Schedules are read once, and then only as they change."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.schedules import actions
from wrkflw_tui.schedules.schedule import terms_of
from wrkflw_tui.store import claims, fires, schedules
from wrkflw_tui.store.file import connect, prepare
from wrkflw_tui.store.summaries import revision_now
from wrkflw_tui.tui.look_schedules import ScheduleLook

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator
    from pathlib import Path

NOW = 1_785_499_200


@pytest.fixture
def connection(tmp_path: Path) -> Generator[sqlite3.Connection]:
    path = tmp_path / "wrkflw.db"
    prepare(path)
    with closing(connect(path)) as connection:
        for n, id in enumerate(("a", "b", "c")):
            terms = terms_of("@daily", expect_within="1h")
            at = NOW + 100 * n
            schedules.insert(connection, id, f"w{n}", terms, "UTC", "null", at, now=NOW)
        yield connection


def ids(look: ScheduleLook, connection: sqlite3.Connection, since: int = 0) -> list[str] | None:
    found = look.again(since, ())
    return None if found is None else [state.row.schedule_id for state in found]


def test_only_what_changed_is_another_one(connection: sqlite3.Connection) -> None:
    look = ScheduleLook(connection)
    first = look.first()
    assert [state.row.schedule_id for state in first] == ["a", "b", "c"]
    assert first[0].late_at == NOW + 3600
    assert look.again(0, ()) is None
    actions.pause(connection, "a", NOW)
    after = look.again(0, ())
    assert after is not None
    assert [state.row.schedule_id for state in after] == ["b", "c", "a"]
    assert after[0] is first[1]
    assert after[1] is first[2]
    assert after[2].late_at is None


def test_one_more_and_one_less_at_once(connection: sqlite3.Connection) -> None:
    look = ScheduleLook(connection)
    look.first()
    schedules.remove(connection, "b")
    assert ids(look, connection) == ["a", "c"]
    terms = terms_of("@daily")
    schedules.insert(connection, "d", "w", terms, "UTC", "null", NOW + 9, now=NOW)
    schedules.remove(connection, "a")
    assert ids(look, connection) == ["d", "c"]


def test_what_becomes_of_a_run_is_seen(connection: sqlite3.Connection) -> None:
    look = ScheduleLook(connection)
    look.first()
    before = revision_now(connection)
    run_id = actions.trigger(connection, "b", "app", NOW)
    found = look.again(before, ())
    assert found is not None
    last = found[1].last
    assert last is not None
    assert (last.origin, last.run_id, last.run_status) == ("hand", run_id, "queued")
    before = revision_now(connection)
    claims.request_cancel(connection, run_id)
    found = look.again(before, ())
    assert found is not None
    assert found[1].last is not None
    assert found[1].last.run_status == "cancelled"
    connection.execute("DELETE FROM wrkflw_workflow_runs")
    found = look.again(revision_now(connection), (run_id,))
    assert found is not None
    assert found[1].last is not None
    assert found[1].last.is_removed


def test_the_last_fire_is_the_newest_and_one_by_hand_before_its_like(
    connection: sqlite3.Connection,
) -> None:
    for at, origin in ((5, "schedule"), (7, "schedule"), (7, "hand"), (6, "hand")):
        fires.record_fire(connection, "a", at, "skipped", origin=origin)  # pyright: ignore[reportArgumentType] - one of them
    found = fires.last_fires(connection)
    assert {id: (f.due_at.timestamp(), f.origin) for id, f in found.items()} == {"a": (7, "hand")}
    assert fires.last_fires(connection, ["a", "b"]) == found
    assert fires.last_fires(connection, []) == {}
