"""The walk: goes over a workflow's tree along its record, and runs what is not on it yet.

Starting, recovering and retrying a run are this same walk over a different record.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from wrkflw_tui.engine.attempt import AttemptFailed, attempt
from wrkflw_tui.engine.branches import walk_branch, walk_parallel
from wrkflw_tui.engine.context import StepContext, StopFlag, current_step
from wrkflw_tui.engine.errors import StepCrashed, WrkflwError, describe_error
from wrkflw_tui.engine.loops import walk_foreach, walk_loop
from wrkflw_tui.engine.models import ErrorInfo, StepFailure, from_micros
from wrkflw_tui.engine.nodes import (
    BranchNode,
    Condition,
    ForeachNode,
    LoopNode,
    MapNode,
    Node,
    ParallelNode,
    StepNode,
    WorkflowNode,
)
from wrkflw_tui.engine.retry import NO_RETRY, RetryPolicy
from wrkflw_tui.engine.values import FailureValue, LeftBehind, StepFailed, Value

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from wrkflw_tui.engine.clock import Clock
    from wrkflw_tui.engine.journal import Entry, Journal
    from wrkflw_tui.engine.models import NodeKind, Progress
    from wrkflw_tui.engine.schema import Schema
    from wrkflw_tui.engine.step import Step
    from wrkflw_tui.engine.workflow import Workflow

CRASHES_IN_A_ROW = 3
"""A step during which the process died this often in a row is not entered again."""


class Walk:
    """One walk of one workflow over one run's record."""

    def __init__(
        self,
        workflow: Workflow[object, object],
        journal: Journal,
        clock: Clock,
        *,
        dies_with_steps: bool = False,
    ) -> None:
        self._workflow = workflow
        self.journal = journal
        self._clock = clock
        self._dies_with_steps = dies_with_steps
        self.item_counts: dict[str, int] = {}
        """How many items go through the body at each path."""
        self._inputs: dict[str, str] = {}
        self._active: dict[str, Entry] = {}

    async def run(self, value: Value) -> Value:
        """Walk from the root and return the workflow's output.

        Raises `StepFailed`; with `dies_with_steps`, `LeftBehind` when a step that timed out goes
        on all the same.
        """
        return await self._nodes(self._workflow, "", value, NO_RETRY)

    async def _nodes(
        self, workflow: Workflow[object, object], scope: str, value: Value, outer: RetryPolicy
    ) -> Value:
        self._inputs[scope] = value.text
        policy = workflow.retry or outer
        for node in workflow.nodes:
            value = await self.visit(node, scope, value, policy)
        value = _narrowed(scope.rstrip("/"), workflow.output_schema, value)
        del self._inputs[scope]
        return value

    async def visit(
        self, node: Node, scope: str, value: Value, policy: RetryPolicy, suffix: str = ""
    ) -> Value:
        """Walk one node with the value in hand and return what it gives. Raises `StepFailed`.

        `suffix` is the index of an item or an iteration.
        """
        match node:
            case ParallelNode():
                return await walk_parallel(self, node, scope, value, policy)
            case BranchNode():
                return await walk_branch(self, node, scope, value, policy)
            case ForeachNode():
                return await walk_foreach(self, node, scope, value, policy)
            case LoopNode():
                return await walk_loop(self, node, scope, value, policy)
            case _:
                pass
        path = f"{scope}{node.id}{suffix}"
        known = self.journal.find(path)
        if known is not None and known.status == "success" and known.output is not None:
            return Value(known.output, node.output_schema)
        match node:
            case StepNode(step):
                return await self._step(step, path, scope, value, step.retry or policy, known)
            case MapNode():
                return self._map(node, path, scope, value)
            case WorkflowNode(workflow):
                return await self._nested(workflow, path, value, policy)

    async def _nested(
        self, workflow: Workflow[object, object], path: str, value: Value, policy: RetryPolicy
    ) -> Value:
        entry = self.journal.start(path, workflow.id, "workflow", value.text)
        try:
            text, live = workflow.input_schema.store(workflow.input_schema.validate(value.take()))
        except Exception as error:
            self.fail(entry, error)
        inner = Value(text, workflow.input_schema, live)
        with self.inside(entry):
            output = await self._nodes(workflow, path + "/", inner, policy)
        self.journal.end(entry, "success", output.text)
        return output

    def _map(self, node: MapNode, path: str, scope: str, value: Value) -> Value:
        # Its start needs no commit of its own: a map is a plain function of recorded values.
        with self.entered(path, node.id, "map", value) as entry:
            text, live = node.output_schema.store(self.call(node, entry, node.id, scope, value))
            self.journal.end(entry, "success", text)
        return Value(text, node.output_schema, live)

    def call(
        self,
        function: MapNode | Condition,
        entry: Entry,
        step_id: str,
        scope: str,
        value: Value,
        iteration: int = 0,
    ) -> object:
        """Call a plain function of the value in hand."""
        taken = value.take()
        if not function.wants_context:
            return function.function(taken)
        context = self._context(entry, step_id, scope)
        return function.function(taken, replace(context, iteration=iteration))

    @contextmanager
    def entered(
        self, path: str, id: str, kind: NodeKind, value: Value
    ) -> Generator[Entry, None, None]:
        """Record what runs in it: as failed where it raises; a success it records itself."""
        entry = self.journal.start(path, id, kind, value.text)
        token = current_step.set(path)
        try:
            yield entry
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
        except BaseException:
            self.journal.end(entry, "interrupted")
            raise

    def success(self, path: str) -> str | None:
        """Return the JSON output recorded at `path`, if there is a success."""
        entry = self.journal.find(path)
        return entry.output if entry is not None and entry.status == "success" else None

    def collected(self, path: str) -> FailureValue:
        """Return the failure recorded at `path` as a value."""
        entry = self.journal.find(path)
        text = entry.error if entry is not None else None
        info = ErrorInfo.from_json(text) if text else ErrorInfo("Error", "no error is on record")
        return FailureValue(StepFailure(info.path or path, info.type, info.message))

    async def _step(
        self,
        step: Step[object, object],
        path: str,
        scope: str,
        value: Value,
        policy: RetryPolicy,
        known: Entry | None,
    ) -> Value:
        if known is not None:
            await self._take_up(known, step, policy)
        while True:
            entry = self.journal.start(path, step.id, "step", value.text)
            try:
                taken = step.input_schema.validate(value.take())
            except Exception as error:  # Pydantic's, or whatever an author's validator raises
                self.fail(entry, error)
            try:
                output = await self._attempt(step, entry, scope, taken)
            except AttemptFailed as failed:
                await self._retry_or_fail(entry, policy, failed)
                continue
            except BaseException:
                self.journal.end(entry, "interrupted")
                raise
            try:
                text, live = step.output_schema.store(output)
            except Exception as error:
                self.fail(entry, error)
            self.journal.end(entry, "success", text)
            return Value(text, step.output_schema, live)

    async def _attempt(
        self, step: Step[object, object], entry: Entry, scope: str, taken: object
    ) -> object:
        cancelled = StopFlag()
        arguments: tuple[object, ...] = (taken,)
        if step.wants_context:
            arguments = (taken, self._context(entry, step.id, scope, cancelled))
        await self.journal.commit()
        token = current_step.set(entry.path)
        self._active[entry.path] = entry
        try:
            return await attempt(step, arguments, cancelled, self._clock)
        finally:
            del self._active[entry.path]
            current_step.reset(token)

    async def _take_up(self, known: Entry, step: Step[object, object], policy: RetryPolicy) -> None:
        """Take up a step that was entered before: the attempts it used count."""
        if known.crashes >= CRASHES_IN_A_ROW:
            last = ErrorInfo.from_json(known.error).message if known.error else "no reason known"
            entry = self.journal.start(known.path, step.id, "step", None)
            self.fail(
                entry,
                StepCrashed(f"the process died {known.crashes} times in a row, the last: {last}"),
            )
        if known.status != "failed" or not known.failures:
            return  # those before the run was told to go on once more do not count
        if known.failures >= policy.max_attempts:
            info = ErrorInfo.from_json(known.error) if known.error else ErrorInfo("Error", "")
            raise StepFailed(known.path, info, None)
        if known.finished_at is not None:
            due = from_micros(known.finished_at) + policy.delay(known.failures)
            await self._pause(due - self._clock.now())

    async def _retry_or_fail(
        self, entry: Entry, policy: RetryPolicy, failed: AttemptFailed
    ) -> None:
        error = failed.original
        info = describe_error(error)
        self.journal.end(entry, "failed", error=info.to_json())
        if failed.left_behind and self._dies_with_steps:
            await self.journal.commit()
            raise LeftBehind(entry.path)
        if not policy.retries(error, entry.failures):
            raise StepFailed(entry.path, info, error) from error
        await self._pause(policy.delay(entry.failures))

    async def _pause(self, duration: timedelta) -> None:
        await self.journal.commit()
        if duration > timedelta(0):
            await self._clock.sleep(duration)

    def failure(self, path: str, error: BaseException) -> StepFailed:
        """Return the failure of a node for a reason of the walk's own."""
        return StepFailed(path, describe_error(error), error)

    def fail(self, entry: Entry, error: BaseException) -> NoReturn:
        """Record that an entry failed for good."""
        info = describe_error(error)
        self.journal.end(entry, "failed", error=info.to_json())
        raise StepFailed(entry.path, info, error) from error

    def _context(
        self, entry: Entry, step_id: str, scope: str, cancelled: StopFlag | None = None
    ) -> StepContext:
        return StepContext(
            run_id=self.journal.run_id,
            workflow_id=self._workflow.id,
            step_id=step_id,
            path=entry.path,
            attempt=entry.attempt,
            _walk=self,
            _scope=scope,
            _cancelled=cancelled or StopFlag(),
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

    def init_data(self, scope: str) -> str:
        """Return the JSON input of the innermost workflow around `scope`."""
        try:
            return self._inputs[scope]
        except KeyError:  # asked by a thread that was left behind
            raise WrkflwError(f"the workflow at {scope.rstrip('/')} has ended") from None

    def report(self, path: str, progress: Progress) -> None:
        """Put a step's progress on record. Called from any thread."""
        entry = self._active.get(path)
        if entry is not None:  # else a thread that was left behind still reports
            self.journal.progress(entry, progress)


def _seen_from(scope: str, step_id: str) -> Iterator[str]:
    """Yield where a step may be that is named inside `scope`: there, then further outward."""
    while True:
        yield scope + step_id
        if not scope:
            return
        head, _, _ = scope.rstrip("/").rpartition("/")
        scope = f"{head}/" if head else ""


def _narrowed(path: str, schema: Schema[object], value: Value) -> Value:
    """Give a workflow's output its declared type."""
    try:
        text, live = schema.store(schema.validate(value.take()))
    except Exception as error:
        raise StepFailed(path, describe_error(error), error) from error
    return Value(text, schema, live)
