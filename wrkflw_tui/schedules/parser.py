"""A strict reader of cron expressions: what has two readings is refused, and told why."""

from __future__ import annotations

import re
from typing import NoReturn

from wrkflw_tui.schedules.fields import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    WEEKDAY,
    read_days,
    read_numbers,
    read_weekdays,
    shown,
)
from wrkflw_tui.schedules.spec import ALL_DAYS, ALL_WEEKDAYS, CronError, CronSpec

MAX_LENGTH = 256
"""The longest expression; the longest sensible one, all sixty minutes in a list, has 178."""

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_UNREADABLE = re.compile(r"[^\t\x20-\x7e]")
_FORM = "five fields (minute, hour, day of month, month, day of week) or a nickname such as @daily"


def parse_cron(text: str) -> CronSpec:
    """Read a cron expression; raise `CronError` if it is none, or one with two readings."""
    minute, hour, day, month, weekday = _split(text)
    minutes, hours = read_numbers(MINUTE, minute), read_numbers(HOUR, hour)
    days, last_day = read_days(day)
    months = read_numbers(MONTH, month)
    weekdays, nth = read_weekdays(weekday)
    if last_day and not _is_star(weekday, weekdays, ALL_WEEKDAYS):
        DAY.refuse(day, f"cannot be mixed with day of week {shown(weekday)}: write * there")
    if nth and not _is_star(day, days, ALL_DAYS):
        WEEKDAY.refuse(weekday, f"cannot be mixed with day of month {shown(day)}: write * there")
    # Cron's own rule looks at the first character: `*/2` counts as a star, `1-31` does not.
    day_or = not (day.startswith("*") or weekday.startswith("*"))
    if not last_day and min(days) > _longest(months):
        if not day_or:
            _refuse_date(day, months)
        # The weekdays alone remain.
        days, day_or = set(ALL_DAYS), False
    if day_or and (days == set(ALL_DAYS) or weekdays == set(ALL_WEEKDAYS)):
        # Either of the two is always met.
        days, weekdays, day_or = set(ALL_DAYS), set(ALL_WEEKDAYS), False
    return CronSpec(
        source=text,
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=tuple(sorted(days)),
        last_day=last_day and days != set(ALL_DAYS),
        months=tuple(sorted(months)),
        weekdays=tuple(sorted(weekdays)),
        nth=tuple(sorted(nth)),
        day_or=day_or,
        wildcard=minute.startswith("*") or hour.startswith("*"),
    )


def _split(text: str) -> list[str]:
    """Return the five fields, those of a nickname included."""
    # The length comes first: a megabyte is refused without being looked at.
    if len(text) > MAX_LENGTH:
        raise CronError(
            f"expression: {len(text)} characters are too many; allowed: {MAX_LENGTH} at most"
        )
    if found := _UNREADABLE.search(text):
        raise CronError(
            f"expression: character {found[0]!a} at position {found.start() + 1} cannot be"
            " read; allowed: printable ASCII and tabs, on one line"
        )
    plain = text.strip(" \t")
    if plain.startswith("@"):
        plain = _expand_nickname(plain)
    fields = plain.split()
    if len(fields) != 5:
        _refuse_count(plain, len(fields))
    return fields


def _expand_nickname(text: str) -> str:
    expression = NICKNAMES.get(text.lower())
    if expression is None:
        raise CronError(
            f"nickname: {shown(text)} has no next time in a calendar;"
            f" allowed: {', '.join(NICKNAMES)}"
        )
    return expression


def _refuse_count(text: str, count: int) -> NoReturn:
    problem = f"has {count} field{'' if count == 1 else 's'}"
    if count in (6, 7):
        problem += ", and programs differ on whether seconds come first or last"
    raise CronError(f"expression: {shown(text)} {problem}; allowed: {_FORM}")


def _refuse_date(day: str, months: set[int]) -> NoReturn:
    problem = f"never comes in the months given, which have {_longest(months)} days at most"
    DAY.refuse(day, problem)


def _longest(months: set[int]) -> int:
    """Return the days of the longest of these months, in a leap year."""
    return max(_DAYS_IN_MONTH[month - 1] for month in months)


def _is_star(text: str, numbers: set[int], everything: tuple[int, ...]) -> bool:
    """Tell whether a day field restricts nothing under either reading of cron."""
    return text.startswith("*") and numbers == set(everything)
