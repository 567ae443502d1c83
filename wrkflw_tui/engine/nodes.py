"""The tree that `commit` makes of a workflow: frozen nodes that the walk goes over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta

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

    @property
    def output_schema(self) -> Schema[object]:
        """What its output is read back with."""
        return self.step.output_schema

    @property
    def input_schema(self) -> Schema[object]:
        """What it takes."""
        return self.step.input_schema


@dataclass(frozen=True, slots=True)
class WorkflowNode:
    """A workflow used as a step: its nodes have paths below its own."""

    workflow: Workflow[object, object]

    @property
    def id(self) -> str:
        """The id within the workflow around it."""
        return self.workflow.id

    @property
    def output_schema(self) -> Schema[object]:
        """What its output is read back with."""
        return self.workflow.output_schema

    @property
    def input_schema(self) -> Schema[object]:
        """What it takes."""
        return self.workflow.input_schema


@dataclass(frozen=True, slots=True)
class MapNode:
    """A plain function of the value in hand, recorded like a step."""

    id: str
    function: Callable[..., object] = field(repr=False)
    output_schema: Schema[object]
    wants_context: bool


Body: TypeAlias = StepNode | WorkflowNode
"""An arm, an item's body or a loop's: a step or a whole workflow."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A plain function that decides; its decision is recorded and never taken again."""

    function: Callable[..., object] = field(repr=False)
    wants_context: bool
    name: str


@dataclass(frozen=True, slots=True)
class ParallelNode:
    """Arms that all get the value in hand. It adds no level to their paths."""

    id: str
    arms: tuple[Body, ...]
    limit: int | None
    collects: bool


@dataclass(frozen=True, slots=True)
class BranchNode:
    """Arms of which the first whose condition holds is taken, or every one."""

    id: str
    cases: tuple[tuple[Condition, Body], ...]
    otherwise: Body | None
    takes_all: bool

    @property
    def arms(self) -> tuple[Body, ...]:
        """All arms, `otherwise` last."""
        arms = tuple(arm for _, arm in self.cases)
        return arms if self.otherwise is None else (*arms, self.otherwise)


@dataclass(frozen=True, slots=True)
class ForeachNode:
    """A body that each item of a list goes through."""

    id: str
    body: Body
    concurrency: int
    collects: bool


@dataclass(frozen=True, slots=True)
class LoopNode:
    """A body that goes again while, or until, its condition holds."""

    id: str
    body: Body
    condition: Condition
    until: bool
    max_iterations: int


@dataclass(frozen=True, slots=True)
class SleepNode:
    """Waits for a while, or until an instant; what it computes is recorded."""

    id: str
    is_until: bool
    fixed: timedelta | datetime | None
    function: Callable[..., object] | None = field(repr=False)
    wants_context: bool = False
    name: str | None = None
    """The function's, where one computes it."""


@dataclass(frozen=True, slots=True)
class WaitNode:
    """Waits for an event, and goes on with its payload."""

    id: str
    event: str
    output_schema: Schema[object]
    json_schema: dict[str, object] = field(repr=False)
    timeout: timedelta | None


@dataclass(frozen=True, slots=True)
class RecoverNode:
    """A body with a handler that is given its failure, and gives an output in its stead."""

    body: Body
    handler: Body

    @property
    def id(self) -> str:
        """The body's: it adds no level, and no id."""
        return self.body.id

    @property
    def output_schema(self) -> Schema[object]:
        """The body's; where the handler stood in, its own is used."""
        return self.body.output_schema


Node: TypeAlias = (
    Body
    | MapNode
    | ParallelNode
    | BranchNode
    | ForeachNode
    | LoopNode
    | SleepNode
    | WaitNode
    | RecoverNode
)


def bodies(node: Node) -> tuple[Body, ...]:
    """Return the steps and workflows that a node leads to, in its own scope."""
    match node:
        case ParallelNode() | BranchNode():
            return node.arms
        case ForeachNode() | LoopNode():
            return (node.body,)
        case RecoverNode():
            return (node.body, node.handler)
        case _:
            return ()


def ids_of(node: Node) -> Iterator[str]:
    """Yield every id that a node takes within its workflow."""
    if not isinstance(node, RecoverNode):
        yield node.id
    for body in bodies(node):
        yield body.id


def node_at(nodes: tuple[Node, ...], path: str) -> Node | None:
    """Return the node that a path of the record leads to, if there is one."""
    head, _, rest = path.partition("/")
    id = head.partition("[")[0]
    for node in nodes:
        for found in (*bodies(node), node):
            if found.id != id or isinstance(found, RecoverNode):
                continue
            if not rest:
                return found
            return node_at(found.workflow.nodes, rest) if isinstance(found, WorkflowNode) else None
    return None


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
        case ParallelNode():
            return {
                "kind": "parallel",
                "id": node.id,
                "arms": graph_of(node.arms),
                "limit": node.limit,
                "on_error": _on_error(node),
            }
        case BranchNode():
            return {
                "kind": "branch",
                "id": node.id,
                "takes": "all" if node.takes_all else "first",
                "arms": graph_of(tuple(arm for _, arm in node.cases)),
                "conditions": [condition.name for condition, _ in node.cases],
                "otherwise": None if node.otherwise is None else _describe(node.otherwise),
            }
        case ForeachNode():
            return {
                "kind": "foreach",
                "id": node.id,
                "body": _describe(node.body),
                "concurrency": node.concurrency,
                "on_error": _on_error(node),
            }
        case LoopNode():
            return {
                "kind": "loop",
                "id": node.id,
                "body": _describe(node.body),
                "until": node.until,
                "condition": node.condition.name,
                "max_iterations": node.max_iterations,
            }
        case SleepNode():
            fixed = node.fixed
            return {
                "kind": "sleep",
                "id": node.id,
                "seconds": None if node.is_until or fixed is None else _seconds(fixed),
                "until": None if not node.is_until or fixed is None else str(fixed),
                "function": node.name,
            }
        case WaitNode():
            return {
                "kind": "wait",
                "id": node.id,
                "event": node.event,
                "schema": node.json_schema,
                "timeout": None if node.timeout is None else node.timeout.total_seconds(),
            }
        case RecoverNode():
            return {
                "kind": "recover",
                "id": node.id,
                "body": _describe(node.body),
                "handler": _describe(node.handler),
            }


def _seconds(duration: object) -> float:
    return cast("timedelta", duration).total_seconds()


def _on_error(node: ParallelNode | ForeachNode) -> str:
    return "collect" if node.collects else "fail"


def shape_of(nodes: tuple[Node, ...]) -> list[list[object]]:
    """Describe what a walk's paths depend on: kinds and ids, not what is said of them."""
    return [[type(node).__name__, node.id, *_inside(node)] for node in nodes]


def _inside(node: Node) -> list[list[object]]:
    return shape_of(node.workflow.nodes if isinstance(node, WorkflowNode) else bodies(node))


def count_leaves(nodes: tuple[Node, ...]) -> int:
    """Count what a run gets done: steps and maps, a branch's decision and its longest way.

    A foreach and a loop are one each, for nobody knows beforehand how often they go round.
    """
    return sum(map(_leaves, nodes))


def _leaves(node: Node) -> int:
    match node:
        case WorkflowNode(workflow):
            return count_leaves(workflow.nodes)
        case ParallelNode():
            return count_leaves(node.arms)
        case BranchNode():
            ways = [_leaves(arm) for arm in node.arms]
            return 1 + (sum(ways) if node.takes_all else max(ways))
        case RecoverNode():
            return _leaves(node.body)
        case _:
            return 1
