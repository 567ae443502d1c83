"""Which results of a run a fork takes over: those that came before the step it begins with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypeAlias

from wrkflw_tui.engine.nodes import (
    BranchNode,
    ForeachNode,
    LoopNode,
    Node,
    ParallelNode,
    RecoverNode,
    WorkflowNode,
    bodies,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrkflw_tui.engine.journal import Entry
    from wrkflw_tui.engine.nodes import Body

Place: TypeAlias = Literal["before", "beside"] | None
"""Before the fork's step, in a sibling arm or item of it, or neither."""


def place_of(nodes: tuple[Node, ...], path: str, at: str) -> Place:
    """Return where a path of the record lies, seen from the step at another."""
    head, _, rest = path.partition("/")
    at_head, _, at_rest = at.partition("/")
    node, at_node = _index(nodes, head), _index(nodes, at_head)
    if node is None or at_node is None:
        return None
    if node != at_node:
        return "before" if node < at_node else None
    if head != at_head:
        return _within(nodes[node], head, at_head)
    body = _body(nodes[node], head)
    if not rest or not at_rest or not isinstance(body, WorkflowNode):
        return None
    return place_of(body.workflow.nodes, rest, at_rest)


def is_settled(nodes: tuple[Node, ...], path: str, entries: Mapping[str, Entry]) -> bool:
    """Tell whether a failure, or what it lies in, was taken for a value or handled."""
    scope = ""
    for head in path.split("/"):
        at = _index(nodes, head)
        if at is None:
            return False
        known = entries.get(scope + head)
        if known is not None and known.status == "success":
            return True
        if _goes_on_without(nodes[at], head, scope, entries):
            return True
        body = _body(nodes[at], head)
        if not isinstance(body, WorkflowNode):
            return False
        nodes, scope = body.workflow.nodes, f"{scope}{head}/"
    return False


def _goes_on_without(node: Node, head: str, scope: str, entries: Mapping[str, Entry]) -> bool:
    id, index = _split(head)
    match node:
        case RecoverNode():
            return id == node.body.id and scope + node.handler.id in entries
        case ForeachNode() | ParallelNode():
            row = entries.get(scope + node.id)
            if row is None or row.status != "success" or row.output is None:
                return False
            return (id if index is None else index) in json.loads(row.output)
        case _:
            return False


def _within(node: Node, head: str, at_head: str) -> Place:
    """Compare two different places of one node."""
    (id, index), (at_id, at_index) = _split(head), _split(at_head)
    match node:
        case ParallelNode() | BranchNode():
            if id == node.id:
                return "before" if isinstance(node, BranchNode) else None
            return None if at_id == node.id else "beside"
        case ForeachNode():
            return "beside" if id == at_id == node.body.id else None
        case LoopNode():
            if index is None or at_index is None:
                return None
            is_earlier = index < at_index or (index == at_index and id == node.body.id)
            return "before" if is_earlier else None
        case RecoverNode():
            return "before" if id == node.body.id else None
        case _:
            return None


def _index(nodes: tuple[Node, ...], head: str) -> int | None:
    id = _split(head)[0]
    for index, node in enumerate(nodes):
        if id == node.id or any(id == body.id for body in bodies(node)):
            return index
    return None


def _body(node: Node, head: str) -> Node | Body:
    id = _split(head)[0]
    return next((body for body in bodies(node) if body.id == id), node)


def _split(head: str) -> tuple[str, int | None]:
    id, _, index = head.partition("[")
    return id, int(index.rstrip("]")) if index else None
