"""Runs that have ended, put on record with whatever belongs to a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from wrkflw_tui.store import claims, logs
from wrkflw_tui.store.logs import Stretch

if TYPE_CHECKING:
    import sqlite3


def put_run(
    connection: sqlite3.Connection,
    workflow_id: str = "flow",
    status: str = "success",
    at: int = 0,
    steps: int = 2,
    output: str = '"x"',
) -> str:
    """Put a run on record that ended at an instant, with steps, lines and a message."""
    run_id = claims.enqueue(connection, workflow_id, "1", "app")
    ended = status in ("success", "failed", "cancelled")
    key = cast(
        "int",
        connection.execute(
            "UPDATE wrkflw_workflow_runs SET status = ?, started_at = ?, finished_at = ?"
            " WHERE run_id = ? RETURNING id",
            (status, at, at if ended else None, run_id),
        ).fetchone()[0],
    )
    connection.executemany(
        "INSERT INTO wrkflw_step_results (run, n, path, step_id, kind, attempt, status, output,"
        " started_at, finished_at, ended, revision) VALUES (?, ?, ?, 'a', 'step', 1, 'success', ?,"
        " 0, 0, ?, 1)",
        [(key, n, f"a-{n}", output, n) for n in range(1, steps + 1)],
    )
    logs.append(connection, key, [Stretch("stdout", "a-1", at, ("said",))])
    connection.execute(
        "INSERT INTO wrkflw_messages (run, kind, name, created_at) VALUES (?, 'event', 'e', 0)",
        (key,),
    )
    return run_id


def run_ids(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT run_id FROM wrkflw_workflow_runs ORDER BY id")
    return [row[0] for row in rows]


def rows_of_runs(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many rows each table holds that belong to runs."""
    tables = ("wrkflw_step_results", "wrkflw_run_logs", "wrkflw_log_sizes", "wrkflw_messages")
    return {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables
    }
