from __future__ import annotations

from contextlib import closing
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.engine.models import RunSummary
from wrkflw_tui.store import catalog, claims, summaries
from wrkflw_tui.store.catalog import AutomationFile, CatalogEntry
from wrkflw_tui.store.file import connect, prepare, transaction
from wrkflw_tui.store.runs import list_runs
from wrkflw_tui.store.summaries import first_runs

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def record(file: Path) -> Generator[sqlite3.Connection]:
    prepare(file)
    with closing(connect(file)) as connection:
        yield connection


def add_workflow(connection: sqlite3.Connection, id: str) -> None:
    entry = CatalogEntry(id, f"{id}.py", "", (), "{}", "{}", "[]", 0, "")
    catalog.record_file(connection, AutomationFile(entry.file, 0, 0, "ok"), [entry])


def put(connection: sqlite3.Connection, status: str, *workflow_ids: str) -> list[str]:
    ids = [claims.enqueue(connection, id, "1", "app") for id in workflow_ids]
    connection.executemany(
        "UPDATE wrkflw_workflow_runs SET status = ?, started_at = created_at + 1 WHERE run_id = ?",
        [(status, id) for id in ids],
    )
    return ids


def test_each_workflow_has_its_history_however_old(record: sqlite3.Connection) -> None:
    with transaction(record):
        add_workflow(record, "rare")
        add_workflow(record, "busy")
        rare = put(record, "success", *["rare"] * 5)
        busy = put(record, "failed", *["busy"] * 20)
    found = [run.run_id for run in first_runs(record, page=2, history=3)]
    assert found == [*reversed(busy[-3:]), *reversed(rare[-3:])]


def test_what_is_open_is_there_however_old(record: sqlite3.Connection) -> None:
    with transaction(record):
        running = put(record, "running", "gone", "gone", "gone")
        queued = put(record, "queued", "gone", "gone", "gone")
        ended = put(record, "success", *["gone"] * 9)
    found = [run.run_id for run in first_runs(record, page=2, history=3)]
    assert found == [*ended[:-3:-1], *queued[:-3:-1], *running[:-3:-1]]


def test_they_read_as_in_any_other_list(record: sqlite3.Connection) -> None:
    error = '{"type": "ValueError", "message": "no", "traceback": "", "cause": null, "path": "a"}'
    with transaction(record):
        (failed,) = put(record, "failed", "w")
        put(record, "running", "w")
        put(record, "queued", "w")
        record.execute(
            "UPDATE wrkflw_workflow_runs SET error = ? WHERE run_id = ?", (error, failed)
        )
        record.execute(
            'UPDATE wrkflw_workflow_runs SET execution_path = \'["a","b"]\', steps_done = 1,'
            " steps_total = 3, cancel_requested = 1, finished_at = created_at + 1234567,"
            " wake_at = created_at + 7654321, forked_from_run = 'r',"
            " forked_from_path = 'a', follows = 'f'"
        )
        record.execute("UPDATE wrkflw_workflow_runs SET trigger = 'cli', created_at = 1")
        put(record, "queued", "another")
    found = first_runs(record, page=10, history=3)
    assert found == list_runs(record)
    for field in fields(RunSummary):
        assert len({getattr(run, field.name) for run in found}) > 1, field.name


def test_no_run_is_looked_at_but_those(record: sqlite3.Connection) -> None:
    """Every part of the query goes by an index, or stops after a page of the newest."""
    plan = record.execute(
        f"EXPLAIN QUERY PLAN {summaries.FIRST}", {"page": 100, "history": 14}
    ).fetchall()
    scans = [row["detail"] for row in plan if row["detail"].startswith("SCAN wrkflw_workflow_runs")]
    by_id = [scan for scan in scans if "INDEX" not in scan]
    assert len(by_id) == 1
    assert len(scans) == 3
