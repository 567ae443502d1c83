"""Values of options, read from what was typed."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from typing import cast, get_args

from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.engine.models import RunStatus

STATUSES = cast("tuple[RunStatus, ...]", get_args(RunStatus))
_WORDS = {mark(name)[1]: name for name in STATUSES}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)")


def status(text: str) -> str:
    """Read a status by its name, or by the word that tables have for it."""
    return _WORDS.get(text, text)


def positive(text: str) -> int:
    """Read a number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def not_negative(text: str) -> int:
    """Read a number of at least 0."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, not {number}")
    return number


def port(text: str) -> int:
    """Read a port; 0 is any that is free."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"must be a port from 0 to 65535, not {number}")
    return number


def length(text: str) -> timedelta:
    """Read a length of time as settings have it: `90s`, `1h30m`, `90d`."""
    from wrkflw_tui.schedules.duration import DurationError, parse_duration

    try:
        return parse_duration(text)
    except DurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def seconds(text: str) -> float:
    """Read a length of time: `90`, `90s`, `30m`, `2h`, `7d`."""
    found = _LENGTH.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"must be a time such as 90s, 30m, 2h or 7d, not {text!r}")
    return float(found[1]) * _SECONDS.get(found[2], 1)


def ago(text: str) -> timedelta | None:
    """Read a length of time such as `7d` or `1h30m`, if it is one."""
    from wrkflw_tui.schedules.duration import DurationError, parse_duration

    try:
        return parse_duration(text)
    except DurationError:
        return None


def since(text: str) -> datetime:
    """Read an instant: how long ago, or a date and perhaps a time in the local zone."""
    if _LENGTH.fullmatch(text.strip()):
        return datetime.now(UTC) - timedelta(seconds=seconds(text))
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be how long ago, such as 12h or 7d, or a date such as 2026-07-31, not {text!r}"
        ) from None
