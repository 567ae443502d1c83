"""Blocks of lines and text that are put together and then written out as lines of characters."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.cells import cell_len

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
_SIGNS = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"
"""The character whose lines go in the directions that are set in its index."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a node is written: `col` and `width` in cells; the first cell is its mark."""

    row: int
    col: int
    width: int
    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines of text, and where on them each node with a path of its own is written."""

    lines: tuple[str, ...]
    spans: tuple[Span, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True, slots=True)
class Piece:
    """Text at a place; it hides the lines below it."""

    row: int
    col: int
    text: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line from one cell to another to its right, or below it."""

    row: int
    col: int
    to_row: int
    to_col: int
    dotted: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Something drawn: the flow enters it at the top and leaves it at the bottom of its port."""

    width: int
    height: int
    port: int
    pieces: tuple[Piece, ...] = ()
    strokes: tuple[Stroke, ...] = ()

    def moved(self, rows: int, cols: int) -> Block:
        """Return it farther down and to the right; width and height include the way there."""
        return Block(
            self.width + cols,
            self.height + rows,
            self.port + cols,
            tuple(replace(p, row=p.row + rows, col=p.col + cols) for p in self.pieces),
            tuple(
                Stroke(s.row + rows, s.col + cols, s.to_row + rows, s.to_col + cols, s.dotted)
                for s in self.strokes
            ),
        )


def joined(port: int, blocks: list[Block], *strokes: Stroke) -> Block:
    """Put blocks that are at their places already, and lines between them, into one."""
    return Block(
        max(block.width for block in blocks),
        max(block.height for block in blocks),
        port,
        tuple(piece for block in blocks for piece in block.pieces),
        tuple(stroke for block in blocks for stroke in block.strokes) + strokes,
    )


def written(block: Block) -> Drawing:
    """Write a block out."""
    cells: dict[tuple[int, int], tuple[int, bool]] = {}
    for stroke in block.strokes:
        for row, col, ways in _cells(stroke):
            before, was_dotted = cells.get((row, col), (0, True))
            cells[row, col] = (before | ways, was_dotted and stroke.dotted)
    rows: list[dict[int, str]] = [{} for _ in range(block.height)]
    for (row, col), (ways, dotted) in cells.items():
        rows[row][col] = _sign(ways, dotted)
    for piece in block.pieces:
        _put(rows[piece.row], piece)
    lines = tuple(_line(row) for row in rows)
    spans = tuple(
        Span(piece.row, piece.col, cell_len(piece.text), piece.path)
        for piece in block.pieces
        if piece.path
    )
    return Drawing(lines, spans)


def _cells(stroke: Stroke) -> list[tuple[int, int, int]]:
    if stroke.row == stroke.to_row:
        cols = range(stroke.col, stroke.to_col + 1)
        ends = (stroke.col, stroke.to_col)
        return [(stroke.row, c, _ways(c, ends, RIGHT, LEFT)) for c in cols]
    rows = range(stroke.row, stroke.to_row + 1)
    return [(r, stroke.col, _ways(r, (stroke.row, stroke.to_row), DOWN, UP)) for r in rows]


def _ways(at: int, ends: tuple[int, int], on: int, back: int) -> int:
    return (on if at < ends[1] else 0) | (back if at > ends[0] else 0)


def _sign(ways: int, dotted: bool) -> str:
    if dotted and ways == UP | DOWN:
        return "┊"
    if dotted and ways == LEFT | RIGHT:
        return "╌"
    return _SIGNS[ways]


def _put(row: dict[int, str], piece: Piece) -> None:
    for col in range(piece.col, piece.col + cell_len(piece.text)):
        row.pop(col, None)
    row[piece.col] = piece.text


def _line(row: dict[int, str]) -> str:
    text, at = "", 0
    for col in sorted(row):
        text += " " * (col - at) + row[col]
        at = col + cell_len(row[col])
    return text.rstrip()
