"""When a schedule fires, whichever way it is said, within its bounds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedules.cron_model import CHANGES, ZONES
from schedules.record import instant

from wrkflw_tui.schedules.schedule import Settings, terms_of
from wrkflw_tui.schedules.when import (
    describe_timing,
    format_timing,
    parse_timing,
    resolve,
    when,
)
from wrkflw_tui.schedules.zones import wall_time, zone_table

if TYPE_CHECKING:
    from typing import Unpack

ANCHOR = instant("2026-03-02 12:00")


def fires(
    timing: str, zone: str, after: str, count: int = 3, **given: Unpack[Settings]
) -> list[str]:
    planned = when(terms_of(timing, **{"timezone": zone, **given}), zone, ANCHOR)
    found = islice(planned.from_(instant(after)), count)
    return [f"{due.at:%Y-%m-%d %H:%M:%S}".removesuffix(":00") for due in found]


class TestEvery:
    def test_from_the_anchor_on_whenever_it_is_asked(self) -> None:
        assert fires("every 7h", "UTC", "2026-03-02 12:00", 2) == [
            "2026-03-02 19:00",
            "2026-03-03 02:00",
        ]
        assert fires("every 7h", "UTC", "2026-03-10 12:00", 1) == ["2026-03-10 16:00"]

    def test_from_its_start_with_the_start_itself(self) -> None:
        start = "2026-03-05T06:30"
        assert fires("every 1d", "Europe/Berlin", "2026-03-02 00:00", 2, start_at=start) == [
            "2026-03-05 05:30",
            "2026-03-06 05:30",
        ]

    def test_a_clock_change_does_not_touch_it(self) -> None:
        found = fires("every 6h", "Europe/Berlin", "2026-03-28 18:00", 3)
        assert found == ["2026-03-29 00:00", "2026-03-29 06:00", "2026-03-29 12:00"]

    @given(
        length=st.integers(1, 10**7),
        anchor=st.integers(0, 2 * 10**9),
        after=st.floats(0, 4 * 10**9),
    )
    @settings(deadline=None)
    def test_it_is_an_exact_multiple(self, length: int, anchor: int, after: float) -> None:
        terms = terms_of(f"every {length}s")
        planned = when(terms, "UTC", datetime.fromtimestamp(anchor, UTC))
        asked = datetime.fromtimestamp(after, UTC)
        found = planned.next_fire(asked)
        assert found is not None
        assert (int(found.timestamp()) - anchor) % length == 0
        assert asked < found <= asked + timedelta(seconds=length)


class TestOnce:
    def test_it_fires_at_its_instant_only(self) -> None:
        assert fires("once 2026-03-03T09:00", "Asia/Tokyo", "2026-03-02 00:00") == [
            "2026-03-03 00:00"
        ]
        assert fires("once 2026-03-03T09:00", "Asia/Tokyo", "2026-03-03 00:00") == []
        assert fires("once 2026-03-03T09:00-05:00", "Asia/Tokyo", "2026-03-02 00:00") == [
            "2026-03-03 14:00"
        ]

    def test_in_a_skipped_hour_it_is_the_instant_of_the_change(self) -> None:
        assert fires("once 2026-03-29T02:30", "Europe/Berlin", "2026-03-02 00:00") == [
            "2026-03-29 01:00"
        ]
        assert fires("once 2011-12-30T10:00", "Pacific/Apia", "2011-12-01 00:00") == [
            "2011-12-30 10:00"
        ]

    def test_in_a_repeated_hour_it_is_the_first_pass(self) -> None:
        assert fires("once 2026-10-25T02:30", "Europe/Berlin", "2026-03-02 00:00") == [
            "2026-10-25 00:30"
        ]

    @given(zone_and_change=st.sampled_from(CHANGES), minutes=st.integers(-1600, 1600))
    @settings(deadline=None, max_examples=100)
    def test_it_is_the_first_instant_at_which_the_wall_is_there(
        self, zone_and_change: tuple[str, str], minutes: int
    ) -> None:
        zone, text = zone_and_change
        table = zone_table(zone)
        change = datetime.fromisoformat(text)
        wall = wall_time(change, table.offset(change)).replace(second=0)
        wall += timedelta(minutes=minutes)
        found = resolve(wall, zone)

        def shown(moment: datetime) -> datetime:
            return wall_time(moment, table.offset(moment))

        assert shown(found) >= wall
        if shown(found) != wall:  # the wall skips it
            assert shown(found - timedelta(seconds=1)) < wall
        earlier = found - timedelta(days=2)
        while earlier < found:
            assert shown(earlier) != wall
            earlier += timedelta(minutes=1)


class TestBounds:
    def test_none_before_the_start_and_none_after_the_end(self) -> None:
        bounds: Settings = {"start_at": "2026-03-03T09:00", "end_at": "2026-03-05T09:00"}
        assert fires("0 9 * * *", "Europe/Berlin", "2026-03-02 00:00", 9, **bounds) == [
            "2026-03-03 08:00",
            "2026-03-04 08:00",
            "2026-03-05 08:00",
        ]

    def test_none_on_a_date_that_is_excluded(self) -> None:
        excluded: Settings = {"exclude": ["2026-03-03", "2026-03-04"]}
        assert fires("0 23 * * *", "America/New_York", "2026-03-03 03:59", 2, **excluded) == [
            "2026-03-03 04:00",  # still the second of March there
            "2026-03-06 04:00",
        ]
        assert fires("every 1m", "UTC", "2026-03-02 23:59", 1, **excluded) == ["2026-03-05 00:00"]
        assert fires("once 2026-03-03T10:00", "UTC", "2026-03-02 23:59", 1, **excluded) == []

    def test_all_dates_excluded_is_never(self) -> None:
        days = [date(2026, 3, 2) + timedelta(days=n) for n in range(1000)]
        end: Settings = {"exclude": days, "end_at": "2028-01-01"}
        assert fires("* * * * *", "UTC", "2026-03-02 00:00", 1, **end) == []


@pytest.mark.parametrize(
    "text",
    [
        "*/5 * * * *",
        "@daily",
        "every 1h30m",
        "once 2026-03-03T10:00",
        "once 2026-03-03T10:00+02:00",
    ],
)
def test_a_timing_is_written_as_it_is_read(text: str) -> None:
    assert format_timing(parse_timing(text)) == text


def test_it_is_said_in_words() -> None:
    said = {
        "0 18 * * *": "every day at 18:00",
        "every 90m": "every 1h30m",
        "once 2026-03-03T10:00": "once, at 2026-03-03 10:00",
        "once 2026-03-03T10:00Z": "once, at 2026-03-03 10:00 UTC",
    }
    assert {text: describe_timing(parse_timing(text)) for text in said} == said


@given(
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)),
    days=st.sets(st.integers(0, 12)),
    cron=st.sampled_from(["*/20 * * * *", "30 2 * * *", "0 0 * * *", "15 1,2,3 * * *"]),
)
@settings(deadline=None, max_examples=40)
def test_excluding_dates_takes_out_those_fires_and_no_others(
    zone: str, start: datetime, days: set[int], cron: str
) -> None:
    after = start.replace(tzinfo=UTC)
    excluded = {start.date() + timedelta(days=n) for n in days}
    every = when(terms_of(cron, timezone=zone), zone, after)
    some = when(terms_of(cron, timezone=zone, exclude=excluded), zone, after)
    end = after + timedelta(days=10)
    expected = []
    for due in every.from_(after):
        wall = due.nominal or wall_time(due.at, zone_table(zone).offset(due.at))
        if due.at > end:
            break
        if wall.date() not in excluded:
            expected.append(due.at)
    got = []
    for due in some.from_(after):
        if due.at > end:
            break
        got.append(due.at)
    assert got == expected
    assert all(a < b for a, b in pairwise(got))
