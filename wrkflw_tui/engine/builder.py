"""The fluent builder that makes workflows."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast, overload

from wrkflw_tui.engine.arms import ArmsBuilder, Prev, WIn, WOut
from wrkflw_tui.engine.errors import DefinitionError
from wrkflw_tui.engine.nodes import (
    Body,
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
    ids_of,
)
from wrkflw_tui.engine.runnable import Runnable, check_id
from wrkflw_tui.engine.schema import Schema
from wrkflw_tui.engine.step import (
    Step,
    TypeOf,
    annotations_of,
    function_name,
    is_coroutine_function,
    takes_context,
)
from wrkflw_tui.engine.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wrkflw_tui.engine.context import StepContext
    from wrkflw_tui.engine.models import StepFailure
    from wrkflw_tui.engine.retry import RetryPolicy

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
Item = TypeVar("Item")
Next = TypeVar("Next")
T = TypeVar("T")

Given: TypeAlias = "T | Callable[[I], T] | Callable[[I, StepContext], T]"
"""Something fixed, or a function that computes it from the value in hand."""


class _Commit:
    """`commit` as a descriptor: a plain method cannot ask both checkers for `Prev` to be `WOut`."""

    def __get__(
        self, builder: WorkflowBuilder[I, O, O], owner: type[object] | None = None
    ) -> Callable[[], Workflow[I, O]]:
        return builder._commit  # pyright: ignore[reportPrivateUsage] - the builder's own half


class WorkflowBuilder(ArmsBuilder[WIn, Prev, WOut]):
    """Chains steps; `Prev` is the type of the value in hand."""

    commit = _Commit()
    """Finish the definition and return the `Workflow`. Raises `DefinitionError`."""

    def __init__(
        self,
        id: str,
        description: str,
        input_schema: object,
        output_schema: object,
        retry: RetryPolicy | None,
        tags: Sequence[str],
        timeout: timedelta | None = None,
        state_schema: object = None,
    ) -> None:
        check_id(id)
        self._id = id
        self._description = description
        self._input_schema = input_schema
        self._output_schema = output_schema
        self._retry = retry
        self._tags = tuple(tags)
        self._timeout = timeout
        self._state_schema = state_schema
        self._nodes: list[Node] = []
        self._counts: Counter[str] = Counter()
        self._committed = False

    def then(
        self, step: Runnable[Prev, Next], recover: Runnable[StepFailure, Next] | None = None
    ) -> WorkflowBuilder[WIn, Next, WOut]:
        """Run a step, or a whole workflow, with the value in hand.

        Once it has finally failed, `recover` is run with the failure, on record under its own id
        and by its own policy; what it returns stands in for the output. Not after a cancel.
        """
        body = self._body(step, ".then()")
        if recover is None:
            self._add(body)
        else:
            self._add(RecoverNode(body, self._body(recover, "recover=")))
        return cast("WorkflowBuilder[WIn, Next, WOut]", self)

    # Two overloads, not a union: mypy checks a lambda's body only where it knows its parameters.
    @overload
    def map(
        self,
        function: Callable[[Prev], Next],
        output_schema: TypeOf[Next] | None = None,
        *,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Next, WOut]: ...
    @overload
    def map(
        self,
        function: Callable[[Prev, StepContext], Next],
        output_schema: TypeOf[Next] | None = None,
        *,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Next, WOut]: ...
    def map(
        self,
        function: Callable[[Prev], Next] | Callable[[Prev, StepContext], Next],
        output_schema: TypeOf[Next] | None = None,
        *,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Next, WOut]:
        """Turn the value in hand into another by a plain function; recorded like a step.

        The output's type is given, or read off the function's return annotation.
        """
        caller_locals = dict(sys._getframe(1).f_locals)  # pyright: ignore[reportPrivateUsage] - how typing's own helpers find local names
        id = id or self._count("map")
        what = f"map {id!r} of workflow {self._id!r}"
        if is_coroutine_function(function):
            raise DefinitionError(f"{what}: a map is a plain function; make a step of an async one")
        given: object = output_schema
        if given is None:
            given = _return_type(function, caller_locals, what)
        schema = Schema[object](given)
        schema.build()
        self._add(MapNode(id, function, schema, takes_context(function, what)))
        return cast("WorkflowBuilder[WIn, Next, WOut]", self)

    @overload
    def foreach(
        self: WorkflowBuilder[WIn, list[Item], WOut],
        body: Runnable[Item, Next],
        *,
        concurrency: int = 1,
        on_error: Literal["fail"] = "fail",
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, list[Next], WOut]: ...
    @overload
    def foreach(
        self: WorkflowBuilder[WIn, list[Item], WOut],
        body: Runnable[Item, Next],
        *,
        concurrency: int = 1,
        on_error: Literal["collect"],
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, list[Next | StepFailure], WOut]: ...
    def foreach(
        self,
        body: Runnable[Any, Any],
        *,
        concurrency: int = 1,
        on_error: Literal["fail", "collect"] = "fail",
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        """Run a step, or a whole workflow, with each item of the list in hand.

        At most `concurrency` items are at work; the outputs keep their items' order. With
        `on_error="fail"` no item begins any more once one has failed; with `"collect"` all are
        worked on, and a `StepFailure` stands where an output is missing.
        """
        id = id or self._count("foreach")
        self._positive(concurrency, "concurrency")
        node = ForeachNode(id, self._body(body, ".foreach()"), concurrency, on_error == "collect")
        return self._add(node)

    @overload
    def do_while(
        self: WorkflowBuilder[WIn, T, WOut],
        body: Runnable[T, T],
        condition: Callable[[T], bool],
        *,
        max_iterations: int = 1000,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, T, WOut]: ...
    @overload
    def do_while(
        self: WorkflowBuilder[WIn, T, WOut],
        body: Runnable[T, T],
        condition: Callable[[T, StepContext], bool],
        *,
        max_iterations: int = 1000,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, T, WOut]: ...
    def do_while(
        self,
        body: Runnable[Any, Any],
        condition: Callable[..., bool],
        *,
        max_iterations: int = 1000,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        """Run the body, and again with its output as long as the condition on it holds.

        The condition gets the output, and a context with the `iteration` if it requires one.
        """
        return self._loop("do-while", body, condition, max_iterations, id)

    @overload
    def do_until(
        self: WorkflowBuilder[WIn, T, WOut],
        body: Runnable[T, T],
        condition: Callable[[T], bool],
        *,
        max_iterations: int = 1000,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, T, WOut]: ...
    @overload
    def do_until(
        self: WorkflowBuilder[WIn, T, WOut],
        body: Runnable[T, T],
        condition: Callable[[T, StepContext], bool],
        *,
        max_iterations: int = 1000,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, T, WOut]: ...
    def do_until(
        self,
        body: Runnable[Any, Any],
        condition: Callable[..., bool],
        *,
        max_iterations: int = 1000,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        """Run the body, and again with its output until the condition on it holds.

        The condition gets the output, and a context with the `iteration` if it requires one.
        """
        return self._loop("do-until", body, condition, max_iterations, id)

    def sleep(
        self,
        duration: timedelta
        | Callable[[Prev], timedelta]
        | Callable[[Prev, StepContext], timedelta],
        *,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Prev, WOut]:
        """Wait for a while, or for as long as a function of the value in hand says.

        The instant is recorded when it is computed: a restart does not sleep again, and a
        sleeping run costs no process. The value in hand stays as it is.
        """
        return self._sleep("sleep", duration, timedelta, id)

    def sleep_until(
        self,
        instant: Given[Prev, datetime],
        *,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Prev, WOut]:
        """Wait until an instant with a time zone, or one that a function of the value gives."""
        if isinstance(instant, datetime) and instant.tzinfo is None:
            raise DefinitionError(
                f"workflow {self._id!r}: sleep_until takes an instant with a time zone,"
                f" not {instant!r}"
            )
        return self._sleep("sleep-until", instant, datetime, id)

    @overload
    def wait_for(
        self, event: str, schema: None, timeout: timedelta | None = None, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, None, WOut]: ...
    @overload
    def wait_for(
        self,
        event: str,
        schema: TypeOf[Next],
        timeout: timedelta | None = None,
        *,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Next, WOut]: ...
    def wait_for(
        self,
        event: str,
        schema: object,
        timeout: timedelta | None = None,
        *,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        """Wait for an event, and go on with its payload.

        One event serves one wait, the earliest opened; one that came before is kept. Where it
        does not come within `timeout` the wait is a failed step (`EventTimeout`).
        """
        id = id or self._count("wait-for")
        if not event:
            raise DefinitionError(f"workflow {self._id!r}: {id} needs the event's name")
        if timeout is not None and timeout.total_seconds() <= 0:
            raise DefinitionError(f"workflow {self._id!r}: the timeout of {id} is {timeout}")
        payload = Schema[object](schema)
        return self._add(WaitNode(id, event, payload, payload.json_schema(), timeout))

    def _sleep(
        self, kind: str, given: object, fixed: type[object], id: str | None
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        id = id or self._count(kind)
        is_until = kind == "sleep-until"
        if isinstance(given, fixed):
            return self._add(SleepNode(id, is_until, cast("timedelta", given), None))
        if not callable(given):
            raise DefinitionError(
                f"workflow {self._id!r}: {id} takes a {fixed.__name__}, or a function that gives"
                f" one, not {given!r}"
            )
        computes = self._condition(given, id)
        wants, name = computes.wants_context, computes.name
        return self._add(SleepNode(id, is_until, None, computes.function, wants, name))

    def _loop(
        self,
        kind: str,
        body: Runnable[Any, Any],
        condition: Callable[..., bool],
        max_iterations: int,
        id: str | None,
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        id = id or self._count(kind)
        self._positive(max_iterations, "max_iterations")
        decides = self._condition(condition, id)
        node = self._body(body, f".{kind.replace('-', '_')}()")
        return self._add(LoopNode(id, node, decides, kind == "do-until", max_iterations))

    def _add_parallel(
        self, arms: Sequence[Runnable[Any, Any]], limit: int | None, collects: bool, id: str | None
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        id = id or self._count("parallel")
        if not arms:
            raise DefinitionError(f"workflow {self._id!r}: {id} has no arm")
        if limit is not None:
            self._positive(limit, "limit")
        bodies = tuple(self._body(arm, ".parallel()") for arm in arms)
        return self._add(ParallelNode(id, bodies, limit, collects))

    def _add_branch(
        self,
        kind: str,
        cases: Sequence[tuple[Callable[..., bool], Runnable[Any, Any]]],
        otherwise: Runnable[Any, Any] | None,
        id: str | None,
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        id = id or self._count(kind)
        if not cases:
            raise DefinitionError(f"workflow {self._id!r}: {id} has no arm")
        what = f".{kind.replace('-', '_')}()"
        arms = tuple((self._condition(c, id), self._body(arm, what)) for c, arm in cases)
        last = None if otherwise is None else self._body(otherwise, what)
        return self._add(BranchNode(id, arms, last, kind == "branch-all"))

    def _body(self, given: Runnable[Any, Any], what: str) -> Body:
        if isinstance(given, Workflow):
            return WorkflowNode(cast("Workflow[object, object]", given))
        if isinstance(given, Step):
            return StepNode(cast("Step[object, object]", given))
        raise DefinitionError(
            f"workflow {self._id!r}: {what} takes a step or a workflow, not {given!r}"
            + _hint(given)
        )

    def _condition(self, function: Callable[..., object], id: str) -> Condition:
        what = f"the condition of {id!r} in workflow {self._id!r}"
        if not callable(function):
            raise DefinitionError(f"{what} is a plain function, not {function!r}")
        if is_coroutine_function(function):
            raise DefinitionError(f"{what} is async: decide in a step, and look at its output")
        return Condition(function, takes_context(function, what), function_name(function))

    def _positive(self, number: int, what: str) -> None:
        if number < 1:
            raise DefinitionError(f"workflow {self._id!r}: {what} must be 1 or more, not {number}")

    def _count(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}-{self._counts[kind]}"

    def _add(self, node: Node) -> WorkflowBuilder[WIn, Any, WOut]:
        if self._committed:
            raise DefinitionError(
                f"workflow {self._id!r} is committed: {node.id!r} cannot be added any more"
            )
        check_id(node.id)
        self._nodes.append(node)
        return self

    def _commit(self) -> Workflow[WIn, WOut]:
        if self._committed:
            raise DefinitionError(f"workflow {self._id!r} is committed already")
        if not self._nodes:
            raise DefinitionError(f"workflow {self._id!r} has no step: add one with .then()")
        ids = [id for node in self._nodes for id in ids_of(node)]
        for twin in sorted({id for id in ids if ids.count(id) > 1}):
            raise DefinitionError(
                f"workflow {self._id!r} has two nodes with the id {twin!r}: "
                f"use .with_id() to give one of them another"
            )
        self._committed = True
        return Workflow(
            self._id,
            self._description,
            self._input_schema,
            self._output_schema,
            tuple(self._nodes),
            self._retry,
            self._tags,
            self._timeout,
            self._state_schema,
        )


def _hint(value: object) -> str:
    if isinstance(value, WorkflowBuilder):
        return ": call .commit() on it first"
    return ": put @step on it" if inspect.isfunction(value) else ""


def _return_type(
    function: Callable[..., object], caller_locals: dict[str, object], what: str
) -> object:
    if isinstance(function, type):
        return function
    hints = annotations_of(function, caller_locals)
    if "return" not in hints:
        raise DefinitionError(
            f"{what}: {function_name(function)} has no return type: annotate it,"
            " or give output_schema="
        )
    return hints["return"]


@overload
def create_workflow(
    *,
    id: str,
    input_schema: TypeOf[I],
    output_schema: TypeOf[O],
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
    timeout: timedelta | None = None,
    state_schema: object = None,
) -> WorkflowBuilder[I, I, O]: ...
@overload
def create_workflow(
    *,
    id: str,
    input_schema: None,
    output_schema: TypeOf[O],
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
    timeout: timedelta | None = None,
    state_schema: object = None,
) -> WorkflowBuilder[None, None, O]: ...
@overload
def create_workflow(
    *,
    id: str,
    input_schema: TypeOf[I],
    output_schema: None,
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
    timeout: timedelta | None = None,
    state_schema: object = None,
) -> WorkflowBuilder[I, I, None]: ...
@overload
def create_workflow(
    *,
    id: str,
    input_schema: None,
    output_schema: None,
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
    timeout: timedelta | None = None,
    state_schema: object = None,
) -> WorkflowBuilder[None, None, None]: ...
def create_workflow(
    *,
    id: str,
    input_schema: object,
    output_schema: object,
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
    timeout: timedelta | None = None,
    state_schema: object = None,
) -> WorkflowBuilder[Any, Any, Any]:
    """Begin a workflow. A schema is a type, a `TypeAdapter`, or `None`.

    `retry` is the policy of each step that has none of its own. `timeout` counts wall time with
    sleeps, without the time that a run waits for a person or an event. `state_schema` is what its
    steps share by `get_state` and `set_state`: a type that is written as a JSON object.
    """
    return WorkflowBuilder(
        id, description, input_schema, output_schema, retry, tags, timeout, state_schema
    )
