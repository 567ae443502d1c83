"""A definition as a Mermaid flowchart: text that GitHub, GitLab and many editors draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.drawing.definition import ON_FAILURE
from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.drawing.state import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wrkflw_tui.drawing.definition import Node
    from wrkflw_tui.drawing.state import State

_SHAPES = {
    "map": ('("', '")'),
    "parallel": ('{{"', '"}}'),
    "branch": ('{"', '"}'),
    "sleep": ('(["', '"])'),
    "wait": ('[/"', '"/]'),
}
_PLAIN = frozenset(" .,:/-")
"""What needs no escape inside a label, beside letters, digits and signs that are no ASCII."""

_CLASSES = {
    "good": "fill:#d7f5dd,stroke:#2e7d32,color:#10381a",
    "bad": "fill:#fbdcdc,stroke:#c62828,color:#4a1010",
    "live": "fill:#d9e9fd,stroke:#1565c0,color:#0b2d54",
    "wait": "fill:#fdf1cf,stroke:#b28704,color:#4a3900",
    "muted": "fill:#f0f0f0,stroke:#9e9e9e,color:#555555",
}
"""The look of each role that a status can have, readable on a light and on a dark page."""


def mermaid(nodes: Sequence[Node], states: Mapping[str, State] | None = None) -> str:
    """Write nodes as a flowchart, with how they stand in a run where that is given."""
    chart = _Chart(states)
    chart.sequence(nodes, [], 1)
    return "\n".join(["flowchart TD", *chart.lines, *chart.classes()]) + "\n"


class _Chart:
    """Writes nodes and edges; a way out is a node's name and the label of the edge from it."""

    def __init__(self, states: Mapping[str, State] | None) -> None:
        self.lines: list[str] = []
        self._states = states
        self._named = 0
        self._roles: dict[str, list[str]] = {}

    def sequence(self, nodes: Sequence[Node], ways: list[tuple[str, str]], depth: int) -> _Ways:
        """Write nodes after one another; return the first one's name and the ways out."""
        first = ""
        for node in nodes:
            entry, out = self._node(node, depth)
            for name, label in ways:
                self._edge(name, entry, label, depth)
            first, ways = first or entry, out
        return first, ways

    def classes(self) -> list[str]:
        """Return the looks of statuses and the nodes that have them."""
        lines: list[str] = []
        for role, names in self._roles.items():
            lines.append(f"    classDef {role} {_CLASSES[role]}")
            lines.append(f"    class {','.join(names)} {role}")
        return lines

    # -- nodes

    def _node(self, node: Node, depth: int) -> _Ways:
        if node.kind == "recover" and node.body and node.handler:
            return self._recover(node.body, node.handler, depth)
        inside = node.nodes or ((node.body,) if node.body else ())
        if inside:
            return self._subgraph(node, inside, depth)
        return self._fork(node, depth) if node.arms else self._leaf(node, depth)

    def _leaf(self, node: Node, depth: int) -> _Ways:
        before, after = _SHAPES.get(node.kind, ('["', '"]'))
        name = self._name("n", node)
        self._write(f"{name}{before}{self._label(node)}{after}", depth)
        return name, [(name, "")]

    def _subgraph(self, node: Node, inside: Sequence[Node], depth: int) -> _Ways:
        name = self._name("s", node)
        self._write(f'subgraph {name}["{self._label(node)}"]', depth)
        entry, out = self.sequence(inside, [], depth + 1)
        if node.again:
            for last, label in out:
                again = f"again {node.again}"
                self._edge(last, entry, f"{label}, {again}" if label else again, depth + 1)
        self._write("end", depth)
        return entry, out

    def _fork(self, node: Node, depth: int) -> _Ways:
        name, _ = self._leaf(node, depth)
        ways: list[tuple[str, str]] = []
        for arm in node.arms:
            _, out = self.sequence([arm.node], [(name, arm.label)], depth)
            ways += out
        return name, ways

    def _recover(self, body: Node, handler: Node, depth: int) -> _Ways:
        frame = f"s{self._named + 1}"
        entry, out = self._node(body, depth)
        source = frame if body.nodes else entry
        start, rescued = self._node(handler, depth)
        self._write(f'{source} -. "{ON_FAILURE}" .-> {start}', depth)
        return entry, [*out, *rescued]

    # -- text

    def _label(self, node: Node) -> str:
        state = (self._states or {}).get(node.path, NOTHING)
        parts = [node.id, node.words if node.words != node.kind else "", state.words]
        lines = [quoted(part) for part in parts if part]
        if self._states is not None:
            lines[0] = f"{mark(state.status)[0]} {lines[0]}"
        return "<br/>".join(lines)

    def _name(self, letter: str, node: Node) -> str:
        self._named += 1
        name = f"{letter}{self._named}"
        if self._states is not None:
            role = mark(self._states.get(node.path, NOTHING).status)[2]
            self._roles.setdefault(role, []).append(name)
        return name

    def _edge(self, source: str, target: str, label: str, depth: int) -> None:
        said = f'|"{quoted(label)}"|' if label else ""
        self._write(f"{source} -->{said} {target}", depth)

    def _write(self, line: str, depth: int) -> None:
        self.lines.append("    " * depth + line)


_Ways = tuple[str, list[tuple[str, str]]]
"""A node's name and the ways out of it."""


def quoted(text: str) -> str:
    """Write text so that Mermaid takes it for nothing but text.

    A label that begins like a list, `1. ` or `- `, would become one: it must not begin so.
    """
    written, has_begun = "", False
    for sign in text:
        has_begun = has_begun or sign.isalpha()
        is_plain = sign.isalnum() or ord(sign) > 0x7F or sign in _PLAIN
        is_plain = is_plain and (has_begun or sign not in ".-")
        written += sign if is_plain else f"#{ord(sign)};"
    return written
