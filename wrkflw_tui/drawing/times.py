"""Instants, run ids and recorded JSON as a person reads them: pure functions."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from wrkflw_tui.drawing.words import duration
from wrkflw_tui.engine.masking import shown


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


def pretty(json_text: str | None) -> str:
    """Lay out recorded JSON for reading; whatever is no JSON is shown as it is."""
    if json_text is None:
        return ""
    try:
        return json.dumps(json.loads(shown(json_text)), indent=2, ensure_ascii=False)
    except ValueError:
        return json_text
