"""When a schedule fires, whichever way it is said: by cron, at an interval, or once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from wrkflw_tui.schedules.cron import next_due as next_by_cron
from wrkflw_tui.schedules.describe import describe
from wrkflw_tui.schedules.duration import format_duration, parse_duration
from wrkflw_tui.schedules.parser import parse_cron
from wrkflw_tui.schedules.spec import CronSpec
from wrkflw_tui.schedules.zones import wall_time, zone_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrkflw_tui.engine.terms import ScheduleTerms

_SECOND = timedelta(seconds=1)
_MEMORY = timedelta(days=2)
"""A clock change that skips a wall time lies no further back than this from it."""


FIRST, LAST = 1970, 9000
"""The years that a schedule may name."""


class TimingError(ValueError):
    """A text that does not say when; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Every:
    """At an interval from an anchor, by the instants themselves: no zone has a say in it."""

    length: timedelta


@dataclass(frozen=True, slots=True)
class Once:
    """At one instant; a naive one is meant in the schedule's zone."""

    at: datetime


Timing: TypeAlias = CronSpec | Every | Once


class Due(NamedTuple):
    """An instant at which a schedule fires."""

    at: datetime
    """In UTC, in whole seconds."""
    nominal: datetime | None
    """The minute on the wall that it stands for and that comes only once; `None` if it has none."""


@lru_cache(maxsize=4096)
def parse_timing(text: str) -> Timing:
    """Read a cron expression, `every 15m` or `once 2026-12-01T08:00`.

    Raises `ValueError`: a `CronError`, `DurationError` or `TimingError`.
    """
    word, _, rest = text.strip().partition(" ")
    if word.lower() == "every":
        return Every(parse_duration(rest))
    if word.lower() == "once":
        return Once(parse_instant(rest))
    return parse_cron(text)


def format_timing(timing: Timing) -> str:
    """Write a timing so that `parse_timing` reads it back."""
    if isinstance(timing, Every):
        return f"every {format_duration(timing.length)}"
    if isinstance(timing, Once):
        return f"once {format_instant(timing.at)}"
    return timing.source


def describe_timing(timing: Timing) -> str:
    """Say in words when it fires."""
    if isinstance(timing, Every):
        return f"every {format_duration(timing.length)}"
    if isinstance(timing, Once):
        return f"once, at {timing.at:%Y-%m-%d %H:%M} {timing.at.tzname() or ''}".rstrip()
    return describe(timing)


def parse_instant(text: str) -> datetime:
    """Read an instant in ISO form, in whole seconds. Raises `TimingError`."""
    try:
        found = datetime.fromisoformat(text.strip()).replace(microsecond=0)
    except ValueError:
        raise TimingError(
            f"{text!r} is no instant; written like 2026-12-01T08:00 or 2026-12-01T08:00+01:00"
        ) from None
    if not FIRST <= found.year <= LAST:
        raise TimingError(f"{text!r} is out of range; allowed: the years {FIRST} to {LAST}")
    return found


def format_instant(instant: datetime) -> str:
    """Write an instant so that `parse_instant` reads it back."""
    seconds = "seconds" if instant.second else "minutes"
    return instant.replace(microsecond=0).isoformat(timespec=seconds)


def resolve(instant: datetime, zone: str) -> datetime:
    """Return an instant in UTC; a naive one is what the zone's clock shows.

    In a repeated hour that is the first pass; where the clock skips it, the instant of the change.
    """
    table = zone_table(zone)
    if instant.tzinfo is not None:
        return instant.astimezone(UTC)
    guess = instant.replace(tzinfo=table.zone).astimezone(UTC)
    if wall_time(guess, table.offset(guess)) == instant:
        return guess
    return table.changes(guess - _MEMORY, guess)[-1].at


@dataclass(frozen=True, slots=True)
class When:
    """A timing in its zone, within its bounds."""

    timing: Timing
    zone: str
    anchor: datetime
    """What intervals are counted from."""
    start: datetime | None = None
    end: datetime | None = None
    excluded: frozenset[date] = frozenset()
    """Dates in the zone without a fire."""

    @property
    def has_nominal(self) -> bool:
        """Tell whether its fires stand for minutes on the wall that come only once."""
        if isinstance(self.timing, Once):
            return self.timing.at.tzinfo is None
        return isinstance(self.timing, CronSpec) and not self.timing.wildcard

    def names(self, wall: datetime) -> bool:
        """Tell whether a time on the wall is one of those that it names, whatever the date."""
        if isinstance(self.timing, CronSpec):
            return wall.minute in self.timing.minutes and wall.hour in self.timing.hours
        return isinstance(self.timing, Once) and wall == self.timing.at

    def next_fire(self, after: datetime) -> datetime | None:
        """Return the first fire strictly after an instant, in UTC."""
        found = self.next_due(after)
        return None if found is None else found.at

    def next_due(self, after: datetime) -> Due | None:
        """Like `next_fire`, with what the fire stands for."""
        if self.start is not None:
            after = max(after, self.start - _SECOND)
        while (due := self._next(after)) is not None:
            if self.end is not None and due.at > self.end:
                return None
            day = self._date(due)
            if day not in self.excluded:
                return due
            after = max(due.at, _midnight_after(day, self.zone) - _SECOND)
        return None

    def from_(self, after: datetime) -> Iterator[Due]:
        """Yield the fires strictly after an instant, one by one."""
        due = self.next_due(after)
        while due is not None:
            yield due
            due = self.next_due(due.at)

    def _next(self, after: datetime) -> Due | None:
        if isinstance(self.timing, Every):
            return _next_multiple(self.timing.length, self.anchor, after)
        if isinstance(self.timing, Once):
            return self._only(self.timing.at, after)
        found = next_by_cron(self.timing, self.zone, after)
        if found is None:
            return None
        return Due(found[0], found[1] if self.has_nominal else None)

    def _only(self, instant: datetime, after: datetime) -> Due | None:
        at = resolve(instant, self.zone)
        return Due(at, instant if self.has_nominal else None) if at > after else None

    def _date(self, due: Due) -> date:
        if due.nominal is not None:
            return due.nominal.date()
        return wall_time(due.at, zone_table(self.zone).offset(due.at)).date()


def when(terms: ScheduleTerms, zone: str, anchor: datetime) -> When:
    """Return when a schedule of these terms fires. Raises `ValueError`, `UnknownZone` among them.

    `zone` is an IANA name: that of the terms, or what `local` stands for now.
    """
    zone_table(zone)
    start, end = (
        None if text is None else resolve(parse_instant(text), zone)
        for text in (terms.start_at, terms.end_at)
    )
    excluded = frozenset(map(date.fromisoformat, terms.exclude))
    return When(parse_timing(terms.timing), zone, start or anchor, start, end, excluded)


def _next_multiple(length: timedelta, anchor: datetime, after: datetime) -> Due | None:
    """Find the next multiple in whole numbers, so that no fire is off by what went before."""
    try:
        return Due(anchor + ((after - anchor) // length + 1) * length, None)
    except OverflowError:
        return None


def _midnight_after(day: date, zone: str) -> datetime:
    return resolve(datetime.combine(day + timedelta(days=1), time()), zone)
