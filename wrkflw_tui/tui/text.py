"""How times, durations and statuses are put into words: pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.drawing.marks import Role, mark
from wrkflw_tui.drawing.times import ago, clock, day_and_time, exact, pretty, short_id, until
from wrkflw_tui.drawing.words import count, cut, duration, fit, number, one_line, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Role",
    "ago",
    "bar",
    "clock",
    "count",
    "cut",
    "day_and_time",
    "duration",
    "exact",
    "fit",
    "levels",
    "mark",
    "number",
    "one_line",
    "plain",
    "pretty",
    "short_id",
    "until",
]

_LEVELS = "▁▂▃▄▅▆▇█"


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
