"""Which queued run is next, and that a workflow at its limit holds nobody else up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.store import catalog, claims, queues
from wrkflw_tui.store.file import connect, prepare, transaction

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


def limit(connection: sqlite3.Connection, workflow_id: str, most: int | None) -> None:
    file = catalog.AutomationFile(f"{workflow_id}.py", 1, 1, "ok")
    entry = catalog.CatalogEntry(
        workflow_id, file.file, "", (), "{}", "{}", "[]", 1, "hash", max_concurrent_runs=most
    )
    catalog.record_file(connection, file, [entry])


def enqueue(connection: sqlite3.Connection, workflow_id: str, *run_ids: str) -> None:
    for run_id in run_ids:
        claims.enqueue(connection, workflow_id, "1", "app", run_id=run_id)


def claim_all(connection: sqlite3.Connection, *busy: int) -> list[str]:
    found: list[str] = []
    while (claim := claims.claim_next(connection, "me", busy)) is not None:
        found.append(claim.run_id)
    return found


def finish(connection: sqlite3.Connection, run_id: str) -> None:
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET status = 'success' WHERE run_id = ?", (run_id,)
    )


def test_a_workflow_at_its_limit_holds_nobody_up(connection: sqlite3.Connection) -> None:
    limit(connection, "few", 2)
    limit(connection, "many", None)
    enqueue(connection, "few", "a", "b", "c", "d")
    enqueue(connection, "many", "x", "y")
    assert claim_all(connection) == ["a", "b", "x", "y"]
    assert not claims.has_queued(connection)
    finish(connection, "a")
    assert claims.has_queued(connection)
    assert claim_all(connection) == ["c"]


def test_the_oldest_of_the_highest_priority_is_next(connection: sqlite3.Connection) -> None:
    limit(connection, "full", 1)
    enqueue(connection, "full", "f1", "f2")
    enqueue(connection, "b", "b1", "b2")
    enqueue(connection, "a", "a1", "a2")
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET priority = 5 WHERE run_id IN ('f1', 'f2', 'a2')"
    )
    assert claim_all(connection) == ["f1", "a2", "b1", "b2", "a1"]


def test_only_what_the_worker_walks_counts(connection: sqlite3.Connection) -> None:
    limit(connection, "few", 1)
    enqueue(connection, "few", "rests", "mine", "next")
    assert claim_all(connection) == ["rests"]
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET status = 'suspended' WHERE run_id = 'rests'"
    )
    assert claim_all(connection) == ["mine"]
    connection.execute("UPDATE wrkflw_workflow_runs SET trigger = 'library' WHERE run_id = 'mine'")
    assert claim_all(connection) == ["next"]


def test_a_run_whose_process_has_not_ended_is_left(connection: sqlite3.Connection) -> None:
    limit(connection, "full", 1)
    enqueue(connection, "full", "f1", "f2")
    enqueue(connection, "job", "a", "b")
    first = claims.claim_next(connection, "me")
    assert first is not None
    rows = connection.execute("SELECT id FROM wrkflw_workflow_runs WHERE run_id = 'a'")
    assert claim_all(connection, rows.fetchone()[0]) == ["b"]
    assert claim_all(connection) == ["a"]


def test_a_workflow_that_nobody_knows_has_no_limit(connection: sqlite3.Connection) -> None:
    enqueue(connection, "unknown", "a", "b")
    assert claim_all(connection) == ["a", "b"]


@pytest.mark.parametrize("count", [100, 5000])
def test_the_queue_is_not_gone_through(connection: sqlite3.Connection, count: int) -> None:
    limit(connection, "full", 1)
    with transaction(connection):
        enqueue(connection, "full", *[f"f{n}" for n in range(count)])
        enqueue(connection, "job", "last")
    assert claims.claim_next(connection, "me") is not None
    steps = 0

    def count_steps() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count_steps, 10)
    assert queues.first(connection) is not None
    connection.set_progress_handler(None, 0)
    assert steps < 40, "tens of instructions, however many wait"


def test_every_look_is_by_index(connection: sqlite3.Connection) -> None:
    queries = [
        (queues.FULL, ()),
        (queues.FIRST.format(busy="1"), ()),
        (queues.FIRST_BESIDE.format(busy="1", full="?"), ("few",)),
    ]
    for sql, values in queries:
        plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        for step in plan:
            whole = step.startswith("SCAN") and "wrkflw_workflow_runs" in step
            assert not whole or "INDEX" in step, plan
        assert not any("TEMP B-TREE" in step for step in plan[:-1]), plan
        # That one has every run there ever was.
        assert not any("wrkflw_runs_by_workflow" in step for step in plan), plan
