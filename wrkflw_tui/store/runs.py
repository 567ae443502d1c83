"""Runs as they are read: snapshots, lists, and what changed since a revision."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.errors import RunNotFound, WrkflwError
from wrkflw_tui.engine.models import (
    ErrorInfo,
    ForkOrigin,
    Progress,
    Question,
    RunStatus,
    RunSummary,
    StepResult,
    WorkflowSnapshot,
    from_micros,
    to_micros,
)
from wrkflw_tui.store.graphs import GRAPH
from wrkflw_tui.store.removed import removed_at

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

SUMMARY = (
    "id, run_id, workflow_id, status, trigger, execution_path, steps_done, steps_total,"
    " created_at, updated_at, started_at, finished_at, error, cancel_requested, revision, wake_at,"
    " forked_from_run, forked_from_path, follows"
)
STEP = (
    "n, path, step_id, kind, attempt, status, input, output, error, progress, started_at,"
    " finished_at, revision, ended, wake_at, question, state"
)


_HAS_TEXT = (
    "EXISTS (SELECT 1 FROM (SELECT ? AS text) WHERE instr(lower(coalesce(input, '') || char(10) ||"
    " coalesce(result, '') || char(10) || coalesce(error, '')), text) OR EXISTS (SELECT 1 FROM"
    " wrkflw_step_results WHERE run = wrkflw_workflow_runs.id AND instr(lower(coalesce(output, '')"
    " || char(10) || coalesce(error, '')), text)))"
)


_BEFORE = (
    # A run that was removed meanwhile has left its place in the order.
    "id < (SELECT coalesce((SELECT id FROM wrkflw_workflow_runs WHERE run_id = given.run_id),"
    " (SELECT max(run) FROM wrkflw_removed_runs WHERE run_id = given.run_id))"
    " FROM (SELECT ? AS run_id) AS given)"
)


LATEST = "@latest"
"""Stands for the id of the newest run; `@latest:ID` for that of the newest of a workflow."""
NAMED = 8
"""How many ids an error names at most."""


class AmbiguousRun(WrkflwError, LookupError):
    """Several runs have ids that begin or end so."""


def list_runs(
    connection: sqlite3.Connection,
    workflow_id: str | None = None,
    status: RunStatus | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    text: str | None = None,
    limit: int = 100,
    before: str | None = None,
) -> list[RunSummary]:
    """Return runs, newest first, by key: never by offset."""
    conditions: list[str] = []
    values: list[object] = []
    for condition, value in (
        ("workflow_id = ?", workflow_id),
        ("status = ?", status),
        ("created_at >= ?", None if since is None else to_micros(since)),
        ("created_at < ?", None if until is None else to_micros(until)),
        (_BEFORE, before),
        (_HAS_TEXT, None if text is None else text.casefold()),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = connection.execute(
        f"SELECT {SUMMARY} FROM wrkflw_workflow_runs{where} ORDER BY id DESC LIMIT ?",
        (*values, limit),
    )
    return [summary(row) for row in rows]


def runs_since(
    connection: sqlite3.Connection, revision: int, limit: int = 1000
) -> list[RunSummary]:
    """Return the runs that changed after `revision`, in the order of their changes."""
    rows = connection.execute(
        f"SELECT {SUMMARY} FROM wrkflw_workflow_runs WHERE revision > ? ORDER BY revision LIMIT ?",
        (revision, limit),
    )
    return [summary(row) for row in rows]


def steps_since(
    connection: sqlite3.Connection, run_id: str, revision: int, from_order: int = 1
) -> tuple[list[StepResult], int]:
    """Return a run's attempts that changed after `revision`, and the newest revision among them.

    An attempt that has ended never changes again: `from_order` is the order of the oldest one that
    was still open at the last look, so that none before it is read.
    """
    rows = connection.execute(
        f"SELECT {STEP} FROM wrkflw_step_results"
        " WHERE run = (SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?) AND n >= ?"
        " AND revision > ? ORDER BY n",
        (run_id, from_order, revision),
    ).fetchall()
    newest = max((cast("int", row["revision"]) for row in rows), default=revision)
    return [step_result(row) for row in rows], newest


def read_summary(connection: sqlite3.Connection, run_id: str) -> RunSummary:
    """Return a run without its steps. Raises `RunNotFound`."""
    return summary(run_row(connection, run_id, SUMMARY))


def read_snapshot(connection: sqlite3.Connection, run_id: str) -> WorkflowSnapshot:
    """Return a run as it stands. Raises `RunNotFound`."""
    connection.execute("BEGIN")  # one moment of the record for the run and its steps
    try:
        row = run_row(connection, run_id, f"{SUMMARY}, {GRAPH}, input, result, state")
        rows = connection.execute(
            f"SELECT {STEP} FROM wrkflw_step_results WHERE run = ? ORDER BY n", (row["id"],)
        )
        attempts = tuple(step_result(step) for step in rows)
    finally:
        connection.execute("COMMIT")
    return WorkflowSnapshot(
        run=summary(row),
        step_results={attempt.path: attempt for attempt in attempts},
        all_attempts=attempts,
        graph_json=row["graph"],
        input_json=row["input"],
        result_json=row["result"],
        states_json=row["state"],
    )


def summary(row: sqlite3.Row) -> RunSummary:
    """Make a summary of a row that has the columns of `SUMMARY`."""
    return RunSummary(
        run_id=row["run_id"],
        workflow_id=row["workflow_id"],
        status=row["status"],
        trigger=row["trigger"],
        execution_path=tuple(cast("list[str]", json.loads(row["execution_path"]))),
        steps_done=row["steps_done"],
        steps_total=row["steps_total"],
        created_at=from_micros(row["created_at"]),
        updated_at=from_micros(row["updated_at"]),
        started_at=_instant(row["started_at"]),
        finished_at=_instant(row["finished_at"]),
        error=_error(row["error"]),
        cancel_requested=bool(row["cancel_requested"]),
        revision=row["revision"],
        wake_at=_instant(row["wake_at"]),
        forked_from=_origin(row["forked_from_run"], row["forked_from_path"]),
        follows=row["follows"],
    )


def step_result(row: sqlite3.Row) -> StepResult:
    """Make a step's result of a row that has the columns of `STEP`."""
    return StepResult(
        path=row["path"],
        step_id=row["step_id"],
        kind=row["kind"],
        status=row["status"],
        attempt=row["attempt"],
        order=row["n"],
        started_at=from_micros(row["started_at"]),
        finished_at=_instant(row["finished_at"]),
        error=_error(row["error"]),
        progress=_progress(row["progress"]),
        input_json=row["input"],
        output_json=row["output"],
        ended=row["ended"],
        wake_at=_instant(row["wake_at"]),
        question=_question(row["path"], row["question"]),
        state_json=row["state"],
    )


def find_run(connection: sqlite3.Connection, text: str) -> str:
    """Return the id of the one run whose id is, begins or ends so, or that is the latest.

    Lists show how an id ends. Raises `RunNotFound` and `AmbiguousRun`.
    """
    if text == LATEST or text.startswith(f"{LATEST}:"):
        return _latest(connection, text.partition(":")[2])
    rows = connection.execute(
        "SELECT run_id, workflow_id FROM wrkflw_workflow_runs WHERE run_id = :id"
        " OR substr(run_id, 1, length(:id)) = :id OR substr(run_id, -length(:id)) = :id"
        " ORDER BY run_id = :id DESC, id DESC LIMIT :most",
        {"id": text, "most": NAMED + 1},
    ).fetchall()
    if not text or not rows:
        raise RunNotFound(f"no run {text!r} is on record{_removal(connection, text)}")
    if len(rows) > 1 and rows[0]["run_id"] != text:
        found = [f"{row['run_id']} ({row['workflow_id']})" for row in rows[:NAMED]]
        more = ["and more"] if len(rows) > NAMED else []
        raise AmbiguousRun(f"several runs have {text!r} in their ids: {', '.join(found + more)}")
    return cast("str", rows[0]["run_id"])


def _latest(connection: sqlite3.Connection, workflow_id: str) -> str:
    found = list_runs(connection, workflow_id or None, limit=1)
    if not found:
        raise RunNotFound(f"no run{f' of {workflow_id!r}' if workflow_id else ''} is on record")
    return found[0].run_id


def has_run(connection: sqlite3.Connection, run_id: str) -> bool:
    """Tell whether a run is on record."""
    found = "SELECT 1 FROM wrkflw_workflow_runs WHERE run_id = ?"
    return connection.execute(found, (run_id,)).fetchone() is not None


def run_row(connection: sqlite3.Connection, run_id: str, columns: str) -> sqlite3.Row:
    """Return columns of a run's row. Raises `RunNotFound`."""
    row = connection.execute(
        f"SELECT {columns} FROM wrkflw_workflow_runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    if row is None:
        raise RunNotFound(f"no run {run_id} is on record{_removal(connection, run_id)}")
    return cast("sqlite3.Row", row)


def _removal(connection: sqlite3.Connection, run_id: str) -> str:
    """Say since when a run is on record no longer, if it was one."""
    at = removed_at(connection, run_id)
    if at is None:
        return ""
    return f" any more: it was removed on {from_micros(at).astimezone():%Y-%m-%d at %H:%M}"


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _origin(run_id: str | None, path: str | None) -> ForkOrigin | None:
    return None if run_id is None or path is None else ForkOrigin(run_id, path)


def _question(path: str, text: str | None) -> Question | None:
    return None if text is None else Question.from_json(path, text)


def _error(text: str | None) -> ErrorInfo | None:
    return None if text is None else ErrorInfo.from_json(text)


def _progress(text: str | None) -> Progress | None:
    if text is None:
        return None
    return Progress(*cast("tuple[float, float | None, str, int]", tuple(json.loads(text))))
