"""The walk: goes over a workflow's tree along its record, and runs what is not on it yet.

Starting, recovering, answering, waking, retrying and forking a run are this same walk over a
different record.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from wrkflw_tui.engine.branches import walk_branch, walk_parallel, walk_recover
from wrkflw_tui.engine.context import Bail, StepContext, StopFlag, Suspend, current_step
from wrkflw_tui.engine.errors import DefinitionError, StepTimeout, describe_error
from wrkflw_tui.engine.frames import Frame, StateView
from wrkflw_tui.engine.lanes import is_lane_ending
from wrkflw_tui.engine.loops import walk_foreach, walk_loop
from wrkflw_tui.engine.models import ErrorInfo, StepFailure, to_micros
from wrkflw_tui.engine.nodes import (
    BranchNode,
    Condition,
    ForeachNode,
    LoopNode,
    MapNode,
    Node,
    ParallelNode,
    RecoverNode,
    SleepNode,
    StepNode,
    WaitNode,
    WorkflowNode,
)
from wrkflw_tui.engine.schema import BYTES_A_CHARACTER, check_size
from wrkflw_tui.engine.steps import walk_step
from wrkflw_tui.engine.values import Bailed, FailureValue, LeftBehind, Parked, StepFailed, Value
from wrkflw_tui.engine.waiting import walk_sleep, walk_wait
from wrkflw_tui.engine.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from datetime import timedelta

    from wrkflw_tui.engine.clock import Clock
    from wrkflw_tui.engine.journal import Entry, Journal
    from wrkflw_tui.engine.models import NodeKind, Progress
    from wrkflw_tui.engine.schema import Schema
    from wrkflw_tui.engine.workflow import Workflow


class Walk:
    """One walk of one workflow over one run's record."""

    def __init__(
        self,
        workflow: Workflow[object, object],
        journal: Journal,
        clock: Clock,
        *,
        dies_with_steps: bool = False,
        watch: Callable[[str, timedelta | None], None] | None = None,
    ) -> None:
        self._workflow = workflow
        self.journal = journal
        self.clock = clock
        self.waits = Waits(clock, journal)
        self.dies_with_steps = dies_with_steps
        self.watch = watch
        """Told of a step with a timeout when it is called, and with `None` when it has ended."""
        self.is_cancelled = False
        """Whether somebody has cancelled the run."""
        self.left_behind = False
        """Whether a synchronous step goes on though its workflow has ended."""
        self.item_counts: dict[str, int] = {}
        """How many items go through the body at each path."""
        self.active: dict[str, Entry] = {}
        """The steps at work, which may report how far they are."""

    async def run(self, value: Value) -> Value:
        """Walk from the root and return the workflow's output.

        Raises `StepFailed`, and `Parked` where nothing is left to do but wait; with
        `dies_with_steps`, `LeftBehind` when a step that should have ended goes on all the same.
        """
        frame = Frame(self._workflow, "", value, self.journal)
        return await self._nodes(frame, value, self.journal.deadline)

    async def _nodes(self, frame: Frame, value: Value, deadline: int | None) -> Value:
        path = frame.prefix.rstrip("/")

        def late() -> Exception:
            limit = frame.workflow.timeout
            seconds = f"{limit.total_seconds():g} s" if limit is not None else "what it has"
            return self.failure(
                path, StepTimeout(f"{frame.workflow.id} took longer than {seconds}")
            )

        try:
            async with self.waits.deadline(deadline, late):
                for node in frame.workflow.nodes:
                    value = await self.visit(node, frame, value)
            output = self._narrowed(frame, value)
        except Bailed as bailed:
            output = bailed.value
        except StepFailed:
            self._abandon(frame.prefix)
            raise
        self._abandon(frame.prefix)
        return output

    def _abandon(self, prefix: str) -> None:
        """End what still waits in a workflow that is over; an event may be another wait's now."""
        self.journal.abandon(prefix)
        self.waits.hear()

    async def visit(self, node: Node, frame: Frame, value: Value, suffix: str = "") -> Value:
        """Walk one node with the value in hand and return what it gives. Raises `StepFailed`.

        `suffix` is the index of an item or an iteration.
        """
        path = f"{frame.prefix}{node.id}{suffix}"
        match node:
            case StepNode(step):
                known = self._recorded(path, step.output_schema, frame)
                value = self._forked(path, node, value)
                return known or await walk_step(self, step, path, frame, value)
            case MapNode():
                known = self._recorded(path, node.output_schema, frame)
                return known or self._map(node, path, frame, value)
            case WorkflowNode(workflow):
                known = self._recorded(path, workflow.output_schema, frame)
                value = self._forked(path, node, value)
                return known or await self._nested(workflow, path, frame, value)
            case WaitNode():
                known = self._recorded(path, node.output_schema, frame)
                return known or await walk_wait(self, node, path, frame, value)
            case SleepNode():
                return await walk_sleep(self, node, path, frame, value)
            case ParallelNode():
                return await walk_parallel(self, node, frame, value)
            case BranchNode():
                return await walk_branch(self, node, frame, value)
            case ForeachNode():
                return await walk_foreach(self, node, frame, value)
            case LoopNode():
                return await walk_loop(self, node, frame, value)
            case RecoverNode():
                return await walk_recover(self, node, frame, value)

    def _recorded(self, path: str, schema: Schema[object], frame: Frame) -> Value | None:
        """Return what is on record at a path; raises `Bailed` where it ended its workflow."""
        known = self.journal.find(path)
        if known is None or known.output is None:
            return None
        if known.status == "bailed":
            raise Bailed(Value(known.output, frame.workflow.output_schema))
        return Value(known.output, schema) if known.status == "success" else None

    def _forked(self, path: str, node: StepNode | WorkflowNode, value: Value) -> Value:
        """Return what a step is given: the value in hand, unless a fork began with another."""
        text = self.journal.forked_input
        if text is None or path != self.journal.forked_at:
            return value
        return Value(text, node.input_schema)

    async def _nested(
        self, workflow: Workflow[object, object], path: str, frame: Frame, value: Value
    ) -> Value:
        known = self.journal.find(path)
        if known is not None and known.status == "failed" and known.failures:
            failure = self.collected(path).failure
            raise StepFailed(failure.path, ErrorInfo(failure.type, failure.message), None)
        due = known.wake_at if known is not None and known.status != "failed" else None
        entry = self.begin(path, workflow.id, "workflow", value.text)
        try:
            text, live = self.store(workflow.input_schema, value)
        except Exception as error:
            self.fail(entry, error)
        if workflow.timeout is not None:
            entry.wake_at = due or to_micros(self.clock.now() + workflow.timeout)
        value = Value(text, workflow.input_schema, live)
        inner = Frame(workflow, path + "/", value, self.journal, frame)
        try:
            with self.inside(entry):
                output = await self._nodes(inner, value, entry.wake_at)
        except StepFailed:
            await self.leave_behind()
            raise
        self.journal.end(entry, "success", output.text)
        await self.leave_behind()
        return output

    def _map(self, node: MapNode, path: str, frame: Frame, value: Value) -> Value:
        # Its start needs no commit of its own: a map is a plain function of recorded values.
        with self.entered(path, node.id, "map", value) as entry:
            text, live = self.store(
                node.output_schema, self.call(node, entry, node.id, frame, value)
            )
            self.journal.end(entry, "success", text)
        return Value(text, node.output_schema, live)

    def call(
        self,
        function: MapNode | SleepNode | Condition,
        entry: Entry,
        node_id: str,
        frame: Frame,
        value: Value,
        iteration: int = 0,
    ) -> object:
        """Call a plain function of the value in hand; the state that it sets is its entry's."""
        assert function.function is not None
        taken = value.take()
        if not function.wants_context:
            return function.function(taken)
        view = StateView(frame.state)
        context = replace(self.context(entry, node_id, frame, view), iteration=iteration)
        result = function.function(taken, context)
        entry.state = view.keep() or entry.state  # a branch may ask several
        return result

    def begin(self, path: str, id: str, kind: NodeKind, input: str | None) -> Entry:
        """Put the start of an attempt; one that waited goes on instead."""
        known = self.journal.find(path)
        if known is not None and known.status == "waiting":
            self.journal.go_on(known)
            return known
        return self.journal.start(path, id, kind, input)

    @contextmanager
    def entered(
        self, path: str, id: str, kind: NodeKind, value: Value
    ) -> Generator[Entry, None, None]:
        """Record what runs in it: as failed where it raises; a success it records itself."""
        entry = self.journal.start(path, id, kind, value.text)
        token = current_step.set(path)
        try:
            yield entry
        except (Suspend, Bail):
            self.fail(entry, DefinitionError(f"{path} is no step: it can neither suspend nor bail"))
        except (Exception, SystemExit) as error:
            self.fail(entry, error)
        finally:
            current_step.reset(token)

    @contextmanager
    def inside(self, entry: Entry) -> Generator[None, None, None]:
        """End the entry of a node as the nodes inside it end, where they do not succeed."""
        try:
            yield
        except StepFailed as failed:
            info = replace(failed.info, path=failed.path)
            self.journal.end(entry, "failed", error=info.to_json())
            raise
        except Parked:
            self.journal.wait(entry)
            raise
        except BaseException:
            self.journal.end(entry, "interrupted")
            raise

    def is_ending(self) -> bool:
        """Tell whether the task that this is called in was told to end, by a cancel or in time."""
        return self.is_cancelled or self.waits.has_expired() or is_lane_ending()

    async def leave_behind(self) -> None:
        """End this process where a step that should have ended goes on: another one walks on."""
        if self.left_behind and self.dies_with_steps:
            await self.journal.commit()
            raise LeftBehind

    def success(self, path: str) -> str | None:
        """Return the JSON output recorded at `path`, if there is a success."""
        entry = self.journal.find(path)
        return entry.output if entry is not None and entry.status == "success" else None

    def bailed(self, path: str, frame: Frame) -> Bailed | None:
        """Return how the step at `path` ended the workflow around it, if it did."""
        entry = self.journal.find(path)
        if entry is None or entry.status != "bailed" or entry.output is None:
            return None
        return Bailed(Value(entry.output, frame.workflow.output_schema))

    def collected(self, path: str) -> FailureValue:
        """Return the failure recorded at `path` as a value."""
        entry = self.journal.find(path)
        text = entry.error if entry is not None else None
        info = ErrorInfo.from_json(text) if text else ErrorInfo("Error", "no error is on record")
        return FailureValue(StepFailure(info.path or path, info.type, info.message))

    def store(self, schema: Schema[object], value: object) -> tuple[str, object]:
        """Return the JSON to record for a value, and the value as it will be read back.

        Raises what `Schema.store` raises, and `TooLarge`.
        """
        if isinstance(value, Value):
            value = schema.validate(value.take())
        text, live = schema.store(value)
        limit = self.journal.max_result_bytes
        if len(text) > limit // BYTES_A_CHARACTER:
            check_size(f"a value of {schema}", text, limit)
        return text, live

    def failure(self, path: str, error: BaseException) -> StepFailed:
        """Return the failure of a node for a reason of the walk's own."""
        return StepFailed(path, describe_error(error), error)

    def fail(self, entry: Entry, error: BaseException) -> NoReturn:
        """Record that an entry failed for good."""
        info = describe_error(error)
        self.journal.end(entry, "failed", error=info.to_json())
        raise StepFailed(entry.path, info, error) from error

    def context(
        self,
        entry: Entry,
        node_id: str,
        frame: Frame,
        state: StateView,
        stop: StopFlag | None = None,
    ) -> StepContext:
        """Return what the function of a node may ask for."""
        return StepContext(
            run_id=self.journal.run_id,
            workflow_id=self._workflow.id,
            step_id=node_id,
            path=entry.path,
            attempt=entry.attempt,
            _walk=self,
            _frame=frame,
            _state=state,
            _cancelled=stop or StopFlag(),
        )

    def recorded_output(self, scope: str, step_id: str) -> str | None:
        """Return the JSON output of the step as seen from inside `scope`, looking outward."""
        for path in _seen_from(scope, step_id):
            text = self.success(path)
            if text is None and path not in self.item_counts:
                text = self._last_iteration(path)
            if text is not None:
                return text
        return None

    def _last_iteration(self, path: str) -> str | None:
        last, index = None, 0
        while (text := self.success(f"{path}[{index}]")) is not None:
            last = text
            index += 1
        return last

    def recorded_items(self, scope: str, step_id: str) -> list[str] | None:
        """Return the JSON outputs of a foreach's items, as seen from inside `scope`."""
        for path in _seen_from(scope, step_id):
            count = self.item_counts.get(path)
            if count is not None:
                texts = (self.success(f"{path}[{index}]") for index in range(count))
                return [text for text in texts if text is not None]
        return None

    def answer(self, path: str, key: str) -> str | None:
        """Return the answer to a question asked at `path`, as JSON."""
        return self.journal.answer(path, key)

    def report(self, path: str, progress: Progress) -> None:
        """Put a step's progress on record. Called from any thread."""
        entry = self.active.get(path)
        if entry is not None:  # else a thread that was left behind still reports
            self.journal.progress(entry, progress)

    def _narrowed(self, frame: Frame, value: Value) -> Value:
        """Give a workflow's output its declared type."""
        schema = frame.workflow.output_schema
        try:
            text, live = self.store(schema, value)
        except Exception as error:
            path = frame.prefix.rstrip("/")
            raise StepFailed(path, describe_error(error), error) from error
        return Value(text, schema, live)


def _seen_from(scope: str, step_id: str) -> Iterator[str]:
    """Yield where a step may be that is named inside `scope`: there, then further outward."""
    while True:
        yield scope + step_id
        if not scope:
            return
        head, _, _ = scope.rstrip("/").rpartition("/")
        scope = f"{head}/" if head else ""
