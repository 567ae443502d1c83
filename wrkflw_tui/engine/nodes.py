"""The tree that `commit` makes of a workflow: frozen nodes that the walk goes over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wrkflw_tui.engine.schema import Schema
    from wrkflw_tui.engine.step import Step
    from wrkflw_tui.engine.workflow import Workflow


@dataclass(frozen=True, slots=True)
class StepNode:
    """A step, called with the value in hand."""

    step: Step[object, object]

    @property
    def id(self) -> str:
        """The id within its workflow."""
        return self.step.id


@dataclass(frozen=True, slots=True)
class WorkflowNode:
    """A workflow used as a step: its nodes have paths below its own."""

    workflow: Workflow[object, object]

    @property
    def id(self) -> str:
        """The id within the workflow around it."""
        return self.workflow.id


@dataclass(frozen=True, slots=True)
class MapNode:
    """A plain function of the value in hand, recorded like a step."""

    id: str
    function: Callable[..., object] = field(repr=False)
    output_schema: Schema[object]
    wants_context: bool


Node: TypeAlias = StepNode | WorkflowNode | MapNode


def graph_of(nodes: tuple[Node, ...]) -> list[dict[str, object]]:
    """Describe nodes as plain data: kept with a run, drawn by the screen."""
    return [_describe(node) for node in nodes]


def _describe(node: Node) -> dict[str, object]:
    match node:
        case StepNode(step):
            return {"kind": "step", "id": node.id, "description": step.description}
        case MapNode():
            return {"kind": "map", "id": node.id}
        case WorkflowNode(workflow):
            return {
                "kind": "workflow",
                "id": node.id,
                "description": workflow.description,
                "nodes": graph_of(workflow.nodes),
            }


def shape_of(nodes: tuple[Node, ...]) -> list[list[object]]:
    """Describe what a walk's paths depend on: kinds and ids, not what is said of them."""
    return [[type(node).__name__, node.id, *_inside(node)] for node in nodes]


def _inside(node: Node) -> list[list[object]]:
    return shape_of(node.workflow.nodes) if isinstance(node, WorkflowNode) else []


def leaves(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """Yield the nodes that do work themselves, nested workflows opened."""
    for node in nodes:
        if isinstance(node, WorkflowNode):
            yield from leaves(node.workflow.nodes)
        else:
            yield node
