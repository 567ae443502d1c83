"""Text fit for a cell grid: cleaned, cut, and lengths of time and numbers in words."""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def duration(seconds: float) -> str:
    """Put a length of time in a few characters: `34ms`, `0.4s`, `3m 04s`, `1h 02m`, `2d 03h`."""
    seconds = max(0.0, seconds)
    if seconds < 0.0995:
        return f"{round(seconds * 1000)}ms"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02}m"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours:02}h"


def span(seconds: float) -> str:
    """Name a length of time that somebody chose: `1h`, `1d 12h`, `1m 30s`, `0.5s`."""
    whole, rest = divmod(max(0.0, seconds), 60)
    parts: list[str] = []
    for unit, size in (("d", 1440), ("h", 60), ("m", 1)):
        number, whole = divmod(whole, size)
        if number:
            parts.append(f"{int(number)}{unit}")
    if rest or not parts:
        parts.append(f"{rest:.3f}".rstrip("0").rstrip(".") + "s")
    return " ".join(parts)


def plain(text: str) -> str:
    """Take escape sequences and control characters out, so that text can do nothing."""
    return _CONTROL.sub("", _ESCAPE.sub("", text.replace("\r\n", "\n"))).expandtabs(4)


def one_line(text: str) -> str:
    """Put text into one line without control characters."""
    return " ".join(plain(text).split())


def fit(text: str, width: int) -> str:
    """Cut or pad text to a width in cells; a cut ends in `…`."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…"


def cut(text: str, width: int) -> str:
    """Cut text to a width in cells, if it is wider."""
    return text if cell_len(text) <= width else fit(text, width)


def number(value: float) -> str:
    """Write a number without a needless fraction, and large ones in thousands."""
    return f"{int(value):,}" if value == int(value) else f"{value:,.1f}"


def size(amount: int) -> str:
    """Put a number of bytes in a few characters: `512 B`, `4.0 kB`, `12.3 MB`."""
    if amount < 1000:
        return f"{amount} B"
    value = float(amount)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:,.1f} {unit}"
    return f"{value / 1000:,.1f} TB"


def count(amount: int, noun: str) -> str:
    """Say how many: `1 run`, `2 runs`."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"
