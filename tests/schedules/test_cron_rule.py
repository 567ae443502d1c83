"""next_fire against a second evaluator, over clock changes of many zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise

from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st
from schedules.cron_model import (
    DAYS,
    EXPRESSIONS,
    MONTHS,
    NIGHTLY,
    WEEKDAYS,
    ZONES,
    Expression,
    Field,
    fires,
    moments,
)

from wrkflw_tui.schedules.cron import CronError, CronSpec, next_fire, parse_cron

THOROUGH = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
MOST = 40
MARGIN = timedelta(days=3)

INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2120, 1, 1), timezones=st.just(UTC))


def parse(expression: Expression) -> CronSpec:
    """Parse what has been drawn, and drop it if its date never comes."""
    try:
        return parse_cron(expression.text)
    except CronError as error:
        check_refusal(expression, str(error))
        reject()


def check_refusal(expression: Expression, problem: str) -> None:
    days = (date(2000, 1, 1) + timedelta(days=n) for n in range(366 * 9))
    assert "never comes" in problem
    assert not any(map(expression.matches_date, days))


def compare(expression: Expression, zone: str, change: datetime, after: datetime) -> None:
    spec = parse(expression)
    start = change - MARGIN
    minutes = MARGIN * 2 // timedelta(minutes=1)
    end = start + MARGIN * 2
    expected = list(islice((f for f in fires(expression, zone, start, minutes) if f > after), MOST))
    got: list[datetime] = []
    last = after
    while len(got) < MOST:
        fire = next_fire(spec, zone, last)
        if fire is None or fire >= end:
            break
        got.append(fire)
        last = fire
    assert got == expected


@THOROUGH
@given(expression=NIGHTLY, moment=moments())
def test_agrees_with_cron_about_times_of_day(
    expression: Expression, moment: tuple[str, datetime, datetime]
) -> None:
    compare(expression, *moment)


@THOROUGH
@given(expression=EXPRESSIONS, moment=moments())
def test_agrees_with_cron_about_days(
    expression: Expression, moment: tuple[str, datetime, datetime]
) -> None:
    compare(expression, *moment)


@THOROUGH
@given(day=DAYS, month=MONTHS, weekday=WEEKDAYS, start=st.dates(date(1990, 1, 1), date(2080, 1, 1)))
def test_agrees_with_the_calendar(day: Field, month: Field, weekday: Field, start: date) -> None:
    noon = Field("12", frozenset({12}))
    expression = Expression(Field("0", frozenset({0})), noon, day, month, weekday)
    spec = parse(expression)
    days = (start + timedelta(days=n) for n in range(366 * 9))
    expected = list(islice(filter(expression.matches_date, days), 5))
    fire = datetime(start.year, start.month, start.day, tzinfo=UTC)
    for one in expected:
        found = next_fire(spec, "UTC", fire)
        assert found is not None
        assert found == datetime(one.year, one.month, one.day, 12, tzinfo=UTC)
        fire = found


@THOROUGH
@given(
    places=st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 5)), min_size=1, max_size=3, unique=True
    ),
    start=st.dates(date(1990, 1, 1), date(2080, 1, 1)),
)
def test_counts_weekdays_of_the_month(places: list[tuple[int, int]], start: date) -> None:
    text = ",".join(f"{day}#{place}" if place else f"L{day}" for day, place in places)
    spec = parse_cron(f"0 0 * * {text}")

    def matches(day: date) -> bool:
        last = (day + timedelta(days=7)).month != day.month
        return any(
            day.isoweekday() % 7 == weekday % 7
            and (last if place == 0 else (day.day + 6) // 7 == place)
            for weekday, place in places
        )

    days = (start + timedelta(days=n) for n in range(1, 3000))
    after = datetime(start.year, start.month, start.day, tzinfo=UTC)
    for one in islice(filter(matches, days), 4):
        fire = next_fire(spec, "UTC", after)
        assert fire is not None
        assert fire == datetime(one.year, one.month, one.day, tzinfo=UTC)
        after = fire


@THOROUGH
@given(
    numbered=st.lists(st.integers(1, 31), max_size=3),
    month=MONTHS,
    start=st.dates(date(1990, 1, 1), date(2080, 1, 1)),
)
def test_knows_the_last_day_of_the_month(numbered: list[int], month: Field, start: date) -> None:
    spec = parse_cron(f"0 0 {','.join([*map(str, numbered), 'L'])} {month.text} *")
    days = (start + timedelta(days=n) for n in range(1, 3000))
    wanted = (
        day
        for day in days
        if day.month in month.numbers
        and (day.day in numbered or (day + timedelta(days=1)).month != day.month)
    )
    after = datetime(start.year, start.month, start.day, tzinfo=UTC)
    for one in islice(wanted, 5):
        fire = next_fire(spec, "UTC", after)
        assert fire is not None
        assert fire == datetime(one.year, one.month, one.day, tzinfo=UTC)
        after = fire


@THOROUGH
@given(expression=EXPRESSIONS, zone=st.sampled_from(ZONES), after=INSTANTS)
def test_is_strictly_after_and_increases(
    expression: Expression, zone: str, after: datetime
) -> None:
    spec = parse(expression)
    found = [after]
    for _ in range(5):
        fire = next_fire(spec, zone, found[-1])
        assert fire is not None
        found.append(fire)
    assert all(earlier < later for earlier, later in pairwise(found))


@THOROUGH
@given(expression=EXPRESSIONS, moment=moments(), share=st.floats(0, 1))
def test_nothing_lies_between_an_instant_and_its_next_fire(
    expression: Expression, moment: tuple[str, datetime, datetime], share: float
) -> None:
    spec = parse(expression)
    zone, _, after = moment
    fire = next_fire(spec, zone, after)
    assert fire is not None
    between = after + (fire - after) * share
    assume(between < fire)
    assert next_fire(spec, zone, between) == fire
