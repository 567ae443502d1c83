"""The fluent builder that makes workflows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar, overload

from wrkflw_tui.engine.arms import ArmsBuilder
from wrkflw_tui.engine.builder_base import Prev, WIn, WOut
from wrkflw_tui.engine.errors import DefinitionError
from wrkflw_tui.engine.nodes import MapNode, RecoverNode, ids_of
from wrkflw_tui.engine.pauses import PausesBuilder
from wrkflw_tui.engine.repeats import RepeatsBuilder
from wrkflw_tui.engine.schema import Schema
from wrkflw_tui.engine.step import (
    TypeOf,
    annotations_of,
    function_name,
    is_coroutine_function,
    takes_context,
)
from wrkflw_tui.engine.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrkflw_tui.engine.context import StepContext
    from wrkflw_tui.engine.models import StepFailure
    from wrkflw_tui.engine.runnable import Runnable

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
Next = TypeVar("Next")
Handled = TypeVar("Handled")


class _Commit:
    """`commit` as a descriptor: a plain method cannot ask both checkers for `Prev` to be `WOut`."""

    def __get__(
        self, builder: WorkflowBuilder[I, O, O], owner: type[object] | None = None
    ) -> Callable[[], Workflow[I, O]]:
        return builder._commit  # pyright: ignore[reportPrivateUsage] - the builder's own half


class WorkflowBuilder(
    ArmsBuilder[WIn, Prev, WOut],
    RepeatsBuilder[WIn, Prev, WOut],
    PausesBuilder[WIn, Prev, WOut],
):
    """Chains steps; `Prev` is the type of the value in hand."""

    commit = _Commit()
    """Finish the definition and return the `Workflow`. Raises `DefinitionError`."""

    @overload
    def then(
        self, step: Runnable[Prev, Next], recover: None = None
    ) -> WorkflowBuilder[WIn, Next, WOut]: ...
    @overload
    def then(
        self, step: Runnable[Prev, Next], recover: Runnable[StepFailure, Handled]
    ) -> WorkflowBuilder[WIn, Next | Handled, WOut]: ...
    def then(
        self, step: Runnable[Prev, Any], recover: Runnable[StepFailure, Any] | None = None
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        """Run a step, or a whole workflow, with the value in hand.

        Once it has finally failed, `recover` is run with the failure, on record under its own id
        and by its own policy; what it returns stands in for the output. Not after a cancel.
        """
        body = self._body(step, ".then()")
        if recover is None:
            return self._add(body)
        return self._add(RecoverNode(body, self._body(recover, "recover=")))

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
        return self._add(MapNode(id, function, schema, takes_context(function, what)))

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
            self._max_concurrent_runs,
            self._schedules,
        )


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
