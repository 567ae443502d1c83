"""One walk of a run from its claim to its end, or until it rests."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from wrkflw_tui.engine.clock import Clock, SystemClock
from wrkflw_tui.engine.errors import RunAlreadyClaimed, WorkflowCancelled, WorkflowFailed
from wrkflw_tui.engine.journal import Fenced
from wrkflw_tui.engine.values import LeftBehind, Parked, StepFailed, Value
from wrkflw_tui.engine.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from wrkflw_tui.engine.journal import Journal
    from wrkflw_tui.engine.models import Question, RunStatus
    from wrkflw_tui.engine.workflow import Workflow


class Rested(Exception):
    """The walk ended, and the run did not: it sleeps, or waits to be told something."""

    def __init__(self, status: RunStatus, wake_at: int | None, questions: list[Question]) -> None:
        super().__init__(status)
        self.status: RunStatus = status
        """`queued` where it was told something in the last moment: it may be walked at once."""
        self.wake_at = wake_at
        self.questions = questions


class ExecutionEngine:
    """Walks workflows and records how they end."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        dies_with_steps: bool = False,
        watch: Callable[[str, timedelta | None], None] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._dies_with_steps = dies_with_steps
        self._watch = watch

    async def execute(
        self, workflow: Workflow[object, object], journal: Journal, value: Value
    ) -> Value:
        """Walk one run to its end and return its output.

        A caller that is itself cancelled leaves the run queued. Raises `WorkflowFailed`,
        `WorkflowCancelled`, `RunAlreadyClaimed`, and `Rested` where the run does not end yet.
        """
        walk = Walk(
            workflow,
            journal,
            self._clock,
            dies_with_steps=self._dies_with_steps,
            watch=self._watch,
        )
        return await _Execution(walk, journal).go(value)


class _Execution:
    """One walk, and the cancel that may come from any process."""

    def __init__(self, walk: Walk, journal: Journal) -> None:
        self._walk = walk
        self._journal = journal
        self._task = asyncio.current_task()

    async def go(self, value: Value) -> Value:
        self._journal.listen(self._walk.waits.hear, self._cancel)
        try:
            return await self._walk_to_end(value)
        except Fenced as error:
            raise RunAlreadyClaimed(
                f"run {self._journal.run_id} was claimed by another process: it goes on there"
            ) from error
        finally:
            self._journal.close()
            if self._walk.is_cancelled and self._task is not None:
                self._task.uncancel()  # it was the run that was cancelled, not its caller

    def _cancel(self) -> None:
        if not self._walk.is_cancelled and self._task is not None:
            self._walk.is_cancelled = True
            self._task.cancel()

    async def _walk_to_end(self, value: Value) -> Value:
        journal = self._journal
        try:
            output = await self._walk.run(value)
        except StepFailed as failed:
            journal.finish("failed", error=replace(failed.info, path=failed.path).to_json())
            await self._commit_end()
            error = WorkflowFailed(journal.run_id, failed.path, failed.info)
            raise error from failed.original
        except asyncio.CancelledError:
            journal.finish("cancelled" if self._walk.is_cancelled else "queued")
            await self._commit_end()
            if self._walk.is_cancelled:
                raise WorkflowCancelled(journal.run_id) from None
            raise
        except Parked:
            raise await self._rest() from None
        except LeftBehind:
            journal.finish("queued")
            await self._commit_end()
            raise
        journal.finish("success", output.text)
        await self._commit_end()
        return output

    async def _rest(self) -> Rested:
        journal, wake_at = self._journal, self._walk.waits.wake_at
        questions = journal.open_questions()
        journal.finish("suspended" if questions else "sleeping", wake_at=wake_at)
        await self._commit_end()
        return Rested(journal.finished_as, wake_at, questions)

    async def _commit_end(self) -> None:
        """Put the run's end on disk. It has ended then, also where a cancel comes meanwhile."""
        try:
            await self._journal.commit()
        except asyncio.CancelledError:
            await self._journal.commit()
            if not self._walk.is_cancelled:
                raise
