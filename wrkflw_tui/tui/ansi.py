"""Colours that a program gave its text, and nothing else of what it tells a terminal."""

from __future__ import annotations

import re

from rich.ansi import AnsiDecoder
from rich.text import Text

from wrkflw_tui.tui.text import plain

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


def styled(line: str) -> Text:
    """Return a line with its colours and styles; all other control sequences are taken out."""
    line = _last(line)
    if "\x1b" not in line:
        return Text(plain(line), end="")
    pieces: list[str] = []
    position = 0
    for colour in _COLOURS.finditer(line):
        pieces += (plain(line[position : colour.start()]), colour[0])
        position = colour.end()
    pieces.append(plain(line[position:]))
    decoded = AnsiDecoder().decode_line("".join(pieces))
    decoded.end = ""
    return decoded


def shown(line: str) -> str:
    """Return what `styled` shows, as text."""
    return line if line.isprintable() else plain(_last(line)).replace("\n", " ")


def _last(line: str) -> str:
    """Return what is left in sight of a line that was written over: a progress bar's last state."""
    if "\r" not in line:
        return line
    return next((part for part in reversed(line.split("\r")) if part), "")
