"""How times, durations and statuses are put into words: pure functions."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.engine.models import RunStatus, StepStatus

Role = Literal["", "good", "bad", "live", "wait", "muted", "accent", "strong"]
"""What a piece of text means; the stylesheet gives each its colour."""

_MARKS: dict[str, tuple[str, str, Role]] = {
    "queued": ("○", "queued", "wait"),
    "running": ("●", "running", "live"),
    "sleeping": ("◐", "sleeping", "wait"),
    "suspended": ("◐", "waiting", "wait"),
    "success": ("✓", "done", "good"),
    "failed": ("✗", "failed", "bad"),
    "cancelled": ("■", "cancelled", "muted"),
    "crashed": ("✗", "crashed", "bad"),
    "interrupted": ("◐", "interrupted", "wait"),
    "": ("○", "not started", "muted"),
}

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LEVELS = "▁▂▃▄▅▆▇█"


def mark(status: RunStatus | StepStatus | Literal[""]) -> tuple[str, str, Role]:
    """Return the glyph, the word and the role of a status; empty stands for not started."""
    return _MARKS[status]


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


def ago(instant: datetime, now: datetime) -> str:
    """Say when something was: relative within a day, then by its date in the local zone."""
    seconds = (now - instant).total_seconds()
    if seconds < 5:
        return "just now"
    if seconds < 60:
        return f"{int(seconds)}s ago"
    if seconds < 3600:
        return f"{int(seconds // 60)}m ago"
    if seconds < 86_400:
        return f"{int(seconds // 3600)}h ago"
    return day_and_time(instant, now)


def until(instant: datetime, now: datetime) -> str:
    """Count down to an instant: `in 3m 04s`, or `now` once it has come."""
    seconds = (instant - now).total_seconds()
    return (
        "now"
        if seconds <= 0
        else f"in {duration(max(1.0, float(round(seconds))))}".replace(".0s", "s")
    )


def clock(instant: datetime, now: datetime) -> str:
    """Name a coming instant shortly: the time of day, with the day where it is not today."""
    local, today = instant.astimezone(), now.astimezone().date()
    if local.date() == today:
        return local.strftime("%H:%M")
    if local.date() - today == timedelta(days=1):
        return local.strftime("tmrw %H:%M")
    return day_and_time(instant, now)


def day_and_time(instant: datetime, now: datetime) -> str:
    """Name an instant by its date and time of day, with the year where it is another."""
    local = instant.astimezone()
    pattern = "%d %b %H:%M" if local.year == now.astimezone().year else "%d %b %Y"
    return local.strftime(pattern)


def exact(instant: datetime) -> str:
    """Name an instant exactly, with its zone."""
    return instant.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def short_id(run_id: str) -> str:
    """Shorten a run's id to the part that tells neighbours apart: a UUIDv7 ends in randomness."""
    return run_id if len(run_id) <= 8 else run_id[-6:]


def bar(fraction: float, width: int) -> str:
    """Draw a share done in half cells: `━━━━╸   `."""
    halves = round(min(1.0, max(0.0, fraction)) * width * 2)
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(width, "─")


def levels(values: Sequence[float | None]) -> str:
    """Draw values as a row of blocks relative to the greatest; `None` leaves a gap."""
    top = max((value for value in values if value is not None), default=0.0)
    drawn: list[str] = []
    for value in values:
        if value is None:
            drawn.append(" ")
        else:
            drawn.append(_LEVELS[min(7, int(value / top * 7.999))] if top > 0 else _LEVELS[0])
    return "".join(drawn)


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


def pretty(json_text: str | None) -> str:
    """Lay out recorded JSON for reading; whatever is no JSON is shown as it is."""
    if json_text is None:
        return ""
    try:
        return json.dumps(json.loads(json_text), indent=2, ensure_ascii=False)
    except ValueError:
        return json_text


def count(amount: int, noun: str) -> str:
    """Say how many: `1 run`, `2 runs`."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"
