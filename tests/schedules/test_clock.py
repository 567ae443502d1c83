"""A clock that is set, a laptop that slept or travelled: nothing twice, nothing lost."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from schedules.record import DAY, HOUR, MINUTE, at

from wrkflw_tui.schedules import actions, following

if TYPE_CHECKING:
    from schedules.record import Desk


class TestSetBack:
    def test_by_little_is_silence_until_then(self, desk: Desk) -> None:
        schedule_id = desk.add("*/10 * * * *", overlap="allow")
        desk.tick("2026-03-02 12:10")
        desk.tick("2026-03-02 15:00")
        for now in range(at("2026-03-02 12:00"), at("2026-03-02 15:10"), 5 * MINUTE):
            assert desk.tick(now) == []
        assert len(desk.tick("2026-03-02 15:10")) == 1
        assert sum(fire.count for fire in desk.fires(schedule_id)) == 19

    def test_by_much_computes_anew_and_repeats_nothing(self, desk: Desk) -> None:
        schedule_id = desk.add("0 * * * *", overlap="allow")
        desk.tick("2026-03-02 13:00")
        # For an hour the clock is weeks ahead, and all in between seems to be missed.
        desk.tick("2026-03-20 12:30")
        assert desk.next(schedule_id) == "2026-03-20 13:00"
        assert desk.tick("2026-03-02 15:30") == []
        assert desk.told(schedule_id) == [
            ("03-02 13:00", "started", 1),
            ("03-02 14:00", "skipped", 2),
            ("03-20 12:00", "started", 1),
        ]
        assert desk.next(schedule_id) == "2026-03-02 16:00"
        for now in range(at("2026-03-02 16:00"), at("2026-03-20 15:00"), HOUR):
            desk.tick(now)
        assert len(desk.runs()) == len({due for due, _ in desk.runs()})
        outcomes = [(fire.outcome, fire.count) for fire in desk.fires(schedule_id)]
        assert outcomes == [("started", 1), ("skipped", 2), *[("started", 1)] * 431]

    def test_by_much_before_anything_fired(self, desk: Desk) -> None:
        desk.now = at("2030-01-01 00:00")
        schedule_id = desk.add("0 * * * *")
        desk.tick("2026-03-02 12:00")
        assert desk.next(schedule_id) == "2026-03-02 13:00"
        assert len(desk.tick("2026-03-02 13:00")) == 1

    def test_a_day_and_on_again(self, desk: Desk) -> None:
        schedule_id = desk.add("0 * * * *", overlap="allow")
        first = at("2026-03-02 13:00")
        for now in (*range(first, first + DAY, HOUR), *range(first, first + 2 * DAY, HOUR)):
            desk.tick(now)
        fires = desk.fires(schedule_id)
        assert [fire.outcome for fire in fires] == ["started"] * 48
        assert len(desk.runs()) == 48


def test_an_hour_ahead_is_as_after_sleep(desk: Desk) -> None:
    schedule_id = desk.add("*/10 * * * *")
    assert len(desk.tick("2026-03-02 13:05")) == 1
    assert desk.told(schedule_id) == [
        ("03-02 12:10", "skipped", 5),
        ("03-02 13:00", "started", 1),
    ]


class TestTravel:
    @pytest.fixture
    def morning(self, desk: Desk) -> str:
        """A schedule at nine, wherever the machine is; it starts out in Berlin."""
        desk.local = "Europe/Berlin"
        return desk.add("0 9 * * *", "local")

    def travel(self, desk: Desk, zone: str) -> None:
        desk.local = zone
        desk.do(lambda c: following.follow_zones(c, desk.now, zone))

    def test_nine_is_not_done_twice_a_day(self, desk: Desk, morning: str) -> None:
        assert len(desk.tick("2026-03-03 08:00")) == 1
        desk.end()
        self.travel(desk, "America/New_York")
        # Nine in New York of the same day was done in Berlin.
        assert desk.next(morning) == "2026-03-04 14:00"
        assert desk.tick("2026-03-03 15:00") == []
        assert len(desk.tick("2026-03-04 14:00")) == 1

    def test_also_where_the_journey_was_made_asleep(self, desk: Desk, morning: str) -> None:
        desk.local = "America/New_York"
        assert len(desk.tick("2026-03-03 13:00")) == 1  # nine in Berlin, made up for
        desk.end()
        assert desk.tick("2026-03-03 14:30") == []
        assert desk.next(morning) == "2026-03-04 14:00"
        assert len(desk.fires(morning)) == 1

    def test_nine_that_has_not_been_is_nine_there(self, desk: Desk, morning: str) -> None:
        self.travel(desk, "Asia/Tokyo")
        assert desk.next(morning) == "2026-03-03 00:00"
        self.travel(desk, "America/New_York")
        assert desk.next(morning) == "2026-03-02 14:00"

    def test_an_instant_once_is_not_done_again(self, desk: Desk) -> None:
        desk.local = "Europe/Berlin"
        once = desk.add("once 2026-03-02T14:00", "local")
        assert len(desk.tick("2026-03-02 13:00")) == 1
        self.travel(desk, "America/New_York")
        assert desk.next(once) is None

    def test_a_minute_that_the_clock_skipped_is_done_too(self, desk: Desk) -> None:
        desk.now, desk.local = at("2026-03-28 12:00"), "Europe/Berlin"
        schedule_id = desk.add("30 2 * * *", "local")
        assert len(desk.tick("2026-03-29 01:00")) == 1  # three on the wall
        self.travel(desk, "Europe/Lisbon")
        assert desk.next(schedule_id) == "2026-03-30 01:30"

    def test_intervals_do_not_care(self, desk: Desk) -> None:
        every = desk.add("every 7h", "local")
        self.travel(desk, "Asia/Tokyo")
        assert desk.next(every) == "2026-03-02 19:00"

    def test_a_wildcard_follows_the_wall(self, desk: Desk) -> None:
        desk.local = "Europe/Berlin"
        schedule_id = desk.add("*/30 * * * *", "local", overlap="allow")
        desk.tick("2026-03-02 12:30")
        self.travel(desk, "America/New_York")
        assert desk.next(schedule_id) == "2026-03-02 13:00"

    def test_what_is_paused_moves_too(self, desk: Desk, morning: str) -> None:
        desk.do(lambda c: actions.pause(c, morning, desk.now))
        self.travel(desk, "Asia/Tokyo")
        assert desk.row(morning).zone == "Asia/Tokyo"


def test_a_schedule_that_cannot_be_computed_does_not_hold_up_others(desk: Desk) -> None:
    broken, whole = desk.add("*/10 * * * *"), desk.add("*/10 * * * *")
    desk.do(
        lambda c: c.execute(
            "UPDATE wrkflw_schedules SET timing = '99 * * * *' WHERE schedule_id = ?", (broken,)
        )
    )
    assert len(desk.tick("2026-03-02 12:10")) == 1
    assert desk.told(whole) == [("03-02 12:10", "started", 1)]
    row = desk.row(broken)
    assert row.paused
    assert "cannot be computed: minute: '99'" in row.note


def test_a_machine_that_does_not_know_where_it_is_is_in_utc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> str:
        raise LookupError("conflicting settings")

    monkeypatch.setattr("tzlocal.get_localzone_name", fail)
    monkeypatch.setattr("tzlocal.reload_localzone", fail)
    assert following.refreshed_local_zone() == "UTC"


def test_a_jump_shows_as_wall_time_minus_monotonic(monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = following.Jumps()
    assert not jumps.seen()
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 60)
    assert jumps.seen()
    assert not jumps.seen()
    monkeypatch.setattr(time, "time", wall)
    assert jumps.seen()


class TestJitter:
    def test_an_instant_is_put_off_by_the_same_amount_for_all(self, desk: Desk) -> None:
        schedule_id = desk.add("0 * * * *", jitter="30m", overlap="allow")
        row = desk.row(schedule_id)
        assert row.next_at == at("2026-03-02 13:00")
        assert row.fire_at is not None
        assert row.next_at is not None
        put_off = row.fire_at - row.next_at
        assert 0 < put_off <= 30 * MINUTE
        assert desk.tick(row.fire_at - 1) == []
        assert len(desk.tick(row.fire_at)) == 1
        assert desk.told(schedule_id) == [("03-02 13:00", "started", 1)]

    def test_amounts_differ_and_stay_in_bounds(self, desk: Desk) -> None:
        ids = [desk.add("0 * * * *", jitter="30m") for _ in range(40)]
        amounts = {
            row.fire_at - row.next_at for row in map(desk.row, ids) if row.fire_at and row.next_at
        }
        assert len(amounts) > 30
        assert all(0 <= amount <= 30 * MINUTE for amount in amounts)

    def test_more_than_an_interval_keeps_the_order(self, desk: Desk) -> None:
        schedule_id = desk.add("every 1m", jitter="10m", overlap="allow")
        for now in range(desk.now, desk.now + HOUR, 20):
            desk.tick(now)
        fires = desk.fires(schedule_id)
        assert sum(fire.count for fire in fires) >= 49
        stretches = [(fire.due_at, fire.last_at) for fire in fires]
        assert all(a[1] < b[0] for a, b in pairwise(stretches))
