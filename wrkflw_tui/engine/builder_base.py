"""What the parts of the builder share: the nodes so far, and the checks of what is added."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from wrkflw_tui.engine.errors import DefinitionError
from wrkflw_tui.engine.nodes import Body, Condition, Node, StepNode, WorkflowNode
from wrkflw_tui.engine.runnable import check_id
from wrkflw_tui.engine.step import Step, function_name, is_coroutine_function, takes_context
from wrkflw_tui.engine.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from wrkflw_tui.engine.builder import WorkflowBuilder
    from wrkflw_tui.engine.retry import RetryPolicy
    from wrkflw_tui.engine.runnable import Runnable
    from wrkflw_tui.engine.terms import Timetable

WIn = TypeVar("WIn")
WOut = TypeVar("WOut")
Prev = TypeVar("Prev", covariant=True)


class BuilderBase(Generic[WIn, Prev, WOut]):
    """A definition in the making; `Prev` is the type of the value in hand."""

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
        max_concurrent_runs: int | None = None,
        schedules: Sequence[Timetable] = (),
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
        if max_concurrent_runs is not None:
            self._positive(max_concurrent_runs, "max_concurrent_runs")
        self._max_concurrent_runs = max_concurrent_runs
        self._schedules = tuple(schedules)
        self._nodes: list[Node] = []
        self._counts: Counter[str] = Counter()
        self._committed = False

    def _body(self, given: Runnable[Any, Any], what: str) -> Body:
        if isinstance(given, Workflow):
            return WorkflowNode(cast("Workflow[object, object]", given))
        if isinstance(given, Step):
            return StepNode(cast("Step[object, object]", given))
        raise DefinitionError(
            f"workflow {self._id!r}: {what} takes a step or a workflow, not {given!r}"
            + _hint(given)
        )

    def _condition(
        self, function: Callable[..., object], id: str, role: str = "condition"
    ) -> Condition:
        what = f"the {role} of {id!r} in workflow {self._id!r}"
        if not callable(function):
            raise DefinitionError(f"{what} is a plain function, not {function!r}")
        if is_coroutine_function(function):
            raise DefinitionError(f"{what} is async: do that in a step, and look at its output")
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
        return cast("WorkflowBuilder[WIn, Any, WOut]", self)


def _hint(value: object) -> str:
    if isinstance(value, BuilderBase):
        return ": call .commit() on it first"
    return ": put @step on it" if inspect.isfunction(value) else ""
