"""When a cron expression fires: croniter on the wall clock, and cron's own rule for its changes."""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from wrkflw_tui.schedules.describe import describe
from wrkflw_tui.schedules.parser import parse_cron
from wrkflw_tui.schedules.spec import (
    ALL_DAYS,
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    ALL_WEEKDAYS,
    LAST,
    CronError,
    CronSpec,
)
from wrkflw_tui.schedules.zones import (
    FIRST_YEAR,
    LAST_YEAR,
    Change,
    UnknownZone,
    ZoneTable,
    instant_of,
    wall_time,
    zone_table,
)

if TYPE_CHECKING:
    from croniter import croniter

__all__ = [
    "CronError",
    "CronSpec",
    "UnknownZone",
    "describe",
    "first_match",
    "next_due",
    "next_fire",
    "parse_cron",
]

_MINUTE = timedelta(minutes=1)

# A change that is not a correction repeats three hours at most, so what happened a day before an
# instant has no hold on it any more.
_MEMORY = timedelta(days=1)


def next_fire(spec: CronSpec, zone: str, after: datetime) -> datetime | None:
    """Return the first fire strictly after an instant, in UTC, or None if there is none to come.

    `zone` is an IANA name (`UnknownZone` if it is none), `after` an aware datetime.
    """
    found = next_due(spec, zone, after)
    return None if found is None else found[0]


def next_due(spec: CronSpec, zone: str, after: datetime) -> tuple[datetime, datetime] | None:
    """Like `next_fire`, together with the minute on the wall that the fire stands for.

    They differ where the clock skips that minute: the fire is then the instant of the change.
    """
    if after.tzinfo is None:
        raise ValueError("`after` has to be an aware datetime")
    table = zone_table(zone)
    if after.year > LAST_YEAR:
        return None
    if after.year < FIRST_YEAR:
        after = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
    return _walk(spec, table, after.astimezone(UTC))


@lru_cache(maxsize=4096)  # many schedules share an expression, and are due together
def _walk(spec: CronSpec, table: ZoneTable, instant: datetime) -> tuple[datetime, datetime] | None:
    """Follow the wall clock from one change to the next until the nominal minute is reached."""
    offset = table.offset(instant)
    sought = _first_open_minute(spec, table, instant, offset)
    nominal = first_match(spec, sought)
    while nominal is not None:
        fire = instant_of(nominal, offset)
        change = table.first_change(instant, fire)
        if change is None:
            return fire, nominal
        instant, offset = change.at, change.after
        start = _whole_minute(change.wall_after)
        if _starts_over(spec, change):
            # Nothing lies between `sought` and `nominal`: if the clock starts over in between, the
            # answer stands, and a leap day decades ahead costs one search and not one per change.
            if not sought <= start <= nominal:
                nominal = first_match(spec, start)
            sought = start
        elif nominal < start:
            return change.at, nominal
    return None


def _first_open_minute(
    spec: CronSpec, table: ZoneTable, instant: datetime, offset: timedelta
) -> datetime:
    """Return the first minute on the wall that a job has not had by this instant."""
    wall = wall_time(instant, offset)
    first = wall.replace(second=0, microsecond=0) + _MINUTE
    if spec.wildcard:
        return first
    # In a repeated hour a fixed-time job has had all minutes up to where the clock went back.
    for change in table.changes(instant - _MEMORY, instant):
        if change.is_correction:
            first = wall.replace(second=0, microsecond=0) + _MINUTE
        else:
            first = max(first, _whole_minute(change.wall_before))
    return first


def _starts_over(spec: CronSpec, change: Change) -> bool:
    """Tell whether a job takes the clock as it finds it, with nothing made up for or held back."""
    return spec.wildcard or change.is_correction


def _whole_minute(wall: datetime) -> datetime:
    """Round a wall time up to the minute: before railways, zones differed by seconds."""
    floor = wall.replace(second=0, microsecond=0)
    return floor if floor == wall else floor + _MINUTE


def first_match(spec: CronSpec, earliest: datetime) -> datetime | None:
    """Return the first minute on the wall, from `earliest` on, that the expression names."""
    # A copy, because a croniter carries its position with it and two threads may share the spec.
    iterator = copy(_iterator(_canonical(spec), spec.day_or))
    iterator.set_current(earliest - _MINUTE)
    try:
        found = iterator.get_next(datetime)
    except (ValueError, OverflowError):
        # The expression is known to be good: what fails is the calendar, which ends in 9999.
        return None
    return found if found.year <= LAST_YEAR else None


@lru_cache(maxsize=2048)
def _iterator(expression: str, day_or: bool) -> croniter[datetime]:
    # Imported here because it costs 45 ms, which a start that shows no schedule need not pay.
    from croniter import croniter

    return croniter(expression, datetime(2000, 1, 1), ret_type=datetime, day_or=day_or)


@lru_cache(maxsize=2048)
def _canonical(spec: CronSpec) -> str:
    """Write an expression that leaves croniter nothing to interpret: `*` or a list of integers."""
    days = _numbers(spec.days, ALL_DAYS) if spec.days else ""
    if spec.last_day:
        days = f"{days},l".strip(",")
    weekdays = _numbers(spec.weekdays, ALL_WEEKDAYS)
    if spec.nth:
        weekdays = ",".join(f"l{day}" if n == LAST else f"{day}#{n}" for day, n in spec.nth)
    return " ".join(
        (
            _numbers(spec.minutes, ALL_MINUTES),
            _numbers(spec.hours, ALL_HOURS),
            days,
            _numbers(spec.months, ALL_MONTHS),
            weekdays,
        )
    )


def _numbers(values: tuple[int, ...], everything: tuple[int, ...]) -> str:
    return "*" if values == everything else ",".join(map(str, values))
