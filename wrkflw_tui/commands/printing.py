"""How commands say things: data on standard output, all else on standard error."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len

from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.drawing.words import cut, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.drawing.marks import Role, Shown

_CODES: dict[Role, str] = {
    "good": "32",
    "bad": "31",
    "live": "36",
    "wait": "33",
    "muted": "2",
    "accent": "36",
    "strong": "1",
}
GAP = "  "
LEAST = 8
"""Columns that a cell which is cut keeps at least."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of a line, and what it means."""

    text: str
    role: Role = ""


def say(text: str) -> None:
    """Tell a person something; a script that reads the data does not see it."""
    print(text, file=sys.stderr, flush=True)


def is_terminal(stream: TextIO) -> bool:
    """Tell whether a person watches, on a terminal that can do more than print lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Return the columns of the terminal."""
    return shutil.get_terminal_size((80, 24)).columns


def paint(text: str, role: Role, stream: TextIO) -> str:
    """Colour text by what it means, where that is wanted."""
    code = _CODES.get(role)
    if code is None or not is_terminal(stream) or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def status_cell(status: Shown) -> Cell:
    """Return the glyph and the word of a status."""
    glyph, word, role = mark(status)
    return Cell(f"{glyph} {word}", role)


def print_json(value: object) -> None:
    """Print data for a program."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Sequence[Sequence[Cell | str]], gives: int) -> None:
    """Print rows under their heads; on a terminal column `gives` is cut to make them fit."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    titles = [Cell(title, "muted") for title in head]
    widths = [max(cell_len(row[n].text) for row in (titles, *cells)) for n in range(len(head))]
    if sys.stdout.isatty():
        over = sum(widths) + len(GAP) * (len(widths) - 1) - width()
        widths[gives] = max(LEAST, widths[gives] - max(0, over))
    for row in (titles, *cells):
        print(_line(row, widths))


def _cell(cell: Cell | str) -> Cell:
    return Cell(one_line(cell)) if isinstance(cell, str) else cell


def _line(row: Sequence[Cell], widths: Sequence[int]) -> str:
    shown: list[str] = []
    for number, (cell, room) in enumerate(zip(row, widths, strict=True), start=1):
        text = cut(cell.text, room)
        rest = "" if number == len(row) else " " * (room - cell_len(text))
        shown.append(paint(text, cell.role, sys.stdout) + rest)
    return GAP.join(shown).rstrip()
