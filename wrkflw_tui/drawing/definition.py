"""A definition as it is kept, read into nodes that know their paths and what to say of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias, cast

from wrkflw_tui.drawing.words import count, number, one_line, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_Item: TypeAlias = "dict[str, object]"
_INDEX = re.compile(r"\[\d+\]")
ANY = "[*]"
"""Stands for the index in the path of a body that goes more than once: `copy[*]/upload`."""

ON_FAILURE = "if it fails"
"""What is said of a handler."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A way out of a node; `label` is the condition under which it is taken, if there is one."""

    node: Node
    label: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a definition."""

    kind: str
    id: str
    path: str
    """Within the run, with `[*]` for an index; empty where the node has no row of its own."""
    words: str = ""
    """What it does, beside its id: `each item, 4 at a time`, `wait for paid, at most 3d`."""
    short: str = ""
    """What a sleep or a wait does, in place of its id: `wait paid`."""
    description: str = ""
    nodes: tuple[Node, ...] = ()
    """What a nested workflow consists of."""
    arms: tuple[Arm, ...] = ()
    body: Node | None = None
    """What goes more than once, or what a handler stands by."""
    handler: Node | None = None
    again: str = ""
    """Of a loop: when it goes again: `while is_big`."""
    seconds: float | None = None
    """Of a sleep: how long, where that is fixed."""

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes directly inside, in the order of work."""
        own = [*self.nodes, *(arm.node for arm in self.arms)]
        return (*own, *(node for node in (self.body, self.handler) if node is not None))


def read(graph: str | None) -> tuple[Node, ...]:
    """Read a definition; what cannot be read has no nodes."""
    if not graph:
        return ()
    try:
        content: object = json.loads(graph)
    except ValueError:
        return ()
    return _nodes(content, "", "")


def every(nodes: Sequence[Node]) -> Iterator[Node]:
    """Yield all nodes, those inside another after it."""
    for node in nodes:
        yield node
        yield from every(node.children)


def place(path: str) -> str:
    """Return the path in the definition of a path in a run: `copy[3]` is drawn at `copy[*]`."""
    return _INDEX.sub(ANY, path)


def _nodes(content: object, scope: str, suffix: str) -> tuple[Node, ...]:
    if not isinstance(content, list):
        return ()
    items = cast("list[object]", content)
    return tuple(_node(cast("_Item", item), scope, suffix) for item in items if _is_item(item))


def _is_item(item: object) -> bool:
    return isinstance(item, dict)


def _node(item: _Item, scope: str, suffix: str) -> Node:
    """Read one node; `suffix` is the index that stands behind its id, as a body's."""
    kind, id = str(item.get("kind", "step")), _said(item, "id")
    path = scope + id + suffix
    description = one_line(str(item.get("description") or ""))
    match kind:
        case "workflow":
            inside = _nodes(item.get("nodes"), f"{path}/", "")
            return Node(kind, id, path, description=description, nodes=inside)
        case "parallel":
            arms = tuple(Arm(node) for node in _nodes(item.get("arms"), scope, suffix))
            return Node(kind, id, path, _parallel_words(item), arms=arms)
        case "branch":
            return Node(kind, id, path, _branch_words(item), arms=_cases(item, scope, suffix))
        case "foreach":
            return Node(kind, id, path, _foreach_words(item), body=_inside(item, "body", scope))
        case "loop":
            words, again = _loop_words(item)
            return Node(kind, id, path, words, body=_inside(item, "body", scope), again=again)
        case "recover":
            body = _inside(item, "body", scope, suffix)
            handler = _inside(item, "handler", scope, suffix)
            return Node(kind, id, "", body=body, handler=handler)
        case "sleep":
            words = _sleep_words(item)
            return Node(kind, id, path, words, words, seconds=_number(item, "seconds"))
        case "wait":
            event = _said(item, "event")
            return Node(kind, id, path, _wait_words(item, event), f"wait {event}")
        case _:
            words = "" if kind == "step" else kind
            return Node(kind, id, path, words, description=description)


def _inside(item: _Item, name: str, scope: str, suffix: str = ANY) -> Node:
    inner = item.get(name)
    return _node(cast("_Item", inner) if _is_item(inner) else {}, scope, suffix)


def _cases(item: _Item, scope: str, suffix: str) -> tuple[Arm, ...]:
    nodes = _nodes(item.get("arms"), scope, suffix)
    names = cast("list[object]", item.get("conditions") or [])
    labels = [one_line(str(name)) or "?" for name in names] + ["?"] * len(nodes)
    arms = [Arm(node, label) for node, label in zip(nodes, labels, strict=False)]
    otherwise = item.get("otherwise")
    if _is_item(otherwise):
        arms.append(Arm(_node(cast("_Item", otherwise), scope, suffix), "otherwise"))
    return tuple(arms)


def _said(item: _Item, name: str) -> str:
    return one_line(str(item.get(name) or "")) or "?"


def _number(item: _Item, name: str) -> float | None:
    value = item.get(name)
    return float(value) if isinstance(value, int | float) else None


def _at_a_time(limit: float | None) -> str:
    if limit is None:
        return "all at once"
    return "one at a time" if limit == 1 else f"{number(limit)} at a time"


def _collected(item: _Item) -> str:
    return ", failures are collected" if item.get("on_error") == "collect" else ""


def _parallel_words(item: _Item) -> str:
    return _at_a_time(_number(item, "limit")) + _collected(item)


def _foreach_words(item: _Item) -> str:
    return f"each item, {_at_a_time(_number(item, 'concurrency') or 1)}{_collected(item)}"


def _branch_words(item: _Item) -> str:
    return "every arm that holds" if item.get("takes") == "all" else "the first arm that holds"


def _loop_words(item: _Item) -> tuple[str, str]:
    """Say what a loop does, and when it goes again."""
    condition = _said(item, "condition")
    word = "until" if item.get("until") else "while"
    limit = _number(item, "max_iterations")
    most = "" if limit is None else f", at most {count(int(limit), 'time')}"
    return f"{word} {condition}{most}", f"{word} {condition}"


def _sleep_words(item: _Item) -> str:
    seconds, instant = _number(item, "seconds"), item.get("until")
    if seconds is not None:
        return f"sleep {span(seconds)}"
    if instant:
        return f"sleep until {_instant(str(instant))}"
    return f"sleep as {_said(item, 'function')} says"


def _wait_words(item: _Item, event: str) -> str:
    timeout = _number(item, "timeout")
    most = "" if timeout is None else f", at most {span(timeout)}"
    return f"wait for {event}{most}"


def _instant(written: str) -> str:
    """Name an instant in the local zone, to the minute where that is exact."""
    try:
        local = datetime.fromisoformat(written).astimezone()
    except ValueError:
        return one_line(written)
    return local.strftime("%Y-%m-%d %H:%M:%S %Z" if local.second else "%Y-%m-%d %H:%M %Z")
