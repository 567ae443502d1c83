"""The walk: goes over a workflow's tree along its record, and runs what is not on it yet.

Starting, recovering and retrying a run are this same walk over a different record.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from wrkflw_tui.engine.attempt import AttemptFailed, attempt
from wrkflw_tui.engine.context import StepContext, StopFlag, current_step
from wrkflw_tui.engine.errors import StepCrashed, describe_error
from wrkflw_tui.engine.models import ErrorInfo, from_micros
from wrkflw_tui.engine.nodes import MapNode, Node, StepNode, WorkflowNode
from wrkflw_tui.engine.retry import NO_RETRY, RetryPolicy

if TYPE_CHECKING:
    from wrkflw_tui.engine.clock import Clock
    from wrkflw_tui.engine.journal import Entry, Journal
    from wrkflw_tui.engine.models import Progress
    from wrkflw_tui.engine.schema import Schema
    from wrkflw_tui.engine.step import Step
    from wrkflw_tui.engine.workflow import Workflow

CRASHES_IN_A_ROW = 3
"""A step during which the process died this often in a row is not entered again."""


class StepFailed(Exception):
    """A step has finally failed; goes up through the walk to the run's end."""

    def __init__(self, path: str, info: ErrorInfo, original: BaseException | None) -> None:
        super().__init__(path)
        self.path = path
        self.info = info
        self.original = original


class LeftBehind(BaseException):
    """A step would not end: its process must, and the walk goes on in another one."""


class Value:
    """The value in hand: raw JSON, parsed only where a live step needs it."""

    __slots__ = ("_live", "_schema", "text")

    def __init__(self, text: str, schema: Schema[object], live: object = ...) -> None:
        self.text = text
        self._schema = schema
        self._live = live

    def take(self) -> object:
        """Return an object of its own for each taker: changing it changes nothing on record."""
        live, self._live = self._live, ...
        return self._schema.load(self.text) if live is ... else live


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
        self._journal = journal
        self._clock = clock
        self._dies_with_steps = dies_with_steps
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
            value = await self._node(node, scope, value, policy)
        return _narrowed(scope.rstrip("/"), workflow.output_schema, value)

    async def _node(self, node: Node, scope: str, value: Value, policy: RetryPolicy) -> Value:
        path = scope + node.id
        known = self._journal.find(path)
        if known is not None and known.status == "success" and known.output is not None:
            return Value(known.output, _output_schema(node))
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
        entry = self._journal.start(path, workflow.id, "workflow", value.text)
        try:
            text, live = workflow.input_schema.store(workflow.input_schema.validate(value.take()))
        except Exception as error:
            self._fail(entry, error)
        inner = Value(text, workflow.input_schema, live)
        try:
            output = await self._nodes(workflow, path + "/", inner, policy)
        except StepFailed as failed:
            self._journal.end(entry, "failed", error=failed.info.to_json())
            raise
        except BaseException:
            self._journal.end(entry, "interrupted")
            raise
        self._journal.end(entry, "success", output.text)
        return output

    def _map(self, node: MapNode, path: str, scope: str, value: Value) -> Value:
        # Its start needs no commit of its own: a map is a plain function of recorded values.
        entry = self._journal.start(path, node.id, "map", value.text)
        token = current_step.set(path)
        try:
            taken = value.take()
            if node.wants_context:
                output = node.function(taken, self._context(entry, node.id, scope))
            else:
                output = node.function(taken)
            text, live = node.output_schema.store(output)
        except (Exception, SystemExit) as error:
            self._fail(entry, error)
        finally:
            current_step.reset(token)
        self._journal.end(entry, "success", text)
        return Value(text, node.output_schema, live)

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
            entry = self._journal.start(path, step.id, "step", value.text)
            try:
                taken = step.input_schema.validate(value.take())
            except Exception as error:  # Pydantic's, or whatever an author's validator raises
                self._fail(entry, error)
            try:
                output = await self._attempt(step, entry, scope, taken)
            except AttemptFailed as failed:
                await self._retry_or_fail(entry, policy, failed)
                continue
            except BaseException:
                self._journal.end(entry, "interrupted")
                raise
            try:
                text, live = step.output_schema.store(output)
            except Exception as error:
                self._fail(entry, error)
            self._journal.end(entry, "success", text)
            return Value(text, step.output_schema, live)

    async def _attempt(
        self, step: Step[object, object], entry: Entry, scope: str, taken: object
    ) -> object:
        cancelled = StopFlag()
        arguments: tuple[object, ...] = (taken,)
        if step.wants_context:
            arguments = (taken, self._context(entry, step.id, scope, cancelled))
        await self._journal.commit()
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
            entry = self._journal.start(known.path, step.id, "step", None)
            self._fail(
                entry,
                StepCrashed(f"the process died {known.crashes} times in a row, the last: {last}"),
            )
        if known.status != "failed":
            return
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
        self._journal.end(entry, "failed", error=info.to_json())
        if failed.left_behind and self._dies_with_steps:
            await self._journal.commit()
            raise LeftBehind(entry.path)
        if not policy.retries(error, entry.failures):
            raise StepFailed(entry.path, info, error) from error
        await self._pause(policy.delay(entry.failures))

    async def _pause(self, duration: timedelta) -> None:
        await self._journal.commit()
        if duration > timedelta(0):
            await self._clock.sleep(duration)

    def _fail(self, entry: Entry, error: BaseException) -> NoReturn:
        info = describe_error(error)
        self._journal.end(entry, "failed", error=info.to_json())
        raise StepFailed(entry.path, info, error) from error

    def _context(
        self, entry: Entry, step_id: str, scope: str, cancelled: StopFlag | None = None
    ) -> StepContext:
        return StepContext(
            run_id=self._journal.run_id,
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
        while True:
            entry = self._journal.find(scope + step_id)
            if entry is not None and entry.status == "success":
                return entry.output
            if not scope:
                return None
            scope = _outward(scope)

    def init_data(self, scope: str) -> str:
        """Return the JSON input of the innermost workflow around `scope`."""
        return self._inputs[scope]

    def report(self, path: str, progress: Progress) -> None:
        """Put a step's progress on record. Called from any thread."""
        entry = self._active.get(path)
        if entry is not None:  # else a thread that was left behind still reports
            self._journal.progress(entry, progress)


def _outward(scope: str) -> str:
    """Return the scope around `scope`: `a/b/` lies in `a/`, which lies in the empty one."""
    head, _, _ = scope.rstrip("/").rpartition("/")
    return f"{head}/" if head else ""


def _output_schema(node: Node) -> Schema[object]:
    match node:
        case StepNode(step):
            return step.output_schema
        case WorkflowNode(workflow):
            return workflow.output_schema
        case MapNode():
            return node.output_schema


def _narrowed(path: str, schema: Schema[object], value: Value) -> Value:
    """Give a workflow's output its declared type."""
    try:
        text, live = schema.store(schema.validate(value.take()))
    except Exception as error:
        raise StepFailed(path, describe_error(error), error) from error
    return Value(text, schema, live)
