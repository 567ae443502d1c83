"""Which results of a run a fork takes over: those that came before the step it begins with.

Told from the definition as it is on record, so that nobody has to import an automation to fork.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from wrkflw_tui.engine.differences import with_bodies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrkflw_tui.engine.differences import Drawn
    from wrkflw_tui.engine.journal import Entry

Place: TypeAlias = Literal["before", "beside"] | None
"""Before the fork's step, in a sibling arm or item of it, or neither."""


def place_of(nodes: list[Drawn], path: str, at: str) -> Place:
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
    inside = _body(nodes[node], head).get("nodes")
    if not rest or not at_rest or inside is None:
        return None
    return place_of(cast("list[Drawn]", inside), rest, at_rest)


def is_settled(nodes: list[Drawn], path: str, entries: Mapping[str, Entry]) -> bool:
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
        inside = _body(nodes[at], head).get("nodes")
        if inside is None:
            return False
        nodes, scope = cast("list[Drawn]", inside), f"{scope}{head}/"
    return False


def _goes_on_without(node: Drawn, head: str, scope: str, entries: Mapping[str, Entry]) -> bool:
    id, index = _split(head)
    match node["kind"]:
        case "recover":
            handler = cast("Drawn", node["handler"])
            return id == _body_id(node) and f"{scope}{handler['id']}" in entries
        case "foreach" | "parallel":
            row = entries.get(f"{scope}{node['id']}")
            if row is None or row.status != "success" or row.output is None:
                return False
            return (id if index is None else index) in json.loads(row.output)
        case _:
            return False


def _within(node: Drawn, head: str, at_head: str) -> Place:
    """Compare two different places of one node."""
    (id, index), (at_id, at_index) = _split(head), _split(at_head)
    match node["kind"]:
        case "parallel" | "branch":
            if id == node["id"]:
                return "before" if node["kind"] == "branch" else None
            return None if at_id == node["id"] else "beside"
        case "foreach":
            return "beside" if id == at_id == _body_id(node) else None
        case "loop":
            if index is None or at_index is None:
                return None
            is_earlier = index < at_index or (index == at_index and id == _body_id(node))
            return "before" if is_earlier else None
        case "recover":
            return "before" if id == _body_id(node) else None
        case _:
            return None


def _index(nodes: list[Drawn], head: str) -> int | None:
    id = _split(head)[0]
    for index, node in enumerate(nodes):
        if any(id == part["id"] for part in with_bodies(node)):
            return index
    return None


def _body(node: Drawn, head: str) -> Drawn:
    id = _split(head)[0]
    return next((body for body in with_bodies(node)[1:] if body["id"] == id), node)


def _body_id(node: Drawn) -> object:
    return cast("Drawn", node["body"])["id"]


def _split(head: str) -> tuple[str, int | None]:
    id, _, index = head.partition("[")
    return id, int(index.rstrip("]")) if index else None
