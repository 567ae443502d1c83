"""The definition that a run keeps, read for drawing: a chain, and lines for a tree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node of a definition, by its path within the run."""

    path: str
    id: str
    kind: str
    depth: int
    description: str = ""
    items: str = ""
    """How the paths of its items or iterations begin, where it has any: `copy[`."""


def nodes_of(graph: str | None) -> list[GraphNode]:
    """Return all nodes in the order of work, those inside another after it."""
    return list(_nodes(_parsed(graph), "", 0))


def _nodes(items: list[dict[str, object]], scope: str, depth: int) -> Iterator[GraphNode]:
    for item in items:
        id = str(item.get("id", "?"))
        path = scope + id
        kind = str(item.get("kind", "step"))
        body = cast("dict[str, object] | None", item.get("body"))
        below = f"{scope}{body.get('id', '?')}[" if body else ""
        yield GraphNode(path, id, kind, depth, str(item.get("description", "")), below)
        yield from _nodes(_inner(item), f"{path}/", depth + 1)
        yield from _nodes(_arms(item), scope, depth + 1)  # an arm adds no level to the path


def chain(graph: str | None) -> str:
    """Draw the steps as a chain; it may be broken before each arrow."""
    return _chain(_parsed(graph))


def _chain(items: list[dict[str, object]]) -> str:
    return " ─▶\u00a0".join(map(_drawn, items))


def _drawn(item: dict[str, object]) -> str:
    id = str(item.get("id", "?"))
    if inner := _inner(item):
        return f"{id} ⟨{_chain(inner)}⟩"
    if arms := _arms(item):
        together = " ∥ " if item.get("kind") == "parallel" else " | "
        return f"⟨{together.join(map(_drawn, arms))}⟩"
    body = cast("dict[str, object] | None", item.get("body"))
    return f"⟨{item.get('kind')}⟩ {_drawn(body)}" if body else id


def _arms(item: dict[str, object]) -> list[dict[str, object]]:
    arms = cast("list[dict[str, object]]", item.get("arms") or [])
    otherwise = cast("dict[str, object] | None", item.get("otherwise"))
    return [*arms, otherwise] if otherwise else arms


def _inner(item: dict[str, object]) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", item.get("nodes") or [])


def _parsed(graph: str | None) -> list[dict[str, object]]:
    if not graph:
        return []
    try:
        content: object = json.loads(graph)
    except ValueError:
        return []
    return cast("list[dict[str, object]]", content) if isinstance(content, list) else []
