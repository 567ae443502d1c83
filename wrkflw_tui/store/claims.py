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
from wrkflw_tui.store import graphs, leases, queues
from wrkflw_tui.store.file import NEXT_RUN, next_run_revision, tell_worker

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection
    from datetime import timedelta

Trigger = Literal["library", "app", "cli", "schedule", "follow-up", "http"]


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
        "INSERT INTO wrkflw_workflow_runs (id, run_id, workflow_id, status, trigger, input,"
        " graph_id,"
        " steps_total, definition_hash, schedule_id, due_at, created_at, updated_at, revision)"
        f" VALUES ({NEXT_RUN}, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run_id,
            workflow_id,
            trigger,
            input,
            None if graph is None else graphs.keep(connection, graph),
            steps_total,
            definition_hash,
            schedule_id,
            due_at,
            now,
            now,
            next_run_revision(connection),
        ),
    )
    tell_worker(connection)
    return run_id


def claim_next(
    connection: sqlite3.Connection, holder: str, busy: Collection[int] = ()
) -> Claim | None:
    """Claim the oldest queued run of the highest priority for the worker.

    Runs of workflows that have as many at once as they may are left, and so are those of `busy`,
    whose process has not ended yet.
    """
    key = queues.first(connection, busy)
    return None if key is None else claim(connection, key, holder, ("queued",))


def claim(
    connection: sqlite3.Connection,
    key: int,
    holder: str,
    expected: tuple[RunStatus, ...],
    now: int | None = None,
) -> Claim | None:
    """Claim one run if its status is one of those expected; its epoch fences off older claims.

    The time that it was suspended is added to its deadlines.
    """
    now = micros_now() if now is None else now
    places = ", ".join("?" * len(expected))
    before = connection.execute(
        "SELECT suspended_at FROM wrkflw_workflow_runs WHERE id = ?", (key,)
    ).fetchone()
    row = connection.execute(
        "UPDATE wrkflw_workflow_runs SET status = 'running', epoch = epoch + 1, owner = ?,"
        " started_at = coalesce(started_at, ?), finished_at = NULL, updated_at = ?, error = NULL,"
        " wake_at = NULL, suspended_at = NULL, revision = ?"
        f" WHERE id = ? AND status IN ({places})"
        " RETURNING id, run_id, workflow_id, epoch",
        (holder, now, now, next_run_revision(connection), key, *expected),
    ).fetchone()
    if row is None:
        return None
    if before["suspended_at"] is not None:
        _shift_deadlines(connection, key, now - cast("int", before["suspended_at"]))
    return Claim(*cast("tuple[int, str, str, int]", tuple(row)))


def _shift_deadlines(connection: sqlite3.Connection, key: int, by: int) -> None:
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET deadline = deadline + ? WHERE id = ?", (by, key)
    )
    connection.execute(
        "UPDATE wrkflw_step_results SET wake_at = wake_at + ?"
        " WHERE run = ? AND kind = 'workflow' AND status = 'waiting'",
        (by, key),
    )


def renew_budget(connection: sqlite3.Connection, key: int) -> None:
    """Let a failed run be walked again: what was used up so far no longer counts."""
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET deadline = NULL, cancel_requested = 0, budget_from ="
        " (SELECT coalesce(max(n), 0) FROM wrkflw_step_results WHERE run = wrkflw_workflow_runs.id)"
        " WHERE id = ? AND status = 'failed'",
        (key,),
    )


def wake_due(connection: sqlite3.Connection, now: int) -> None:
    """Queue the worker's runs whose instant has come."""
    due = connection.execute(
        "SELECT id FROM wrkflw_workflow_runs WHERE status IN ('sleeping', 'suspended')"
        " AND wake_at <= ? AND trigger <> 'library'",
        (now,),
    ).fetchall()
    for row in due:
        queue(connection, cast("int", row["id"]))


def next_wake(connection: sqlite3.Connection) -> int | None:
    """Return when the next of the worker's runs is to be woken, in microseconds."""
    row = connection.execute(
        "SELECT min(wake_at) FROM wrkflw_workflow_runs WHERE status IN ('sleeping', 'suspended')"
        " AND wake_at IS NOT NULL AND trigger <> 'library'"
    ).fetchone()
    return cast("int | None", row[0])


def queue(connection: sqlite3.Connection, key: int) -> None:
    """Queue a run that rests: there is something to do."""
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET status = 'queued', wake_at = NULL, updated_at = ?,"
        " revision = ? WHERE id = ? AND status IN ('sleeping', 'suspended')",
        (micros_now(), next_run_revision(connection), key),
    )
    tell_worker(connection)


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
    """End a claimed run whose runner could not. Returns whether the claim was still good.

    What waits in a run that failed is left as it is: once recovered it waits on.
    """
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
    open_too = status == "cancelled"
    _end_attempts(connection, claim.key, "interrupted", error, now, revision, open_too=open_too)
    _count_end(connection, claim.key)
    return True


def take_over(connection: sqlite3.Connection) -> list[str]:
    """Queue again whatever the worker before was walking. Returns the ids of those runs.

    Called in the transaction that takes the worker's lease: whoever holds it walks nothing yet.
    """
    rows = connection.execute(
        "SELECT id, run_id, workflow_id, epoch FROM wrkflw_workflow_runs AS run"
        " WHERE status = 'running' AND trigger <> 'library'"
        # A process that walks runs by itself may have taken one up.
        " AND NOT EXISTS (SELECT 1 FROM wrkflw_leases WHERE holder = run.owner)"
    ).fetchall()
    error = ErrorInfo("WorkerLost", "the worker ended while this step was at work")
    for row in rows:
        claim = Claim(*cast("tuple[int, str, str, int]", tuple(row)))
        release(connection, claim, "crashed", error)
    return [cast("str", row["run_id"]) for row in rows]


def has_queued(connection: sqlite3.Connection, busy: Collection[int] = ()) -> bool:
    """Tell whether a run waits for the worker that may be walked now."""
    return queues.first(connection, busy) is not None


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


def define(
    connection: sqlite3.Connection,
    key: int,
    graph: str,
    definition_hash: str,
    steps_total: int,
    timeout: timedelta | None,
    now: int | None = None,
) -> None:
    """Note which definition a run follows from here on, and when its time is up."""
    graph_id = graphs.keep(connection, graph)
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET graph_id = ?, definition_hash = ?, steps_total = ?"
        " WHERE id = ? AND graph_id IS NOT ?",
        (graph_id, definition_hash, steps_total, key, graph_id),
    )
    if timeout is not None:
        due = (micros_now() if now is None else now) + round(timeout.total_seconds() * 1_000_000)
        connection.execute(
            "UPDATE wrkflw_workflow_runs SET deadline = ? WHERE id = ? AND deadline IS NULL",
            (due, key),
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
    if status == "running" and not is_abandoned(connection, key):
        connection.execute(
            "UPDATE wrkflw_workflow_runs SET cancel_requested = 1, updated_at = ?, revision = ?"
            " WHERE id = ?",
            (now, revision, key),
        )
        connection.execute(
            "INSERT INTO wrkflw_messages (run, kind, created_at) VALUES (?, 'cancel', ?)",
            (key, now),
        )
        return status
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET status = 'cancelled', cancel_requested = 1, owner = NULL,"
        " epoch = epoch + 1, execution_path = '[]', wake_at = NULL, updated_at = ?,"
        " finished_at = ?, revision = ? WHERE id = ?",
        (now, now, revision, key),
    )
    _end_attempts(connection, key, "interrupted", None, now, revision, open_too=True)
    _count_end(connection, key)
    return "cancelled"


def is_abandoned(connection: sqlite3.Connection, key: int) -> bool:
    """Tell whether a run that some process walked by itself was left by it."""
    row = connection.execute(
        "SELECT trigger, owner FROM wrkflw_workflow_runs WHERE id = ?", (key,)
    ).fetchone()
    if row["trigger"] != "library":
        return False  # the worker sees to it
    lease = leases.of_holder(connection, row["owner"])
    return lease is None or not lease.holds(micros_now())


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
    *,
    open_too: bool = False,
) -> None:
    """End what is recorded as at work; with `open_too` also what waits, and what was asked."""
    waiting = ", 'waiting', 'suspended'" if open_too else ""
    rows = connection.execute(
        "SELECT n, (SELECT max(max(n, coalesce(ended, 0))) FROM wrkflw_step_results WHERE run = ?)"
        " FROM wrkflw_step_results AS step WHERE run = ?"
        f" AND status IN ('running'{waiting})"
        # An older question of a step that has been entered again since was answered.
        " AND n = (SELECT max(n) FROM wrkflw_step_results AS later"
        " WHERE later.run = step.run AND later.path = step.path) ORDER BY n",
        (key, key),
    ).fetchall()
    text = None if error is None else error.to_json()
    connection.executemany(
        "UPDATE wrkflw_step_results SET status = ?, error = ?, finished_at = ?, revision = ?,"
        " ended = ? WHERE run = ? AND n = ?",
        [
            (status, text, now, revision, last + number, key, n)
            for number, (n, last) in enumerate(rows, start=1)
        ],
    )


def _count_end(connection: sqlite3.Connection, key: int) -> None:
    """Number the run's own end after all that came before it."""
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET last_event = 1 + max(last_event,"
        " (SELECT coalesce(max(max(n, coalesce(ended, 0))), 0) FROM wrkflw_step_results"
        " WHERE run = wrkflw_workflow_runs.id)) WHERE id = ?",
        (key,),
    )
