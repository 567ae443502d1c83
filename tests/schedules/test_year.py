"""A year in each of ten zones, the app closed for random spans, against the other evaluator."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from schedules.cron_model import Expression, Field, fires
from schedules.record import DAY, HOUR, MINUTE, Desk

from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.schedules import actions
from wrkflw_tui.store.file import connect, place_of, prepare

PLACES = [
    ("Europe/Berlin", 2025),
    ("America/New_York", 2025),
    ("Australia/Lord_Howe", 2024),  # half an hour
    ("America/Havana", 2024),  # at midnight
    ("Africa/Casablanca", 2024),  # four changes a year
    ("Antarctica/Troll", 2024),  # two hours
    ("Pacific/Apia", 2011),  # a whole day left out
    ("Asia/Kathmandu", 2024),
    ("America/St_Johns", 2010),  # at one minute past midnight
    ("Asia/Pyongyang", 2015),  # half an hour, for good
]


def field(text: str, *numbers: int) -> Field:
    return Field(text, frozenset(numbers))


STAR_MINUTE, STAR_HOUR = field("*", *range(60)), field("*", *range(24))
STAR_DAY, STAR_MONTH, STAR_WEEKDAY = (
    field("*", *range(1, 32)),
    field("*", *range(1, 13)),
    field("*", *range(7)),
)


def daily(minute: Field, hour: Field) -> Expression:
    return Expression(minute, hour, STAR_DAY, STAR_MONTH, STAR_WEEKDAY)


EXPRESSIONS = [
    daily(field("0", 0), field("0", 0)),
    daily(field("15", 15), field("1,2", 1, 2)),
    daily(field("30", 30), field("2", 2)),
    daily(field("0", 0), STAR_HOUR),
    daily(field("*/20", 0, 20, 40), field("1-3", 1, 2, 3)),
    Expression(field("0", 0), field("9", 9), STAR_DAY, STAR_MONTH, field("1-5", *range(1, 6))),
    Expression(field("5", 5), field("0", 0), field("1", 1), STAR_MONTH, STAR_WEEKDAY),
    Expression(field("45", 45), field("23", 23), field("31", 31), STAR_MONTH, field("0", 0)),
]


def looks(rng: random.Random, start: int, end: int) -> list[int]:
    """When the app looks: every few minutes while it is open, and not at all while it is closed."""
    found: list[int] = []
    now = start
    while now < end:
        opened = now + rng.choice([HOUR, 9 * HOUR, 3 * DAY])
        while now < min(opened, end):
            now += rng.choice([1, 30, 5 * MINUTE, 20 * MINUTE, 2 * HOUR])
            found.append(now)
        now += rng.choice([2 * MINUTE, HOUR, 15 * HOUR, 3 * DAY, 20 * DAY])
    return [*found, end]


def expected_of(expression: Expression, zone: str, start: datetime, end: datetime) -> list[int]:
    minutes = (end - start) // timedelta(minutes=1) + 1
    return [
        int(at.timestamp()) for at in fires(expression, zone, start, minutes) if start < at <= end
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("zone", "year"), PLACES, ids=lambda value: str(value))
def test_a_year_with_the_app_closed_now_and_then(zone: str, year: int) -> None:
    start = datetime(year, 1, 1, tzinfo=UTC)
    end = start + timedelta(days=365)
    rng = random.Random(f"{zone} {year}")
    place = place_of(Path(":memory:"))
    with closing(connect(place)) as connection:
        prepare(place)
        desk = Desk(connection, f"{start:%Y-%m-%d %H:%M}")
        made = {}
        for number, expression in enumerate(rng.sample(EXPRESSIONS, 4)):
            terms = ScheduleTerms(
                timing=expression.text,
                timezone=zone,
                overlap="allow",
                catch_up=("latest", "all", "none")[number % 3],
            )
            made[desk.do(lambda c, t=terms: actions.add(c, "job", t, "1", desk.now))] = expression
        for now in looks(rng, desk.now, int(end.timestamp())):
            desk.tick(now)
        for schedule_id, expression in made.items():
            expected = expected_of(expression, zone, start, end)
            check(desk, schedule_id, expected)


def check(desk: Desk, schedule_id: str, expected: list[int]) -> None:
    """Each instant is on record once, and nothing else is."""
    left = list(expected)
    for fire in desk.fires(schedule_id):
        first, last = int(fire.due_at.timestamp()), int(fire.last_at.timestamp())
        mine = [at for at in left if first <= at <= last]
        assert len(mine) == fire.count, (desk.row(schedule_id).timing, fire)
        assert mine[0] == first
        assert mine[-1] == last
        assert (fire.outcome == "skipped") == bool(fire.reason)
        left = [at for at in left if at > last]
    assert left == []
    runs = desk.connection.execute(
        "SELECT count(*), count(DISTINCT due_at) FROM wrkflw_workflow_runs WHERE schedule_id = ?",
        (schedule_id,),
    ).fetchone()
    started = [fire for fire in desk.fires(schedule_id) if fire.outcome == "started"]
    assert tuple(runs) == (len(started), len(started))
