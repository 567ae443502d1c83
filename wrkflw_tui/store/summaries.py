"""Runs without their steps, as lists show them: what a screen reads first, in one query."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.models import ErrorInfo, ForkOrigin, RunSummary

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.engine.models import RunStatus

    _Start = tuple[str, str, RunStatus, str, str, int, int]
    _Times = tuple[int, int, int | None, int | None]
    _Rest = tuple[str | None, int, int, int | None, str | None, str | None, str | None]

_EPOCH = datetime.fromtimestamp(0, UTC)
_COLUMNS = (
    "run_id, workflow_id, status, trigger, execution_path, steps_done, steps_total,"
    " created_at, updated_at, started_at, finished_at, error, cancel_requested, revision, wake_at,"
    " forked_from_run, forked_from_path, follows"
)
_NEWEST = "SELECT id FROM (SELECT id FROM wrkflw_workflow_runs {} ORDER BY id DESC LIMIT :page)"
_QUEUED = "INDEXED BY wrkflw_runs_queued WHERE status = 'queued'"
"""Named, for else all runs are looked through: its order is that of the queue, not of the ids."""
FIRST = f"""
    SELECT json_group_array(json_array({_COLUMNS}))
      FROM (SELECT {_COLUMNS} FROM wrkflw_workflow_runs
             WHERE id IN (
                   {_NEWEST.format("")}
                   UNION {_NEWEST.format("WHERE status = 'running'")}
                   UNION {_NEWEST.format(_QUEUED)}
                   UNION SELECT run.id FROM wrkflw_workflows AS workflow
                           JOIN wrkflw_workflow_runs AS run ON run.id IN (
                                SELECT id FROM wrkflw_workflow_runs
                                 WHERE workflow_id = workflow.workflow_id
                                 ORDER BY id DESC LIMIT :history))
             ORDER BY id DESC)
"""
"""One value, not many rows: each row would give the interpreter up to the thread that loads the app
meanwhile, and wait for it."""


def first_runs(connection: sqlite3.Connection, page: int, history: int) -> list[RunSummary]:
    """Return the newest runs, newest first: `page` of all, of the running ones, and of the queued.

    Beside them `history` of each workflow in the folder.
    """
    (whole,) = connection.execute(FIRST, {"page": page, "history": history}).fetchone()
    return [_summary(row) for row in cast("list[list[object]]", json.loads(whole))]


def revision_now(connection: sqlite3.Connection) -> int:
    """Return the newest revision of any run on record."""
    row = connection.execute("SELECT coalesce(max(revision), 0) FROM wrkflw_workflow_runs")
    return cast("int", row.fetchone()[0])


def _summary(row: list[object]) -> RunSummary:
    id, workflow, status, trigger, at_work, done, total = cast("_Start", tuple(row[:7]))
    created, updated, started, finished = cast("_Times", tuple(row[7:11]))
    error, cancel, revision, wake, *origin = cast("_Rest", tuple(row[11:]))
    forked_run, forked_path, follows = origin
    return RunSummary(
        id,
        workflow,
        status,
        trigger,
        () if at_work == "[]" else tuple(cast("list[str]", json.loads(at_work))),
        done,
        total,
        _EPOCH + timedelta(microseconds=created),
        _EPOCH + timedelta(microseconds=updated),
        _instant(started),
        _instant(finished),
        None if error is None else ErrorInfo.from_json(error),
        bool(cancel),
        revision,
        _instant(wake),
        None if forked_run is None or forked_path is None else ForkOrigin(forked_run, forked_path),
        follows,
    )


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)
