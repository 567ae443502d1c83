"""A cron expression taken apart: the sets that evaluator and description both read."""

from __future__ import annotations

from dataclasses import dataclass

ALL_MINUTES = tuple(range(60))
ALL_HOURS = tuple(range(24))
ALL_DAYS = tuple(range(1, 32))
ALL_MONTHS = tuple(range(1, 13))
ALL_WEEKDAYS = tuple(range(7))

LAST = 0
"""The place in the month that means the last of its weekday; 1 to 5 count from the start."""


class CronError(ValueError):
    """A cron expression that cannot be taken: says which field, which value and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronSpec:
    """A cron expression, parsed and reduced to its plainest form."""

    source: str
    """The expression as it was written."""
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    """Days of the month; empty where `last_day` alone is meant."""
    last_day: bool
    """Whether the last day of the month, whichever it is, belongs to the days."""
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    """0 is Sunday; empty where `nth` says which days are meant."""
    nth: tuple[tuple[int, int], ...]
    """Pairs of a weekday and its place in the month, 1 to 5 or `LAST`."""
    day_or: bool
    """Whether a day needs to be in only one of the two day fields. True only if both restrict."""
    wildcard: bool
    """Whether the minute or hour field starts with `*`: such a job follows the wall clock."""

    @property
    def every_day_of_month(self) -> bool:
        """Tell whether the day of the month restricts nothing."""
        return self.days == ALL_DAYS

    @property
    def every_weekday(self) -> bool:
        """Tell whether the day of the week restricts nothing."""
        return self.weekdays == ALL_WEEKDAYS

    @property
    def every_month(self) -> bool:
        """Tell whether the month restricts nothing."""
        return self.months == ALL_MONTHS
