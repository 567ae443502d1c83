"""The door for a caller: a run of a workflow, started in one's own event loop."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, cast

from wrkflw_tui.engine import defaults
from wrkflw_tui.engine.clock import Clock, SystemClock
from wrkflw_tui.engine.errors import (
    InvalidInput,
    RunAlreadyClaimed,
    RunAlreadyStarted,
    RunEnded,
    RunNotFound,
    WorkflowCancelled,
    WorkflowFailed,
    WrkflwError,
)
from wrkflw_tui.engine.ids import new_run_id
from wrkflw_tui.engine.journal import Fenced
from wrkflw_tui.engine.runnable import In, Out
from wrkflw_tui.engine.values import LeftBehind, StepFailed, Value
from wrkflw_tui.engine.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrkflw_tui.engine.journal import Journal, RunStorage
    from wrkflw_tui.engine.models import WorkflowSnapshot
    from wrkflw_tui.engine.workflow import Workflow


class ExecutionEngine:
    """Walks workflows and records how they end."""

    def __init__(self, clock: Clock | None = None, *, dies_with_steps: bool = False) -> None:
        self._clock = clock or SystemClock()
        self._dies_with_steps = dies_with_steps

    async def execute(
        self,
        workflow: Workflow[object, object],
        journal: Journal,
        value: Value,
        is_cancelled: Callable[[], bool],
    ) -> Value:
        """Walk one run to its end and return its output.

        `is_cancelled` tells a cancelled run from a caller that was itself cancelled, which leaves
        the run queued. Raises `WorkflowFailed`, `WorkflowCancelled` and `RunAlreadyClaimed`.
        """
        walk = Walk(workflow, journal, self._clock, dies_with_steps=self._dies_with_steps)
        try:
            return await _walk_to_end(walk, journal, value, is_cancelled)
        except Fenced as error:
            raise RunAlreadyClaimed(
                f"run {journal.run_id} was claimed by another process: it goes on there"
            ) from error


async def _walk_to_end(
    walk: Walk, journal: Journal, value: Value, is_cancelled: Callable[[], bool]
) -> Value:
    try:
        output = await walk.run(value)
    except StepFailed as failed:
        journal.finish("failed", error=replace(failed.info, path=failed.path).to_json())
        await _commit_end(journal, is_cancelled)
        error = WorkflowFailed(journal.run_id, failed.path, failed.info)
        raise error from failed.original
    except asyncio.CancelledError:
        journal.finish("cancelled" if is_cancelled() else "queued")
        await _commit_end(journal, is_cancelled)
        if is_cancelled():
            raise WorkflowCancelled(journal.run_id) from None
        raise
    except LeftBehind:
        journal.finish("queued")
        await _commit_end(journal, is_cancelled)
        raise
    journal.finish("success", output.text)
    await _commit_end(journal, is_cancelled)
    return output


async def _commit_end(journal: Journal, is_cancelled: Callable[[], bool]) -> None:
    """Put the run's end on disk. It has ended then, also where a cancel comes meanwhile."""
    try:
        await journal.commit()
    except asyncio.CancelledError:
        await journal.commit()
        if not is_cancelled():
            raise


class WorkflowRun(Generic[In, Out]):
    """One run of a workflow; nothing of it is on record until it starts."""

    def __init__(
        self, workflow: Workflow[In, Out], run_id: str | None, storage: RunStorage | None
    ) -> None:
        self._workflow = cast("Workflow[object, object]", workflow)
        self._storage = storage or _configured_storage()
        self._journal: Journal | None = None
        self._id = run_id or new_run_id()
        self._task: asyncio.Task[object] | None = None
        self._cancelled = False

    @property
    def run_id(self) -> str:
        """The run's id: the one that was given, else a new one."""
        return self._id

    async def start(self, input_data: In) -> Out:
        """Run the workflow in this event loop and return its output.

        Raises `InvalidInput`, `RunAlreadyStarted`, `WorkflowFailed` and `WorkflowCancelled`.
        """
        if self._journal is not None:
            raise RunAlreadyStarted(f"run {self._id} was started already")
        value = input_value(self._workflow, input_data)
        journal = self._storage.begin(
            self._id,
            self._workflow.id,
            value.text,
            self._workflow.graph,
            self._workflow.definition_hash,
            self._workflow.leaf_count,
        )
        self._journal = journal
        task = self._task = asyncio.current_task()
        try:
            output = await ExecutionEngine().execute(
                self._workflow, journal, value, lambda: self._cancelled
            )
        finally:
            self._task = None
            if self._cancelled and task is not None:
                task.uncancel()  # it was the run that was cancelled, not its caller
        return cast("Out", output.take())

    async def cancel(self) -> None:
        """Cancel the run that this object started. Raises `RunNotFound` and `RunEnded`."""
        if self._journal is None:
            raise RunNotFound("this run was not started")
        if self._task is None:
            raise RunEnded(f"run {self._id} has ended already")
        if not self._cancelled:
            self._cancelled = True
            self._task.cancel()

    async def snapshot(self) -> WorkflowSnapshot:
        """Return the run as the record has it. Raises `RunNotFound`."""
        if self._journal is None:
            raise RunNotFound(f"run {self._id} was not started")
        return await self._storage.load_snapshot(self._id)


def input_value(workflow: Workflow[object, object], data: object) -> Value:
    """Validate a workflow's input. Raises `InvalidInput` with the fields that do not fit."""
    try:
        text, live = workflow.input_schema.store(workflow.input_schema.validate(data))
    except Exception as error:  # Pydantic's, or whatever an author's validator raises
        raise InvalidInput(f"the input of {workflow.id!r} does not fit: {error}") from error
    return Value(text, workflow.input_schema, live)


def _configured_storage() -> RunStorage:
    if defaults.storage_factory is None:
        raise WrkflwError("no storage is configured: give one as storage=")
    return defaults.storage_factory()
