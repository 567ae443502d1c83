"""Lengths of time as a person writes them: `90s`, `15m`, `1h30m`, `2d`, `1w`."""

from __future__ import annotations

import re
from datetime import timedelta

from wrkflw_tui.engine.errors import WrkflwError

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SHAPE = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS))
_FORM = "a length of time is written like 90s, 15m, 1h30m, 2d or 1w"


class DurationError(WrkflwError, ValueError):
    """A text that is no length of time; says how one is written."""


def parse_duration(text: str) -> timedelta:
    """Read a length of time above 0: whole numbers with `w d h m s`, the longest unit first.

    Raises `DurationError`.
    """
    found = _SHAPE.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise DurationError(f"{text!r} cannot be read: {_FORM}")
    parts = dict(zip(_UNITS.values(), (int(n or 0) for n in found.groups()), strict=True))
    try:
        length = timedelta(**parts)
    except OverflowError:
        raise DurationError(f"{text!r} is longer than can be counted") from None
    if not length:
        raise DurationError(f"{text!r} is no time at all: {_FORM}")
    return length


def format_duration(length: timedelta) -> str:
    """Write a length of time, in whole seconds, so that `parse_duration` reads it back."""
    seconds, parts = round(length.total_seconds()), list[str]()
    for unit, name in _UNITS.items():
        count, seconds = divmod(seconds, round(timedelta(**{name: 1}).total_seconds()))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
