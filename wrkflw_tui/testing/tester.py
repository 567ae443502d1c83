"""Running a workflow in memory, as a test scripts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast, overload

from wrkflw_tui.engine.errors import WorkflowFailed
from wrkflw_tui.engine.ids import new_run_id
from wrkflw_tui.engine.run import BaseRun, ForkedRun, WorkflowRun
from wrkflw_tui.engine.runnable import In, Out
from wrkflw_tui.store.storage import WorkflowStorage
from wrkflw_tui.testing.answering import Desk
from wrkflw_tui.testing.clock import Clock
from wrkflw_tui.testing.rewriting import events_of
from wrkflw_tui.testing.script import Replacement, Script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wrkflw_tui.engine.context import StepContext, Suspend
    from wrkflw_tui.engine.execution import Rested
    from wrkflw_tui.engine.journal import Journal, RunStorage
    from wrkflw_tui.engine.step import Step
    from wrkflw_tui.engine.values import Value
    from wrkflw_tui.engine.workflow import Workflow

I = TypeVar("I")  # noqa: E741


class WorkflowTester(Generic[In, Out]):
    """Runs a copy of a workflow in memory, by a clock of its own.

    Steps, nested ones too, are named by their ids, or by the end of their paths where an id is not
    unique: `"inner/send"`. What is scripted for a step holds for every item and iteration of it.

    - `replace`: what is called instead of a step, or of a whole nested workflow; its values are
      validated like the original's.
    - `fail`: what the first entries of a step raise, before it is called as usual.
    - `answers`: what its questions are answered with; a list is given one by one, anything else
      each time. A question without an answer raises `WorkflowSuspended`.
    - `events`: payloads, sent to each run as it begins, and kept until it waits for them.

    Retries are not spread by a random share. Raises `ValueError` where a name is not known.
    """

    def __init__(
        self,
        workflow: Workflow[In, Out],
        *,
        clock: Clock | None = None,
        replace: Mapping[str, Replacement] | None = None,
        fail: Mapping[str, Sequence[Exception]] | None = None,
        answers: Mapping[str, object] | None = None,
        events: Mapping[str, object] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.storage = WorkflowStorage(":memory:", clock=self.clock)
        """Where its runs are on record."""
        original = cast("Workflow[object, object]", workflow)
        self._script = Script(original, replace or {}, fail or {}, self._asked)
        self._desk = Desk(self.storage, self.clock, self._script.paths, answers or {}, events or {})
        self.workflow = cast("Workflow[In, Out]", self._script.workflow)
        """The copy that is run."""
        self._last_run: WorkflowRun[In, Out] | None = None
        _check_events(events or {}, events_of(self._script.workflow.nodes))

    def _asked(self, context: StepContext, question: Suspend) -> None:
        self._desk.asked(context, question)

    async def run(self, input_data: In) -> Out:
        """Run the workflow and return its output; sleeps and waits before retries are skipped.

        Raises what `WorkflowRun.start` does, and `InvalidAnswer` where an answer or an event that
        was scripted does not fit.
        """
        return await self.clock.until(self.create_run().start(input_data))

    def create_run(self, run_id: str | None = None) -> WorkflowRun[In, Out]:
        """Prepare a run whose clock the test turns, or which it cancels, forks or streams.

        `await tester.clock.until(run.start(...))` skips its sleeps as `run` does.
        """
        run = _ScriptedRun(self.workflow, run_id or new_run_id(), self.storage, self._desk)
        self._last_run = run
        return run

    @property
    def last_run(self) -> WorkflowRun[In, Out]:
        """The newest run. Raises `LookupError` where there is none."""
        if self._last_run is None:
            raise LookupError("nothing was run yet")
        return self._last_run

    @overload
    def calls(self, step: str) -> list[object]: ...
    @overload
    def calls(self, step: Step[I, object]) -> list[I]: ...
    def calls(self, step: str | Step[I, object]) -> list[I] | list[object]:
        """Return what a step was called with, one input for each entry, failed ones too."""
        return self._script.calls(step if isinstance(step, str) else step.id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Forget the runs."""
        await self._desk.close()
        await self.storage.close()


def _check_events(given: Mapping[str, object], awaited: set[str]) -> None:
    for name in given:
        if name not in awaited:
            known = ", ".join(sorted(map(repr, awaited))) or "none"
            raise ValueError(f"events: nothing waits for an event {name!r}; awaited are {known}")


class _Scripted(BaseRun[Out]):
    """A run that is told what its test has scripted."""

    _desk: Desk

    async def fork(self, at: str, *, input_data: object = ...) -> ForkedRun[Out]:
        fork = await super().fork(at, input_data=input_data)
        return _ScriptedFork(self._workflow, fork.run_id, self._storage, self._desk)

    async def _after(self, rested: Rested) -> Out:
        if rested.status == "suspended" and await self._desk.served(self._id):
            return await self._follow()
        return await super()._after(rested)

    async def _drive(self, journal: Journal, value: Value) -> Out:
        try:
            return await super()._drive(journal, value)
        except WorkflowFailed:
            await self._desk.served(self._id)  # what did not fit may be why
            raise


class _ScriptedRun(WorkflowRun[In, Out], _Scripted[Out]):
    def __init__(
        self, workflow: Workflow[In, Out], run_id: str, storage: WorkflowStorage, desk: Desk
    ) -> None:
        super().__init__(workflow, run_id, storage)
        self._desk = desk

    async def start(self, input_data: In) -> Out:
        self._desk.begin(self._id)
        return await super().start(input_data)


class _ScriptedFork(ForkedRun[Out], _Scripted[Out]):
    def __init__(
        self,
        workflow: Workflow[object, object],
        run_id: str,
        storage: RunStorage,
        desk: Desk,
    ) -> None:
        super().__init__(workflow, run_id, storage)
        self._desk = desk
