"""A copy of a workflow's tree in which steps are exchanged; the author's own stays as it is."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar, cast

from wrkflw_tui.engine.nodes import (
    Body,
    BranchNode,
    ForeachNode,
    LoopNode,
    Node,
    ParallelNode,
    RecoverNode,
    StepNode,
    WaitNode,
    WorkflowNode,
    bodies,
)
from wrkflw_tui.engine.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wrkflw_tui.engine.retry import RetryPolicy
    from wrkflw_tui.engine.workflow import Workflow

T = TypeVar("T")

_INDEX = re.compile(r"\[\d+\]")


def without_indexes(path: str) -> str:
    """Turn a path of the record into that of the definition."""
    return _INDEX.sub("", path)


def paths_of(nodes: tuple[Node, ...], prefix: str = "") -> Iterator[tuple[str, Body]]:
    """Yield every step and workflow in a tree, with its path: ids joined by `/`."""
    for node in nodes:
        found = (node,) if isinstance(node, StepNode | WorkflowNode) else bodies(node)
        for body in found:
            path = f"{prefix}{body.id}"
            yield path, body
            if isinstance(body, WorkflowNode):
                yield from paths_of(body.workflow.nodes, f"{path}/")


def events_of(nodes: tuple[Node, ...]) -> set[str]:
    """Return the names of all events that are awaited in a tree."""
    inside = [body.workflow.nodes for _, body in paths_of(nodes) if isinstance(body, WorkflowNode)]
    return {
        node.event for level in (nodes, *inside) for node in level if isinstance(node, WaitNode)
    }


def by_path(given: Mapping[str, T], paths: set[str], what: str) -> dict[str, T]:
    """Return what is given for ids or paths by the full paths that they mean.

    Raises `ValueError` where there is no such step, or more than one.
    """
    return {path_of(key, paths, what): value for key, value in given.items()}


def path_of(key: str, paths: set[str], what: str) -> str:
    """Return the one full path that an id, or the end of a path, means."""
    if key in paths:
        return key
    meant = sorted(path for path in paths if path.endswith(f"/{key}"))
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise ValueError(f"{what}: {key!r} may be {' or '.join(meant)}: give one of these paths")
    raise ValueError(f"{what}: there is no step {key!r}; there are {', '.join(sorted(paths))}")


class Rewriter:
    """Copies a workflow, with each of its steps exchanged for what `exchange` returns."""

    def __init__(
        self,
        exchange: Callable[[str, Body], Step[object, object] | None],
        policy: Callable[[RetryPolicy | None], RetryPolicy | None],
    ) -> None:
        self._exchange = exchange
        self._policy = policy

    def workflow(
        self, workflow: Workflow[object, object], prefix: str = ""
    ) -> Workflow[object, object]:
        """Return the copy."""
        twin = copy(workflow)
        for cached in ("graph", "definition_hash", "leaf_count"):
            twin.__dict__.pop(cached, None)  # of the original's nodes
        twin.nodes = tuple(self._node(node, prefix) for node in workflow.nodes)
        twin.retry = self._policy(workflow.retry)
        return twin

    def _node(self, node: Node, prefix: str) -> Node:
        match node:
            case StepNode() | WorkflowNode():
                return self._body(node, prefix)
            case ParallelNode():
                return replace(node, arms=tuple(self._body(arm, prefix) for arm in node.arms))
            case BranchNode():
                otherwise = node.otherwise
                return replace(
                    node,
                    cases=tuple((when, self._body(arm, prefix)) for when, arm in node.cases),
                    otherwise=None if otherwise is None else self._body(otherwise, prefix),
                )
            case ForeachNode() | LoopNode():
                return replace(node, body=self._body(node.body, prefix))
            case RecoverNode():
                return replace(
                    node,
                    body=self._body(node.body, prefix),
                    handler=self._body(node.handler, prefix),
                )
            case _:
                return node

    def _body(self, body: Body, prefix: str) -> Body:
        path = f"{prefix}{body.id}"
        step = self._exchange(path, body)
        if step is not None:
            return StepNode(step)
        assert isinstance(body, WorkflowNode)
        return WorkflowNode(self.workflow(body.workflow, f"{path}/"))


def step_for(body: Body) -> Step[object, object]:
    """Return a step that stands where a body does, to be given another function."""
    if isinstance(body, StepNode):
        return copy(body.step)
    flow = body.workflow

    def missing(value: object) -> object:
        raise NotImplementedError

    twin = Step[object, object](
        missing, flow.id, flow.description, None, None, flow.retry, flow.timeout
    )
    twin.input_schema = flow.input_schema
    twin.output_schema = cast("Step[object, object]", flow).output_schema
    return twin
