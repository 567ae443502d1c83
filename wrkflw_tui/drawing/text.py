"""A definition as lines of characters: the flow goes down a spine, frames lie around it.

Every node is a mark and its id on the spine. What holds others is a frame around them; arms are
spines of their own, side by side where they fit, else below one another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from wrkflw_tui.drawing.canvas import Block, Drawing, Piece, Stroke, joined, written
from wrkflw_tui.drawing.definition import ON_FAILURE
from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.drawing.state import NOTHING
from wrkflw_tui.drawing.words import cut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wrkflw_tui.drawing.definition import Arm, Node
    from wrkflw_tui.drawing.state import State

GAP = 3
"""Columns between arms that stand side by side."""
ELBOW = 3
"""Columns from a spine to that of an arm drawn below it."""
NARROW = 16
"""Columns that a frame or an elbow needs: with less, what is inside stays on the spine."""
LEAST = 4
"""Columns that no drawing does without."""


def draw(nodes: Sequence[Node], width: int, states: Mapping[str, State] | None = None) -> Drawing:
    """Draw nodes within a width in cells, with how they stand in a run where that is given."""
    if not nodes:
        return Drawing((), ())
    return written(_Layout(states or {}).sequence(tuple(nodes), max(LEAST, width)))


class _Layout:
    """Lays nodes out; what was laid out for a width is kept, for frames ask more than once."""

    def __init__(self, states: Mapping[str, State]) -> None:
        self._states = states
        self._kept: dict[tuple[int, int], Block] = {}

    def sequence(self, nodes: Sequence[Node], room: int) -> Block:
        """Put nodes below one another, their ports on one spine."""
        spine = max(self.node(node, room).port for node in nodes)
        return _stacked([self._fitting(node, spine, room) for node in nodes], link=True)

    def _fitting(self, node: Node, spine: int, room: int) -> Block:
        """Lay a node out so that it fits where the spine of its sequence will be."""
        block = self.node(node, room)
        if spine - block.port + block.width > room:
            block = self.node(node, max(LEAST, room - spine + block.port))
        if spine - block.port + block.width > room:  # with less room its port has moved
            block = self.node(node, max(LEAST, room - spine))
        return block

    def node(self, node: Node, room: int) -> Block:
        """Lay one node out, no wider than `room`."""
        key = (id(node), room)
        if key not in self._kept:
            self._kept[key] = self._laid(node, room)
        return self._kept[key]

    def _laid(self, node: Node, room: int) -> Block:
        if node.kind == "recover" and node.body and node.handler:
            return self._recover(node.body, node.handler, room)
        inside = node.nodes or ((node.body,) if node.body else ())
        if inside:
            return self._frame(node, inside, room)
        return self._fork(node, room) if node.arms else self._title(node, room)

    # -- what is written

    def _title(self, node: Node, room: int) -> Block:
        """Write the mark, the id, how it stands and what it does, as far as there is room."""
        state = self._states.get(node.path, NOTHING)
        text = f"{mark(state.status)[0]} {cut(node.id, room - 2)}"
        for part in self._parts(node, state):
            left = room - cell_len(text) - 2
            if left >= min(cell_len(part), 6):
                text += f"  {cut(part, left)}"
        return Block(cell_len(text), 1, 0, (Piece(0, 0, text, node.path),))

    def _parts(self, node: Node, state: State) -> list[str]:
        return [part for part in (state.words, node.words) if part]

    # -- what holds others

    def _frame(self, node: Node, inside: Sequence[Node], room: int) -> Block:
        """Draw a frame around nodes, its title on its upper edge where the spine enters."""
        if room < NARROW:
            flat = [self._title(node, room), self.sequence(inside, room)]
            return _stacked(flat, link=True)
        body = self.sequence(inside, room - 4).moved(1, 2)
        title = self._title(node, room - body.port - 3)
        text = f"{title.pieces[0].text} "
        width = max(body.width + 2, body.port + cell_len(text) + 2)
        piece = Piece(0, body.port, title.pieces[0].text, node.path)
        blank = Piece(0, body.port + title.width, " ")
        low, right = body.height, width - 1
        edge = Block(width, low + 1, body.port, (piece, blank))
        return joined(
            body.port,
            [edge, body],
            Stroke(0, 0, 0, right),
            Stroke(low, 0, low, right),
            Stroke(0, 0, low, 0),
            Stroke(0, right, low, right),
        )

    def _fork(self, node: Node, room: int) -> Block:
        """Draw arms: side by side if they fit, else below one another."""
        blocks = [self._labelled(arm, room) for arm in node.arms]
        if len(blocks) == 1:
            title = self._title(node, room - blocks[0].port)
            return _stacked([title, *blocks], link=not node.arms[0].label)
        if sum(block.width for block in blocks) + GAP * (len(blocks) - 1) <= room:
            return self._side_by_side(node, blocks, room)
        return self._below(node, room)

    def _labelled(self, arm: Arm, room: int) -> Block:
        """Lay an arm out under its label."""
        block = self.node(arm.node, room)
        if not arm.label:
            return block
        block = block.moved(1, 0)
        label = cut(arm.label, room - block.port - 2)
        piece = Piece(0, block.port + 2, label)
        top = Block(block.port + 2 + cell_len(label), 1, 0, (piece,))
        return joined(block.port, [block, top], Stroke(0, block.port, 1, block.port))

    def _side_by_side(self, node: Node, arms: Sequence[Block], room: int) -> Block:
        port = arms[0].port
        title = self._title(node, room - port).moved(0, port)
        low = max(arm.height for arm in arms) + 2
        blocks, strokes, at = [title], [Stroke(0, port, 1, port)], 0
        last = port
        for arm in arms:
            block = arm.moved(2, at)
            last = block.port
            blocks.append(block)
            strokes += [Stroke(1, last, 2, last), Stroke(block.height - 1, last, low, last)]
            at = block.width + GAP
        blocks.append(Block(last + 1, low + 1, port))
        strokes += [Stroke(1, port, 1, last), Stroke(low, port, low, last)]
        return joined(port, blocks, *strokes)

    def _below(self, node: Node, room: int) -> Block:
        if room < NARROW:
            return _stacked([self._title(node, room), *self._flat(node.arms, room)], link=True)
        arms = [
            self._elbow(arm.label, self.node(arm.node, room - ELBOW), room) for arm in node.arms
        ]
        return _stacked([self._title(node, room), *arms], link=False)

    def _flat(self, arms: Sequence[Arm], room: int) -> list[Block]:
        """Lay arms out on the spine, where there is no room beside it."""
        blocks: list[Block] = []
        for arm in arms:
            if arm.label:
                blocks.append(_word(arm.label, room))
            blocks.append(self.node(arm.node, room))
        return blocks

    def _elbow(self, label: str, block: Block, room: int, *, dotted: bool = False) -> Block:
        """Lead from the spine to a block beside it and back."""
        arm = block.moved(1, ELBOW)
        low, port = arm.height, arm.port
        said = cut(label, max(0, room - port - 2))
        edge = Block(max(port + 1, port + 2 + cell_len(said) if said else 0), low + 1, 0)
        words = Block(edge.width, 1, 0, (Piece(0, port + 2, said),) if said else ())
        return joined(
            0,
            [arm, edge, words],
            Stroke(0, 0, low, 0),
            Stroke(0, 0, 0, port, dotted),
            Stroke(0, port, 1, port, dotted),
            Stroke(low - 1, port, low, port, dotted),
            Stroke(low, 0, low, port, dotted),
        )

    def _recover(self, body: Node, handler: Node, room: int) -> Block:
        """Draw a body, and beside the spine below it what runs when it fails."""
        first = self.node(body, room)
        beside = room - first.port
        if beside < NARROW:
            flat = [first, _word(ON_FAILURE, beside), self.node(handler, beside)]
            return _stacked(flat, link=True)
        second = self.node(handler, beside - ELBOW)
        return _stacked([first, self._elbow(ON_FAILURE, second, beside, dotted=True)], link=False)


def _word(label: str, room: int) -> Block:
    """Write a label on the spine, where there is no room beside it."""
    text = cut(f"┄ {label}", room)
    return Block(cell_len(text), 1, 0, (Piece(0, 0, text),))


def _stacked(blocks: Sequence[Block], *, link: bool) -> Block:
    """Put blocks below one another on one spine, with a line of it between them if asked."""
    spine = max(block.port for block in blocks)
    placed: list[Block] = []
    strokes: list[Stroke] = []
    row = 0
    for block in blocks:
        at = block.moved(row, spine - block.port)
        if placed:
            strokes.append(Stroke(placed[-1].height - 1, spine, row, spine))
        placed.append(at)
        row = at.height + link
    return joined(spine, placed, *strokes)
