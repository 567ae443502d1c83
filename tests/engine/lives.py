"""Lives of a process over one run: each begins with the file alone, and ends when it is told to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from wrkflw_tui import WorkflowStorage
from wrkflw_tui.engine.models import ErrorInfo, WorkflowSnapshot
from wrkflw_tui.engine.run import ExecutionEngine, input_value
from wrkflw_tui.store import claims

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wrkflw_tui import Workflow
    from wrkflw_tui.engine.clock import Clock
    from wrkflw_tui.store.journal import SqliteJournal

RUN = "run-1"


class Died(BaseException):
    """The process is gone here."""


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

    journal.commit = commit_or_die  # pyright: ignore
    return journal


async def live(
    file: Path,
    workflow: Workflow[Any, Any],
    life: Life,
    clock: Clock | None = None,
    on_start: Callable[[WorkflowSnapshot], None] | None = None,
) -> Any:
    """Walk the run in a process of its own; return its output, or `None` where it died."""
    storage = WorkflowStorage(file)
    flow = cast("Workflow[object, object]", workflow)
    try:
        claim = await storage.database.write(lambda c: claims.claim_next(c, "holder"))
        assert claim is not None
        if on_start is not None:
            on_start(await storage.load_snapshot(RUN))
        journal = mortal(await storage.reopen(claim), life)
        text = await storage.database.read(lambda c: claims.read_input(c, claim.key))
        value = input_value(flow, flow.input_schema.load(text))
        try:
            output = await ExecutionEngine(clock).execute(flow, journal, value, lambda: False)
        except Died:
            error = ErrorInfo("RunnerDied", "killed by signal 9")
            await storage.database.write(lambda c: claims.release(c, claim, life.ended_as, error))
            return None
        return output.take()
    finally:
        await storage.close()


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
