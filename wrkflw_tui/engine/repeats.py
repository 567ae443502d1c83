"""The builder's methods that take a body to be run again and again: foreach and the loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from wrkflw_tui.engine.builder_base import BuilderBase, Prev, WIn, WOut
from wrkflw_tui.engine.nodes import ForeachNode, LoopNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrkflw_tui.engine.builder import WorkflowBuilder
    from wrkflw_tui.engine.context import StepContext
    from wrkflw_tui.engine.models import StepFailure
    from wrkflw_tui.engine.runnable import Runnable

Item = TypeVar("Item")
Next = TypeVar("Next")
T = TypeVar("T")


class RepeatsBuilder(BuilderBase[WIn, Prev, WOut]):
    """The part of the builder that repeats a step or a workflow."""

    @overload
    def foreach(
        self: RepeatsBuilder[WIn, list[Item], WOut],
        body: Runnable[Item, Next],
        *,
        concurrency: int = 1,
        on_error: Literal["fail"] = "fail",
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, list[Next], WOut]: ...
    @overload
    def foreach(
        self: RepeatsBuilder[WIn, list[Item], WOut],
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
        self: RepeatsBuilder[WIn, T, WOut],
        body: Runnable[T, T],
        condition: Callable[[T], bool],
        *,
        max_iterations: int = 1000,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, T, WOut]: ...
    @overload
    def do_while(
        self: RepeatsBuilder[WIn, T, WOut],
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
        self: RepeatsBuilder[WIn, T, WOut],
        body: Runnable[T, T],
        condition: Callable[[T], bool],
        *,
        max_iterations: int = 1000,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, T, WOut]: ...
    @overload
    def do_until(
        self: RepeatsBuilder[WIn, T, WOut],
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
