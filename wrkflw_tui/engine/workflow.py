"""Workflows and the fluent builder that makes them."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from wrkflw_tui.engine.errors import DefinitionError
from wrkflw_tui.engine.nodes import (
    MapNode,
    Node,
    StepNode,
    WorkflowNode,
    graph_of,
    leaves,
    shape_of,
)
from wrkflw_tui.engine.runnable import In, Out, Runnable, check_id
from wrkflw_tui.engine.schema import Schema
from wrkflw_tui.engine.step import (
    Step,
    TypeOf,
    annotations_of,
    function_name,
    is_coroutine_function,
    takes_context,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wrkflw_tui.engine.context import StepContext
    from wrkflw_tui.engine.journal import RunStorage
    from wrkflw_tui.engine.retry import RetryPolicy
    from wrkflw_tui.engine.run import WorkflowRun

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
WIn = TypeVar("WIn")
WOut = TypeVar("WOut")
Prev = TypeVar("Prev", covariant=True)
Next = TypeVar("Next")


class Workflow(Runnable[In, Out]):
    """A committed workflow: frozen, to be run, or used wherever a step is."""

    def __init__(
        self,
        id: str,
        description: str,
        input_schema: object,
        output_schema: object,
        nodes: tuple[Node, ...],
        retry: RetryPolicy | None,
        tags: tuple[str, ...],
    ) -> None:
        super().__init__(id, description, input_schema, output_schema, retry, timeout=None)
        self.nodes = nodes
        self.tags = tags

    @cached_property
    def graph(self) -> str:
        """The definition as JSON text: kept with every run of it."""
        return json.dumps(graph_of(self.nodes), ensure_ascii=False)

    @cached_property
    def definition_hash(self) -> str:
        """A short hash of the ids and kinds of all nodes."""
        return hashlib.sha256(json.dumps(shape_of(self.nodes)).encode()).hexdigest()[:16]

    @cached_property
    def leaf_count(self) -> int:
        """How many nodes do work themselves, nested workflows opened."""
        return sum(1 for _ in leaves(self.nodes))

    def create_run(
        self, run_id: str | None = None, storage: RunStorage | None = None
    ) -> WorkflowRun[In, Out]:
        """Prepare a run; nothing is written until it starts.

        The id is a new UUIDv7 unless one is given; without `storage` the configured file is used.
        """
        from wrkflw_tui.engine.run import WorkflowRun  # imported late: run.py imports this module

        return WorkflowRun(self, run_id, storage)

    def __repr__(self) -> str:
        return f"<Workflow {self.id}: {self.input_schema} -> {self.output_schema}>"


class _Commit:
    """`commit` as a descriptor: a plain method cannot ask both checkers for `Prev` to be `WOut`."""

    def __get__(
        self, builder: WorkflowBuilder[I, O, O], owner: type[object] | None = None
    ) -> Callable[[], Workflow[I, O]]:
        return builder._commit  # pyright: ignore[reportPrivateUsage] - the builder's own half


class WorkflowBuilder(Generic[WIn, Prev, WOut]):
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
    ) -> None:
        check_id(id)
        self._id = id
        self._description = description
        self._input_schema = input_schema
        self._output_schema = output_schema
        self._retry = retry
        self._tags = tuple(tags)
        self._nodes: list[Node] = []
        self._committed = False

    def then(self, step: Runnable[Prev, Next]) -> WorkflowBuilder[WIn, Next, WOut]:
        """Run a step, or a whole workflow, with the value in hand."""
        if isinstance(step, Workflow):
            node: Node = WorkflowNode(cast("Workflow[object, object]", step))
        elif isinstance(step, Step):
            node = StepNode(cast("Step[object, object]", step))
        else:
            raise DefinitionError(
                f"workflow {self._id!r}: .then() takes a step or a workflow, not {step!r}"
                + _hint(step)
            )
        self._add(node)
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

    def _count(self, kind: str) -> str:
        return f"{kind}-{1 + sum(isinstance(node, MapNode) for node in self._nodes)}"

    def _add(self, node: Node) -> None:
        if self._committed:
            raise DefinitionError(
                f"workflow {self._id!r} is committed: {node.id!r} cannot be added any more"
            )
        check_id(node.id)
        self._nodes.append(node)

    def _commit(self) -> Workflow[WIn, WOut]:
        if self._committed:
            raise DefinitionError(f"workflow {self._id!r} is committed already")
        if not self._nodes:
            raise DefinitionError(f"workflow {self._id!r} has no step: add one with .then()")
        ids = [node.id for node in self._nodes]
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
) -> WorkflowBuilder[None, None, None]: ...
def create_workflow(
    *,
    id: str,
    input_schema: object,
    output_schema: object,
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
) -> WorkflowBuilder[Any, Any, Any]:
    """Begin a workflow. A schema is a type, a `TypeAdapter`, or `None`.

    `retry` is the policy of each step that has none of its own.
    """
    return WorkflowBuilder(id, description, input_schema, output_schema, retry, tags)
