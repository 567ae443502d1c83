"""The definition that a run keeps, in the two shapes that lists need: a chain, and tree lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrkflw_tui.drawing.definition import ON_FAILURE, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wrkflw_tui.drawing.definition import Arm, Node


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node of a definition, by its path within the run."""

    path: str
    id: str
    kind: str
    depth: int
    note: str = ""
    """What is said beside its id: `sleep 1h`, `if it fails`, a condition."""
    items: tuple[str, ...] = ()
    """How the paths of its items or iterations begin, where it has any: `copy[`."""
    needs: tuple[tuple[str, str], ...] = ()
    """The branches around it by their paths, each with the arm that it has to take."""
    arms: tuple[tuple[str, ...], ...] = ()
    """Of a parallel: the paths of each arm, that of its handler last."""
    question: str = ""
    """What a loop's decisions answer: `until is_paid`."""


def nodes_of(graph: str | None) -> list[GraphNode]:
    """Return all nodes in the order of work, those inside another after it."""
    return list(_lines(read(graph), 0))


def _lines(
    nodes: Sequence[Node], depth: int, note: str = "", needs: tuple[tuple[str, str], ...] = ()
) -> Iterator[GraphNode]:
    for node in nodes:
        if node.kind == "recover" and node.body and node.handler:
            yield from _lines([node.body], depth, note, needs)
            yield from _lines([node.handler], depth, ON_FAILURE, needs)
        else:
            arms = tuple(map(_paths, node.arms)) if node.kind == "parallel" else ()
            yield GraphNode(
                node.path, node.id, node.kind, depth, node.short or note, _items(node), needs, arms,
                node.again,
            )  # fmt: skip
            yield from _lines(node.nodes, depth + 1, "", needs)
            for arm in node.arms:
                chosen = ((node.path, arm.node.id),) if node.kind == "branch" else ()
                yield from _lines([arm.node], depth + 1, arm.label, (*needs, *chosen))


def _paths(arm: Arm) -> tuple[str, ...]:
    node = arm.node
    return (node.path,) if node.path else tuple(child.path for child in node.children)


def _items(node: Node) -> tuple[str, ...]:
    """Return how the paths begin of what goes more than once, and of a loop's decisions."""
    if node.body is None:
        return ()
    inner = node.body
    bodies = (inner.body, inner.handler) if inner.kind == "recover" else (inner,)
    begin = [body.path.removesuffix("*]") for body in bodies if body is not None]
    return (*begin, f"{node.path}[") if node.kind == "loop" else tuple(begin)


def chain(graph: str | None) -> str:
    """Draw the steps as a chain; it may be broken before each arrow."""
    return _chain(read(graph))


def _chain(nodes: Sequence[Node]) -> str:
    return " ─▶\u00a0".join(map(_drawn, nodes))


def _drawn(node: Node) -> str:
    if node.kind == "recover" and node.body and node.handler:
        return f"{_drawn(node.body)} ({ON_FAILURE}: {_drawn(node.handler)})"
    if node.nodes:
        return f"{node.id} ⟨{_chain(node.nodes)}⟩"
    if node.arms:
        together = " ∥ " if node.kind == "parallel" else " | "
        return f"⟨{together.join(_drawn(arm.node) for arm in node.arms)}⟩"
    return f"⟨{node.kind}⟩ {_drawn(node.body)}" if node.body else node.short or node.id
