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


def nodes_of(graph: str | None) -> list[GraphNode]:
    """Return all nodes in the order of work, those of nested workflows after their own."""
    return list(_nodes(_parsed(graph), "", 0))


def _nodes(items: list[dict[str, object]], scope: str, depth: int) -> Iterator[GraphNode]:
    for item in items:
        id = str(item.get("id", "?"))
        path = scope + id
        kind = str(item.get("kind", "step"))
        yield GraphNode(path, id, kind, depth, str(item.get("description", "")))
        yield from _nodes(_inner(item), f"{path}/", depth + 1)


def chain(graph: str | None) -> str:
    """Draw the steps as a chain; it may be broken before each arrow."""
    return _chain(_parsed(graph))


def _chain(items: list[dict[str, object]]) -> str:
    drawn: list[str] = []
    for item in items:
        id = str(item.get("id", "?"))
        inner = _inner(item)
        drawn.append(f"{id} ⟨{_chain(inner)}⟩" if inner else id)
    return " ─▶\u00a0".join(drawn)


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
