"""Which runs are kept no longer."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from store.ended import put_run

from wrkflw_tui.store import retention
from wrkflw_tui.store.file import connect, prepare, transaction
from wrkflw_tui.store.retention import Rule

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator
    from pathlib import Path

MICRO = timedelta(microseconds=1)
NOW = 1000


@pytest.fixture
def record(file: Path) -> Generator[sqlite3.Connection]:
    prepare(file)
    with closing(connect(file)) as connection:
        yield connection


def gone(
    record: sqlite3.Connection, rule: Rule, workflow_id: str = "flow", spared: int = 0
) -> list[str]:
    """Return which runs go, those that ended first before the others."""
    surplus = retention.surplus(record, workflow_id, rule, NOW, spared)
    if surplus is None:
        return []
    found = [key for _, key in retention.ended(record, surplus, 1000)]
    assert retention.count(record, surplus) == len(found)
    by_key = dict(record.execute("SELECT id, run_id FROM wrkflw_workflow_runs").fetchall())
    return [by_key[key] for key in found]


def test_the_last_to_end_are_kept_whatever_the_order_of_their_starts(
    record: sqlite3.Connection,
) -> None:
    with transaction(record):
        ids = [put_run(record, at=at) for at in (50, 10, 40, 20, 30)]
    assert gone(record, Rule(keep_runs=2)) == [ids[1], ids[3], ids[4]]
    assert gone(record, Rule(keep_runs=5)) == []
    assert gone(record, Rule(keep_runs=0)) == [ids[1], ids[3], ids[4], ids[2], ids[0]]


def test_of_runs_that_ended_at_the_same_instant_the_later_are_kept(
    record: sqlite3.Connection,
) -> None:
    with transaction(record):
        ids = [put_run(record, at=7) for _ in range(4)]
    assert gone(record, Rule(keep_runs=3)) == ids[:1]


def test_what_is_older_than_that_goes(record: sqlite3.Connection) -> None:
    with transaction(record):
        ids = [put_run(record, at=at) for at in (899, 900, 901)]
    assert gone(record, Rule(keep_for=100 * MICRO)) == ids[:2]
    assert gone(record, Rule(keep_for=5000 * MICRO)) == []


def test_either_of_the_two_is_enough_to_go(record: sqlite3.Connection) -> None:
    with transaction(record):
        ids = [put_run(record, at=at) for at in (100, 200, 960, 970)]
    assert gone(record, Rule(keep_runs=3, keep_for=100 * MICRO)) == ids[:2]
    assert gone(record, Rule(keep_runs=1, keep_for=900 * MICRO)) == ids[:3]
    assert gone(record, Rule(keep_runs=9, keep_for=10 * MICRO)) == ids


def test_what_has_not_ended_neither_goes_nor_counts(record: sqlite3.Connection) -> None:
    with transaction(record):
        old = [put_run(record, status=s, at=1) for s in ("success", "failed", "cancelled")]
        for status in ("queued", "running", "sleeping", "suspended"):
            put_run(record, status=status, at=1)
    assert gone(record, Rule(keep_runs=0, keep_for=MICRO)) == old
    assert gone(record, Rule(keep_runs=3)) == []


def test_nothing_said_keeps_everything(record: sqlite3.Connection) -> None:
    with transaction(record):
        put_run(record, at=1)
    assert gone(record, Rule()) == []


def test_what_has_just_ended_is_spared(record: sqlite3.Connection) -> None:
    with transaction(record):
        ids = [put_run(record, at=at) for at in (100, 995, 999)]
    assert gone(record, Rule(keep_runs=0), spared=10) == ids[:1]
    assert gone(record, Rule(keep_runs=2), spared=10) == ids[:1]


def test_each_workflow_has_its_own_rule(record: sqlite3.Connection) -> None:
    with transaction(record):
        for workflow_id in ("a", "b", "c"):
            for at in (10, 20):
                put_run(record, workflow_id, at=at)
        put_run(record, "waits", "suspended")
    assert retention.workflows(record) == ["a", "b", "c"]
    rules = {"a": Rule(keep_runs=1), "b": Rule(), "c": Rule(keep_runs=0)}
    found = retention.surpluses(record, rules.__getitem__, NOW)
    assert [(s.workflow_id, retention.count(record, s)) for s in found] == [("a", 1), ("c", 2)]


def test_the_room_that_goes_is_about_what_is_in_it(record: sqlite3.Connection) -> None:
    with transaction(record):
        put_run(record, at=1, steps=3, output="é" * 5000)
        put_run(record, at=2, steps=3, output="x" * 1_000_000)
    surplus = retention.surplus(record, "flow", Rule(keep_runs=1), NOW)
    assert surplus is not None
    assert 30_000 < retention.size(record, surplus) < 35_000


@pytest.mark.parametrize("runs", [2000])
def test_nothing_is_gone_through_that_is_kept(record: sqlite3.Connection, runs: int) -> None:
    with transaction(record):
        for at in range(runs):
            put_run(record, at=at, steps=0)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    record.set_progress_handler(count, 10)
    for rule in (Rule(keep_for=995 * MICRO), Rule(keep_runs=runs)):
        retention.surplus(record, "flow", rule, NOW)
    retention.workflows(record)
    record.set_progress_handler(None, 0)
    assert steps < runs  # an entry of the index for each that is counted, and nothing more
