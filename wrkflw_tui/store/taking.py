"""Taking up a run on record: who may, and what its walk begins with.

All functions run inside a transaction of their caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.differences import check_definition
from wrkflw_tui.engine.errors import InvalidInput, RunAlreadyClaimed, RunEnded, RunNotFound
from wrkflw_tui.engine.models import ErrorInfo
from wrkflw_tui.store import claims, leases
from wrkflw_tui.store.graphs import GRAPH
from wrkflw_tui.store.record import Record, load_record
from wrkflw_tui.store.runs import run_row

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.engine.models import RunStatus
    from wrkflw_tui.engine.workflow import Workflow
    from wrkflw_tui.store.claims import Claim

RESTING: tuple[RunStatus, ...] = ("queued", "sleeping", "suspended", "failed")
"""A run of these may be taken up by anybody."""


def take_up(
    connection: sqlite3.Connection,
    run_id: str,
    workflow: Workflow[object, object],
    holder: str,
    now: int,
    left: tuple[str, int | None],
) -> Claim:
    """Claim a run that nobody walks: one that rests or failed, or whose process is gone.

    `left` is the owner and the epoch of a claim that its holder knows to be over.
    Raises `RunNotFound`, `RunEnded` and `RunAlreadyClaimed`.
    """
    row = connection.execute(
        "SELECT id, workflow_id, status, epoch, owner FROM wrkflw_workflow_runs WHERE run_id = ?",
        (run_id,),
    ).fetchone()
    if row is None or row["workflow_id"] != workflow.id:
        raise RunNotFound(f"no run {run_id} of {workflow.id!r} is on record")
    key, status = cast("int", row["id"]), cast("RunStatus", row["status"])
    if status in ("success", "cancelled"):
        raise RunEnded(f"run {run_id} has ended already: {status}")
    if status == "running":
        lease = leases.of_holder(connection, row["owner"])
        is_over = left == (row["owner"], row["epoch"])
        # By the machine's clock, whichever the run goes by.
        if not is_over and lease is not None and lease.holds(micros_now()):
            raise RunAlreadyClaimed(
                f"run {run_id} is being walked by process {lease.pid} on {lease.host}"
            )
        abandoned = claims.Claim(key, run_id, workflow.id, cast("int", row["epoch"]))
        error = ErrorInfo("ProcessDied", "the process that walked the run is gone")
        claims.release(connection, abandoned, "crashed", error)
    claims.renew_budget(connection, key)
    claim = claims.claim(connection, key, holder, RESTING, now)
    if claim is None:
        raise RunAlreadyClaimed(f"run {run_id} was claimed by another process")
    return claim


def open_record(
    connection: sqlite3.Connection, claim: Claim, workflow: Workflow[object, object], now: int
) -> tuple[Record, str]:
    """Return the record of a claimed run, and its input.

    Raises `DefinitionChanged`, and `InvalidInput` where the input does not fit any more.
    """
    row = connection.execute(
        f"SELECT {GRAPH}, coalesce(input, 'null') AS input FROM wrkflw_workflow_runs WHERE id = ?",
        (claim.key,),
    ).fetchone()
    record = load_record(connection, claim.key)
    check_definition(claim.run_id, row["graph"], workflow.graph, record.entries)
    try:
        workflow.input_schema.load(row["input"])
    except Exception as error:  # Pydantic's, or whatever an author's validator raises
        raise InvalidInput(f"the input of {workflow.id!r} does not fit: {error}") from error
    timeout = workflow.timeout
    claims.define(
        connection,
        claim.key,
        workflow.graph,
        workflow.definition_hash,
        workflow.leaf_count,
        timeout,
        now,
    )
    if record.deadline is None and timeout is not None:
        record.deadline = now + round(timeout.total_seconds() * 1_000_000)
    return record, cast("str", row["input"])


def is_asleep(connection: sqlite3.Connection, run_id: str) -> bool:
    """Tell whether a run sleeps."""
    return run_row(connection, run_id, "status")["status"] == "sleeping"


def is_settled(connection: sqlite3.Connection, run_id: str) -> bool:
    """Tell whether nobody walks a run, nor is about to. Raises `RunNotFound`."""
    row = run_row(connection, run_id, "status, trigger, owner")
    if row["status"] == "running":
        lease = leases.of_holder(connection, row["owner"])
        return lease is None or not lease.holds(micros_now())
    is_workers = row["trigger"] != "library"
    return not (is_workers and row["status"] in ("queued", "sleeping"))
