"""Cron's rule a second time, minute by minute and without croniter, to check the first against."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = timedelta(minutes=1)

# The zones and the clock changes that the two evaluators are compared around.
CHANGES = [
    ("America/New_York", "2024-03-10T07:00Z"),
    ("America/New_York", "2024-11-03T06:00Z"),
    ("Europe/Berlin", "2025-03-30T01:00Z"),
    ("Europe/Berlin", "2025-10-26T01:00Z"),
    ("Europe/Berlin", "2061-10-30T01:00Z"),  # by rule, past the end of the tables
    ("Australia/Lord_Howe", "2024-04-06T15:00Z"),  # half an hour
    ("Australia/Lord_Howe", "2024-10-05T15:30Z"),
    ("America/St_Johns", "2010-03-14T03:31Z"),  # at one minute past midnight
    ("America/St_Johns", "2010-11-07T02:31Z"),
    ("America/St_Johns", "1988-04-03T03:31Z"),  # two hours, at one minute past midnight
    ("Pacific/Apia", "2011-12-30T10:00Z"),  # a whole day left out
    ("Pacific/Apia", "2011-09-24T14:00Z"),
    ("Africa/Casablanca", "2024-03-10T02:00Z"),  # Ramadan: back first, then forward
    ("Africa/Casablanca", "2024-04-14T02:00Z"),
    ("Asia/Kathmandu", "1985-12-31T18:30Z"),  # a quarter of an hour
    ("Asia/Kathmandu", "2024-06-01T00:00Z"),
    ("UTC", "2024-02-29T00:00Z"),
    ("America/Havana", "2024-03-10T05:00Z"),  # at midnight
    ("America/Havana", "2024-11-03T05:00Z"),
    ("Antarctica/Troll", "2024-03-31T01:00Z"),  # two hours
    ("Antarctica/Troll", "2024-10-27T01:00Z"),
    ("Antarctica/Casey", "2018-03-10T17:00Z"),  # three hours back: still made up for
    ("Antarctica/Casey", "2020-10-03T16:01Z"),  # three hours forward: a correction
    ("Asia/Pyongyang", "2015-08-14T15:00Z"),
    ("Pacific/Kwajalein", "1969-09-30T13:00Z"),  # 23 hours back: a correction
    ("Pacific/Kwajalein", "1993-08-21T12:00Z"),  # 24 hours forward
]
ZONES = sorted({zone for zone, _ in CHANGES})


@dataclass(frozen=True)
class Field:
    text: str
    numbers: frozenset[int]

    @property
    def star(self) -> bool:
        return self.text.startswith("*")


@dataclass(frozen=True)
class Expression:
    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    @property
    def text(self) -> str:
        fields = (self.minute, self.hour, self.day, self.month, self.weekday)
        return " ".join(field.text for field in fields)

    @property
    def wildcard(self) -> bool:
        return self.minute.star or self.hour.star

    def matches_date(self, day: date) -> bool:
        by_month = day.day in self.day.numbers
        by_week = day.isoweekday() % 7 in self.weekday.numbers
        both = self.day.star or self.weekday.star
        return day.month in self.month.numbers and (
            by_month and by_week if both else by_month or by_week
        )

    def matches(self, wall: datetime) -> bool:
        return (
            wall.minute in self.minute.numbers
            and wall.hour in self.hour.numbers
            and self.matches_date(wall)
        )


@lru_cache(maxsize=64)
def walls(zone: str, start: datetime, minutes: int) -> list[tuple[datetime, datetime]]:
    """Return each minute from `start` on with what the zone's clock then shows."""
    info = ZoneInfo(zone)
    instants = [start + MINUTE * step for step in range(minutes)]
    return [(instant, instant.astimezone(info).replace(tzinfo=None)) for instant in instants]


def fires(expression: Expression, zone: str, start: datetime, minutes: int) -> Iterator[datetime]:
    """Run cron from `start`: one look a minute, and a memory of the last minute it dealt with."""
    done: datetime | None = None
    for instant, wall in walls(zone, start, minutes):
        if done is None:
            done = wall - MINUTE
        ahead = (wall - done) // MINUTE
        hit = expression.matches(wall)
        if 1 < ahead <= 180 and not expression.wildcard:
            missed = (done + MINUTE * step for step in range(1, ahead + 1))
            hit = any(expression.matches(minute) for minute in missed)
        elif -180 < ahead <= 0 and not expression.wildcard:
            hit = False
        if ahead > 0 or ahead <= -180:
            done = wall
        if hit:
            yield instant


def fields(low: int, high: int, near: list[int] | None = None) -> st.SearchStrategy[Field]:
    """Draw a field as text together with the numbers it means."""
    value = st.integers(low, high)
    if near:
        value = st.one_of(st.sampled_from(near), value)
    step = st.integers(1, high + 2)
    pair = st.tuples(value, value).map(sorted)
    item = st.one_of(
        st.just(Field("*", frozenset(range(low, high + 1)))),
        step.map(lambda n: Field(f"*/{n}", frozenset(range(low, high + 1, n)))),
        value.map(lambda v: Field(f"{v}", frozenset({v}))),
        value.map(lambda v: Field(f"{v}", frozenset({v}))),
        pair.map(lambda p: Field(f"{p[0]}-{p[1]}", frozenset(range(p[0], p[1] + 1)))),
        st.tuples(pair, step).map(
            lambda d: Field(
                f"{d[0][0]}-{d[0][1]}/{d[1]}", frozenset(range(d[0][0], d[0][1] + 1, d[1]))
            )
        ),
        st.tuples(value, step).map(
            lambda d: Field(f"{d[0]}/{d[1]}", frozenset(range(d[0], high + 1, d[1])))
        ),
    )
    return st.lists(item, min_size=1, max_size=3).map(
        lambda items: Field(
            ",".join(one.text for one in items),
            frozenset[int]().union(*(one.numbers for one in items)),
        )
    )


_star_month = st.just(Field("*", frozenset(range(1, 13))))
_star_day = st.just(Field("*", frozenset(range(1, 32))))
_star_weekday = st.just(Field("*", frozenset(range(7))))

MINUTES = fields(0, 59, near=[0, 1, 15, 29, 30, 31, 45, 59])
# Most clocks change at night, and there lies what is worth comparing.
HOURS = fields(0, 23, near=[0, 1, 2, 3, 4, 22, 23])
DAYS = st.one_of(_star_day, fields(1, 31))
MONTHS = st.one_of(_star_month, fields(1, 12))
WEEKDAYS = st.one_of(_star_weekday, fields(0, 6))

EXPRESSIONS = st.builds(Expression, MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS)
NIGHTLY = st.builds(Expression, MINUTES, HOURS, _star_day, _star_month, _star_weekday)


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime, datetime]:
    """Draw a zone, a clock change of it and an instant near that change."""
    zone, text = draw(st.sampled_from(CHANGES))
    change = datetime.fromisoformat(text)
    hours = draw(st.one_of(st.integers(-4, 4), st.integers(-30, 30)))
    seconds = draw(st.one_of(st.just(0), st.integers(-3600, 3600)))
    return zone, change, change.astimezone(UTC) + timedelta(hours=hours, seconds=seconds)
