"""Every change of a run's status: each is a compare-and-swap with one winner.

All functions run inside a transaction of their caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import RunEnded, RunNotFound
from wrkflw_tui.engine.ids import new_run_id
from wrkflw_tui.engine.models import ENDED, ErrorInfo, RunStatus
from wrkflw_tui.store.file import next_run_revision

if TYPE_CHECKING:
    import sqlite3

Trigger = Literal["library", "app", "cli", "schedule"]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to walk one run, until somebody claims it anew."""

    key: int
    run_id: str
    workflow_id: str
    epoch: int


def enqueue(
    connection: sqlite3.Connection,
    workflow_id: str,
    input: str,
    trigger: Trigger,
    *,
    run_id: str | None = None,
    schedule_id: str | None = None,
    due_at: int | None = None,
) -> str:
    """Put a run on record for the worker to start; return its id."""
    run_id = run_id or new_run_id()
    now = micros_now()
    known = connection.execute(
        "SELECT graph, steps_total, definition_hash FROM wrkflw_workflows WHERE workflow_id = ?",
        (workflow_id,),
    ).fetchone()
    graph, steps_total, definition_hash = known or (None, 0, None)
    connection.execute(
        "INSERT INTO wrkflw_workflow_runs (run_id, workflow_id, status, trigger, input, graph,"
        " steps_total, definition_hash, schedule_id, due_at, created_at, updated_at, revision)"
        " VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run_id,
            workflow_id,
            trigger,
            input,
            graph,
            steps_total,
            definition_hash,
            schedule_id,
            due_at,
            now,
            now,
            next_run_revision(connection),
        ),
    )
    return run_id


def claim_next(connection: sqlite3.Connection, holder: str) -> Claim | None:
    """Claim the oldest queued run of the highest priority for the worker."""
    row = connection.execute(
        "SELECT id FROM wrkflw_workflow_runs WHERE status = 'queued' AND trigger <> 'library'"
        " ORDER BY priority DESC, id LIMIT 1"
    ).fetchone()
    return None if row is None else claim(connection, cast("int", row["id"]), holder, ("queued",))


def claim(
    connection: sqlite3.Connection, key: int, holder: str, expected: tuple[RunStatus, ...]
) -> Claim | None:
    """Claim one run if its status is one of those expected; its epoch fences off older claims."""
    now = micros_now()
    places = ", ".join("?" * len(expected))
    row = connection.execute(
        "UPDATE wrkflw_workflow_runs SET status = 'running', epoch = epoch + 1, owner = ?,"
        " started_at = coalesce(started_at, ?), finished_at = NULL, updated_at = ?, error = NULL,"
        f" revision = ? WHERE id = ? AND status IN ({places})"
        " RETURNING id, run_id, workflow_id, epoch",
        (holder, now, now, next_run_revision(connection), key, *expected),
    ).fetchone()
    if row is None:
        return None
    return Claim(*cast("tuple[int, str, str, int]", tuple(row)))


def release(
    connection: sqlite3.Connection,
    claim: Claim,
    attempts: Literal["crashed", "interrupted"],
    error: ErrorInfo | None = None,
) -> bool:
    """Queue a claimed run again, after its runner died or was stopped.

    What was at work is recorded as `attempts`. Returns whether the claim was still good.
    """
    revision = next_run_revision(connection)
    now = micros_now()
    changed = connection.execute(
        "UPDATE wrkflw_workflow_runs SET status = 'queued', owner = NULL, epoch = epoch + 1,"
        " execution_path = '[]', updated_at = ?, revision = ?"
        " WHERE id = ? AND epoch = ? AND status = 'running'",
        (now, revision, claim.key, claim.epoch),
    )
    if changed.rowcount == 0:
        return False
    _end_attempts(connection, claim.key, attempts, error, now, revision)
    return True


def finish(
    connection: sqlite3.Connection,
    claim: Claim,
    status: Literal["failed", "cancelled"],
    error: ErrorInfo | None = None,
) -> bool:
    """End a claimed run whose runner could not. Returns whether the claim was still good."""
    revision = next_run_revision(connection)
    now = micros_now()
    changed = connection.execute(
        "UPDATE wrkflw_workflow_runs SET status = ?, owner = NULL, epoch = epoch + 1, error = ?,"
        " execution_path = '[]', updated_at = ?, finished_at = ?, revision = ?"
        " WHERE id = ? AND epoch = ? AND status = 'running'",
        (
            status,
            None if error is None else error.to_json(),
            now,
            now,
            revision,
            claim.key,
            claim.epoch,
        ),
    )
    if changed.rowcount == 0:
        return False
    _end_attempts(connection, claim.key, "interrupted", error, now, revision)
    return True


def take_over(connection: sqlite3.Connection) -> int:
    """Queue again whatever the worker before was walking. Returns how many runs that were.

    Called in the transaction that takes the worker's lease: whoever holds it walks nothing yet.
    """
    rows = connection.execute(
        "SELECT id, run_id, workflow_id, epoch FROM wrkflw_workflow_runs"
        " WHERE status = 'running' AND trigger <> 'library'"
    ).fetchall()
    error = ErrorInfo("WorkerLost", "the worker ended while this step was at work")
    for row in rows:
        claim = Claim(*cast("tuple[int, str, str, int]", tuple(row)))
        release(connection, claim, "crashed", error)
    return len(rows)


def has_queued(connection: sqlite3.Connection) -> bool:
    """Tell whether a run waits for the worker."""
    row = connection.execute(
        "SELECT 1 FROM wrkflw_workflow_runs WHERE status = 'queued' AND trigger <> 'library'"
        " LIMIT 1"
    ).fetchone()
    return row is not None


def is_good(connection: sqlite3.Connection, claim: Claim) -> bool:
    """Tell whether the claim's run is still running under it."""
    row = connection.execute(
        "SELECT 1 FROM wrkflw_workflow_runs WHERE id = ? AND epoch = ? AND status = 'running'",
        (claim.key, claim.epoch),
    ).fetchone()
    return row is not None


def is_in_step(connection: sqlite3.Connection, claim: Claim) -> bool:
    """Tell whether a step of the claim's run is recorded as at work."""
    row = connection.execute(
        "SELECT 1 FROM wrkflw_step_results WHERE run = ? AND status = 'running' LIMIT 1",
        (claim.key,),
    ).fetchone()
    return row is not None


def read_input(connection: sqlite3.Connection, key: int) -> str:
    """Return a run's input as JSON text."""
    row = connection.execute(
        "SELECT coalesce(input, 'null') FROM wrkflw_workflow_runs WHERE id = ?", (key,)
    ).fetchone()
    return cast("str", row[0])


def define(
    connection: sqlite3.Connection, key: int, graph: str, definition_hash: str, steps_total: int
) -> None:
    """Note which definition a run follows, before its first step; later it stays as it is."""
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET graph = ?, definition_hash = ?, steps_total = ?"
        " WHERE id = ? AND definition_hash IS NOT ?"
        " AND NOT EXISTS (SELECT 1 FROM wrkflw_step_results WHERE run = id)",
        (graph, definition_hash, steps_total, key, definition_hash),
    )


def request_cancel(connection: sqlite3.Connection, run_id: str) -> RunStatus:
    """Cancel a run: at once where nothing is at work, else ask whoever walks it.

    Returns the status it has then. Raises `RunNotFound` and `RunEnded`.
    """
    row = connection.execute(
        "SELECT id, status FROM wrkflw_workflow_runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    if row is None:
        raise RunNotFound(f"no run {run_id} is on record")
    key, status = cast("tuple[int, RunStatus]", tuple(row))
    if status in ENDED:
        raise RunEnded(f"run {run_id} has ended already: {status}")
    revision = next_run_revision(connection)
    now = micros_now()
    if status == "running":
        connection.execute(
            "UPDATE wrkflw_workflow_runs SET cancel_requested = 1, updated_at = ?, revision = ?"
            " WHERE id = ?",
            (now, revision, key),
        )
        return status
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET status = 'cancelled', cancel_requested = 1,"
        " updated_at = ?, finished_at = ?, revision = ? WHERE id = ?",
        (now, now, revision, key),
    )
    return "cancelled"


def cancels_for(connection: sqlite3.Connection, holder: str) -> list[str]:
    """Return the ids of the runs that `holder` walks and was asked to cancel."""
    rows = connection.execute(
        "SELECT run_id FROM wrkflw_workflow_runs"
        " WHERE status = 'running' AND cancel_requested = 1 AND owner = ?",
        (holder,),
    )
    return [cast("str", row["run_id"]) for row in rows]


def _end_attempts(
    connection: sqlite3.Connection,
    key: int,
    status: Literal["crashed", "interrupted"],
    error: ErrorInfo | None,
    now: int,
    revision: int,
) -> None:
    connection.execute(
        "UPDATE wrkflw_step_results SET status = ?, error = ?, finished_at = ?, revision = ?"
        " WHERE run = ? AND status = 'running'",
        (status, None if error is None else error.to_json(), now, revision, key),
    )
