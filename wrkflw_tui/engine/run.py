"""The door for a caller: a run of a workflow, walked in one's own event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, cast

from wrkflw_tui.engine import defaults
from wrkflw_tui.engine.errors import (
    InvalidAnswer,
    InvalidInput,
    RunAlreadyClaimed,
    RunAlreadyStarted,
    RunNotFound,
    UnknownPath,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowSuspended,
    WrkflwError,
)
from wrkflw_tui.engine.execution import ExecutionEngine, Rested
from wrkflw_tui.engine.ids import new_run_id
from wrkflw_tui.engine.models import ErrorInfo, from_micros
from wrkflw_tui.engine.nodes import MapNode, StepNode, WorkflowNode, node_at
from wrkflw_tui.engine.runnable import In, Out
from wrkflw_tui.engine.schema import UnstorableValue, plain_json
from wrkflw_tui.engine.values import Value

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wrkflw_tui.engine.events import Event
    from wrkflw_tui.engine.journal import Journal, RunStorage
    from wrkflw_tui.engine.models import WorkflowSnapshot
    from wrkflw_tui.engine.nodes import Node
    from wrkflw_tui.engine.schema import Schema
    from wrkflw_tui.engine.workflow import Workflow


class _LeftOut:
    """Stands for an argument that was not given, where `None` is a value."""

    def __repr__(self) -> str:
        return "<left out>"


_LEFT_OUT = _LeftOut()


class BaseRun(Generic[Out]):
    """What can be done with a run once it is on record."""

    def __init__(
        self, workflow: Workflow[object, object], run_id: str, storage: RunStorage | None
    ) -> None:
        self._workflow = workflow
        self._storage = storage or _configured_storage()
        self._id = run_id

    @property
    def run_id(self) -> str:
        """The run's id: the one that was given, else a new one."""
        return self._id

    async def recover(self) -> Out:
        """Walk an interrupted, due, answered or failed run on over its record.

        What succeeded is not called again; attempts of a failed run no longer count. Raises
        `RunNotFound`, `RunEnded`, `RunAlreadyClaimed`, `DefinitionChanged`, `InvalidInput` where
        the input does not fit any more, and what `start` does.
        """
        return await self._walk_on()

    async def resume(self, answer: object, path: str | None = None, key: str | None = None) -> Out:
        """Answer the open question, or the one at `path`, and walk the run on.

        Where another process walks it, it goes on there and this one waits. Raises `RunNotFound`,
        `RunEnded`, `NotSuspended`, `AmbiguousAnswer`, `InvalidAnswer`, and what `start` does.
        """
        await self._storage.answer(self._id, path, key, _told("the answer", answer))
        try:
            return await self._walk_on()
        except RunAlreadyClaimed:
            return await self._follow()

    async def send_event(self, event: str, payload: object = None) -> None:
        """Deliver an event to the run; one that comes early is kept.

        A run that waited for it is queued: its worker, or `recover`, walks it on. Raises
        `RunNotFound`, `RunEnded`, `NotSuspended` where no `wait_for` has that name, and
        `InvalidAnswer` where the payload does not fit.
        """
        text = _told(f"the payload of event {event!r}", payload)
        await self._storage.send_event(self._id, event, text)

    async def cancel(self) -> None:
        """Cancel the run, in whichever process it is walked. Raises `RunNotFound`, `RunEnded`."""
        await self._storage.cancel(self._id)

    async def snapshot(self) -> WorkflowSnapshot:
        """Return the run as the record has it. Raises `RunNotFound`."""
        snapshot = await self._storage.load_snapshot(self._id)
        if snapshot.workflow_id != self._workflow.id:
            raise RunNotFound(
                f"run {self._id} is one of {snapshot.workflow_id!r}, not of {self._workflow.id!r}"
            )
        return snapshot

    def stream(self, since: int = 0) -> AsyncIterator[Event]:
        """Yield what happens to the run, in order, from the event after number `since` on.

        Only observes, also a run that another process walks; ends with the run.
        """
        return self._storage.events(self._id, since)

    async def fork(self, at: str, *, input_data: object = _LEFT_OUT) -> ForkedRun[Out]:
        """Put a new run on record that takes over what came before the step at a path.

        Sibling items and arms are taken over too; later iterations and steps are not. With
        `input_data` that step is given it instead of the value in hand. This run stays as it is.
        Raises `RunNotFound`, `RunAlreadyClaimed` while it is walked, `UnknownPath`,
        `InvalidInput` and `DefinitionChanged`.
        """
        text = None
        if not isinstance(input_data, _LeftOut):
            schema = step_input_schema(self._workflow.nodes, at)
            text = input_value(at, schema, input_data).text
        new_id = new_run_id()
        await self._storage.fork(self._id, at, self._workflow, new_id, text)
        return ForkedRun(self._workflow, new_id, self._storage)

    async def _walk_on(self) -> Out:
        journal, text = await self._storage.take_up(self._id, self._workflow)
        schema = self._workflow.input_schema
        value = Value(text, schema, schema.load(text))
        return await self._drive(journal, value)

    async def _drive(self, journal: Journal, value: Value) -> Out:
        """Walk until the run ends or waits to be told something; stay through its sleeps."""
        engine = ExecutionEngine(self._storage.clock)
        try:
            output = await engine.execute(self._workflow, journal, value)
        except Rested as rested:
            return await self._after(rested)
        return cast("Out", output.take())

    async def _after(self, rested: Rested) -> Out:
        if rested.status == "suspended":
            raise WorkflowSuspended(self._id, rested.questions)
        if rested.status == "sleeping" and rested.wake_at is not None:
            await self._storage.rest(self._id, from_micros(rested.wake_at))
        return await self._follow()

    async def _follow(self) -> Out:
        """Return what becomes of the run, whoever walks it; walk it where nobody does."""
        while True:
            snapshot = await self._storage.settled(self._id)
            match snapshot.status:
                case "success":
                    text = snapshot.result_json or "null"
                    return cast("Out", self._workflow.output_schema.load(text))
                case "failed":
                    error = snapshot.error or ErrorInfo("Error", "no error is on record")
                    raise WorkflowFailed(self._id, error.path, error)
                case "cancelled":
                    raise WorkflowCancelled(self._id)
                case "suspended":
                    raise WorkflowSuspended(self._id, snapshot.questions)
                case _:
                    pass
            try:
                return await self._walk_on()
            except RunAlreadyClaimed:
                continue  # somebody was quicker: it goes on there


class WorkflowRun(BaseRun[Out], Generic[In, Out]):
    """One run of a workflow; nothing of it is on record until it starts."""

    def __init__(
        self, workflow: Workflow[In, Out], run_id: str, storage: RunStorage | None
    ) -> None:
        super().__init__(cast("Workflow[object, object]", workflow), run_id, storage)
        self._started = False

    async def start(self, input_data: In) -> Out:
        """Run the workflow in this event loop and return its output.

        Raises `InvalidInput`, `RunAlreadyStarted`, `WorkflowFailed`, `WorkflowCancelled`, and
        `WorkflowSuspended` once the run waits for a person or an event.
        """
        if self._started:
            raise RunAlreadyStarted(f"run {self._id} was started already")
        value = input_value(self._workflow.id, self._workflow.input_schema, input_data)
        journal = self._storage.begin(self._id, self._workflow, value.text)
        self._started = True
        return await self._drive(journal, value)


class ForkedRun(BaseRun[Out]):
    """A run that begins with a step of another; it is on record."""

    async def start(self) -> Out:
        """Walk it, and return its output. Raises what `WorkflowRun.start` does."""
        return await self._walk_on()


def step_input_schema(nodes: tuple[Node, ...], at: str) -> Schema[object]:
    """Return what the step at a path takes. Raises `UnknownPath`."""
    node = node_at(nodes, at)
    if isinstance(node, StepNode | WorkflowNode):
        return node.input_schema
    what = "is not in the workflow" if node is None else "takes no input of its own"
    if isinstance(node, MapNode):
        what = "is a map, whose input has no schema"
    raise UnknownPath(f"{at!r} {what}: an input can be given to a step or a workflow")


def input_value(what: str, schema: Schema[object], data: object) -> Value:
    """Validate an input. Raises `InvalidInput` with the fields that do not fit."""
    try:
        text, live = schema.store(schema.validate(data))
    except Exception as error:  # Pydantic's, or whatever an author's validator raises
        raise InvalidInput(f"the input of {what!r} does not fit: {error}") from error
    return Value(text, schema, live)


def _told(what: str, value: object) -> str:
    try:
        return plain_json(value)
    except UnstorableValue as error:
        raise InvalidAnswer(f"{what} does not fit: {error}") from error


def _configured_storage() -> RunStorage:
    if defaults.storage_factory is None:
        raise WrkflwError("no storage is configured: give one as storage=")
    return defaults.storage_factory()
