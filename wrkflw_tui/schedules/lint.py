"""What about an expression may not be what was meant, though it is valid."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from wrkflw_tui.schedules.cron import first_match
from wrkflw_tui.schedules.spec import ALL_DAYS, ALL_HOURS, ALL_MINUTES, CronSpec
from wrkflw_tui.schedules.zones import zone_table

if TYPE_CHECKING:
    from wrkflw_tui.schedules.when import Timing
    from wrkflw_tui.schedules.zones import Change

_AHEAD = timedelta(days=400)
"""How far ahead the next change of the clock is looked for."""
_STEP = re.compile(r"(?:\*|[a-z0-9]+)/([0-9]+)", re.IGNORECASE)
_FIELDS = (("minute", 60), ("hour", 24), ("day", 0), ("month", 12), ("weekday", 7))
"""The fields and how many values each has; months differ in their days."""


def lint(spec: Timing, zone: str, now: datetime | None = None) -> list[str]:
    """Say what may surprise about a timing, in whole sentences; often nothing.

    `now` is where the search for the next change of the clock begins.
    """
    if not isinstance(spec, CronSpec):
        return []
    return [
        *_uneven_steps(spec),
        *_both_days(spec),
        *_every_minute(spec),
        *_short_months(spec),
        *_clock_change(spec, zone, now or datetime.now(UTC)),
    ]


def _uneven_steps(spec: CronSpec) -> list[str]:
    fields = spec.source.split()
    if len(fields) != len(_FIELDS):
        return []
    found: list[str] = []
    for text, (name, size) in zip(fields, _FIELDS, strict=True):
        for item in text.split(","):
            match = _STEP.fullmatch(item)
            if match is None or int(match[1]) == 1:
                continue
            if name == "day":
                found.append(f"{item}: counted from the 1st anew each month")
            elif size % int(match[1]):
                found.append(
                    f"{item}: {match[1]} does not divide the {size} values of {name}, so the last"
                    " gap of each round is shorter"
                )
    return found


def _both_days(spec: CronSpec) -> list[str]:
    if spec.day_or:
        return ["day of month and day of week are both set: it fires when either holds"]
    restricts = not spec.every_day_of_month and not (spec.every_weekday and not spec.nth)
    return ["day of month and day of week are both set: both have to hold"] if restricts else []


def _every_minute(spec: CronSpec) -> list[str]:
    if spec.minutes == ALL_MINUTES and spec.hours != ALL_HOURS:
        hours = "the hour" if len(spec.hours) == 1 else "each of these hours"
        return [f"fires in every minute of {hours}, 60 times: for once, put a 0 first"]
    return []


def _short_months(spec: CronSpec) -> list[str]:
    late = [day for day in spec.days if day > 28]
    if not late or spec.days == ALL_DAYS or spec.day_or or spec.last_day:
        return []
    if len(spec.days) > len(late) and spec.days[0] < 28 and spec.days[-1] - spec.days[0] > 20:
        return []  # a rhythm through the month, not a day that is awaited
    days = " and ".join(f"{day}" for day in late)
    return [f"day {days}: shorter months are left out; L is the last day of each"]


def _clock_change(spec: CronSpec, zone: str, now: datetime) -> list[str]:
    """Tell of the next clock change that moves, drops or repeats a fire."""
    for change in zone_table(zone).changes(now, now + _AHEAD):
        said = _touched(spec, change)
        if said:
            return [f"on {change.wall_before:%a %d %b %Y} the clock of {zone} {said}"]
    return []


def _touched(spec: CronSpec, change: Change) -> str:
    """Say what a change does to an expression; empty where that is nothing to wonder at."""
    low, high = sorted((change.wall_before, change.wall_after))
    nominal = first_match(spec, low)
    if nominal is None or nominal >= high or (spec.wildcard and spec.hours == ALL_HOURS):
        return ""
    forward = change.after > change.before
    jump = f"goes from {change.wall_before:%H:%M} to {change.wall_after:%H:%M}: "
    if change.is_correction or spec.wildcard:
        return jump + ("what falls in between is left out" if forward else "it fires in both")
    if forward:
        return jump + f"{nominal:%H:%M} fires at {change.wall_after:%H:%M}"
    return jump + f"{nominal:%H:%M} fires the first time only"
