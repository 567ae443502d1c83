"""Lives of a process over one run: each begins with the file alone, and ends when it is told to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from wrkflw_tui import WorkflowStorage
from wrkflw_tui.engine.execution import ExecutionEngine, Rested
from wrkflw_tui.engine.models import ErrorInfo, WorkflowSnapshot, from_micros
from wrkflw_tui.engine.run import input_value
from wrkflw_tui.store import claims

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wrkflw_tui import Workflow
    from wrkflw_tui.engine.clock import Clock
    from wrkflw_tui.store.journal import SqliteJournal

RUN = "run-1"


class Died(GeneratorExit):
    """The process is gone here: the walk is thrown away as it stands."""


@dataclass
class Life:
    """How long a process lives."""

    commits: int = 1_000_000
    """It dies at this commit, counted from 1."""
    before: bool = False
    """Whether it dies before that commit has reached the disk."""
    ended_as: Literal["crashed", "interrupted"] = "crashed"


def mortal(journal: SqliteJournal, life: Life) -> SqliteJournal:
    commit = journal.commit
    left = life.commits

    async def commit_or_die() -> None:
        nonlocal left
        left -= 1
        if left < 0 or (left == 0 and life.before):
            raise Died  # what is dead commits nothing more
        await commit()
        if left == 0:
            raise Died

    journal.commit = commit_or_die
    return journal


async def live(
    file: Path,
    workflow: Workflow[Any, Any],
    life: Life,
    clock: Clock | None = None,
    on_start: Callable[[WorkflowSnapshot], None] | None = None,
) -> Any:
    """Walk the run in a process of its own; return its output, or `None` where it died.

    Where it sleeps it is woken at its instant, as a worker would.
    """
    storage = WorkflowStorage(file, clock=clock)
    flow = cast("Workflow[object, object]", workflow)
    try:
        while True:
            claim = await storage.database.write(lambda c: claims.claim_next(c, "holder"))
            assert claim is not None
            if on_start is not None:
                on_start(await storage.load_snapshot(RUN))
            try:
                return await _walk(storage, claim, flow, life)
            except Died:
                await _release(storage, claim, life)
                return None
            except Rested as rested:
                if rested.status != "sleeping" or rested.wake_at is None:
                    raise
                await storage.clock.sleep(from_micros(rested.wake_at) - storage.clock.now())
                await storage.database.write(lambda c, claim=claim: claims.queue(c, claim.key))
    finally:
        await storage.close()


async def _release(storage: WorkflowStorage, claim: claims.Claim, life: Life) -> None:
    error = ErrorInfo("RunnerDied", "killed by signal 9")
    await storage.database.write(lambda c: claims.release(c, claim, life.ended_as, error))


async def _walk(
    storage: WorkflowStorage, claim: claims.Claim, flow: Workflow[object, object], life: Life
) -> Any:
    journal, text = await storage.reopen(claim, flow)
    value = input_value(flow.id, flow.input_schema, flow.input_schema.load(text))
    output = await ExecutionEngine(storage.clock).execute(flow, mortal(journal, life), value)
    return output.take()


async def enqueue(file: Path, value: object = 0) -> None:
    storage = WorkflowStorage(file)
    await storage.database.write(
        lambda c: claims.enqueue(c, "flow", json.dumps(value), "app", run_id=RUN)
    )
    await storage.close()


async def snapshot_of(file: Path) -> WorkflowSnapshot:
    storage = WorkflowStorage(file)
    try:
        return await storage.load_snapshot(RUN)
    finally:
        await storage.close()


async def run_again(file: Path) -> None:
    """Queue a failed run again: the attempts so far no longer count."""
    storage = WorkflowStorage(file)
    await storage.database.write(
        lambda c: c.execute(
            "UPDATE wrkflw_workflow_runs SET status = 'queued', finished_at = NULL, error = NULL,"
            " budget_from = (SELECT max(n) FROM wrkflw_step_results) WHERE status = 'failed'"
        )
    )
    await storage.close()
