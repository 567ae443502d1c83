"""What a person does to schedules."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from schedules.record import at, instant

from wrkflw_tui.schedules import actions, lateness
from wrkflw_tui.schedules.actions import BackfillTooLong
from wrkflw_tui.schedules.schedule import terms_of
from wrkflw_tui.store import schedules
from wrkflw_tui.store.schedules import ScheduleNotFound

if TYPE_CHECKING:
    from schedules.record import Desk


def test_the_next_fires_are_told_from_the_pointer_on(desk: Desk) -> None:
    schedule_id = desk.add("0 9 * * *", max_runs=3)
    found = actions.upcoming_of(desk.connection, schedule_id, desk.now, 5)
    assert [f"{one:%m-%d %H:%M}" for one in found] == ["03-03 09:00", "03-04 09:00", "03-05 09:00"]
    desk.do(lambda c: actions.pause(c, schedule_id, desk.now))
    assert actions.upcoming_of(desk.connection, schedule_id, desk.now, 5) == []


class TestChange:
    def test_another_time_moves_the_pointer(self, desk: Desk) -> None:
        schedule_id = desk.add("0 9 * * *")
        terms = terms_of("0 18 * * *", timezone="Asia/Tokyo")
        desk.do(lambda c: actions.change(c, schedule_id, terms, "2", desk.now))
        row = desk.row(schedule_id)
        assert (row.timing, row.zone, row.input) == ("0 18 * * *", "Asia/Tokyo", "2")
        assert desk.next(schedule_id) == "2026-03-03 09:00"

    def test_another_policy_leaves_what_is_due(self, desk: Desk) -> None:
        schedule_id = desk.add("*/10 * * * *")
        desk.now = at("2026-03-02 12:11")
        terms = terms_of("*/10 * * * *", timezone="UTC", overlap="allow")
        desk.do(lambda c: actions.change(c, schedule_id, terms, "1", desk.now))
        assert len(desk.tick()) == 1
        assert desk.told(schedule_id) == [("03-02 12:10", "started", 1)]

    def test_what_was_due_under_the_old_time_is_dropped(self, desk: Desk) -> None:
        schedule_id = desk.add("*/10 * * * *")
        desk.now = at("2026-03-02 12:11")
        terms = terms_of("0 18 * * *", timezone="UTC")
        desk.do(lambda c: actions.change(c, schedule_id, terms, "1", desk.now))
        assert desk.tick() == []

    def test_it_may_end_for_good_and_come_back(self, desk: Desk) -> None:
        schedule_id = desk.add("once 2026-03-02T13:00")
        assert len(desk.tick("2026-03-02 13:00")) == 1
        assert desk.next(schedule_id) is None
        terms = terms_of("once 2026-03-02T14:00", timezone="UTC")
        desk.do(lambda c: actions.change(c, schedule_id, terms, "1", desk.now))
        desk.end()
        assert len(desk.tick("2026-03-02 14:00")) == 1


class TestPause:
    def test_with_a_note(self, desk: Desk) -> None:
        schedule_id = desk.add("*/10 * * * *", note="tidies up")
        assert desk.row(schedule_id).note == "tidies up"
        desk.do(lambda c: actions.pause(c, schedule_id, desk.now, "on holiday"))
        assert desk.row(schedule_id).note == "on holiday"
        assert desk.tick("2026-03-02 14:00") == []
        desk.do(lambda c: actions.resume(c, schedule_id, desk.now))
        assert desk.row(schedule_id).note == "tidies up"
        assert desk.next(schedule_id) == "2026-03-02 14:10"
        assert desk.told(schedule_id) == []

    def test_until_an_instant(self, desk: Desk) -> None:
        schedule_id = desk.add("*/10 * * * *")
        until = instant("2026-03-02 13:00")
        desk.do(lambda c: actions.pause(c, schedule_id, desk.now, "lunch", until))
        row = desk.row(schedule_id)
        assert (row.paused, row.paused_until) == (False, at("2026-03-02 13:00"))
        assert desk.tick("2026-03-02 12:30") == []
        assert desk.next(schedule_id) == "2026-03-02 13:00"
        assert len(desk.tick("2026-03-02 13:00")) == 1
        assert desk.told(schedule_id) == [("03-02 13:00", "started", 1)]

    def test_until_an_instant_and_resumed_before(self, desk: Desk) -> None:
        schedule_id = desk.add("*/10 * * * *")
        until = instant("2026-03-02 13:00")
        desk.do(lambda c: actions.pause(c, schedule_id, desk.now, "", until))
        desk.do(lambda c: actions.resume(c, schedule_id, desk.now))
        assert desk.row(schedule_id).paused_until is None
        assert desk.next(schedule_id) == "2026-03-02 12:10"


def test_the_next_is_skipped_on_record(desk: Desk) -> None:
    schedule_id = desk.add("*/10 * * * *")
    assert desk.do(lambda c: actions.skip_next(c, schedule_id, desk.now)) == instant(
        "2026-03-02 12:10"
    )
    assert desk.next(schedule_id) == "2026-03-02 12:20"
    assert desk.tick("2026-03-02 12:15") == []
    (fire,) = desk.fires(schedule_id)
    assert (fire.outcome, fire.reason) == ("skipped", "skipped by hand")
    once = desk.add("once 2026-03-02T13:00")
    assert desk.do(lambda c: actions.skip_next(c, once, desk.now)) is not None
    assert desk.do(lambda c: actions.skip_next(c, once, desk.now)) is None
    # Not even a pointer computed anew brings it back.
    desk.do(lambda c: actions.resume(c, once, desk.now))
    assert desk.next(once) is None


def test_a_trigger_is_on_record_as_by_hand(desk: Desk) -> None:
    schedule_id = desk.add("10 12 * * *")
    desk.now = at("2026-03-02 12:10")
    first = desk.do(lambda c: actions.trigger(c, schedule_id, "app", desk.now))
    again = desk.do(lambda c: actions.trigger(c, schedule_id, "cli", desk.now))
    desk.end()
    # The schedule's own fire of that second is another.
    assert len(desk.tick()) == 1
    fires = desk.fires(schedule_id)
    assert {fire.run_id for fire in fires if fire.origin == "hand"} == {first, again}
    assert len([fire for fire in fires if fire.origin == "schedule"]) == 1
    assert [fire.run_status for fire in fires].count("success") == 2
    triggers = desk.connection.execute('SELECT "trigger" FROM wrkflw_workflow_runs ORDER BY id')
    assert [row[0] for row in triggers] == ["app", "cli", "schedule"]


class TestBackfill:
    def fill(self, desk: Desk, schedule_id: str, since: str, until: str) -> list[str]:
        span = (instant(since), instant(until))
        expected = [
            one.due_at
            for one in actions.preview_backfill(desk.connection, schedule_id, *span, desk.now)
            if one.state == "runs"
        ]
        filled = desk.do(lambda c: actions.backfill(c, schedule_id, *span, desk.now))
        assert filled == expected
        return [f"{one:%m-%d %H:%M}" for one in filled]

    def test_what_was_missed_is_filled_in(self, desk: Desk) -> None:
        schedule_id = desk.add("0 * * * *")
        desk.tick("2026-03-02 18:30")
        assert desk.told(schedule_id) == [
            ("03-02 13:00", "skipped", 5),
            ("03-02 18:00", "started", 1),
        ]
        filled = self.fill(desk, schedule_id, "2026-03-02 13:00", "2026-03-02 14:30")
        assert filled == ["03-02 13:00", "03-02 14:00"]
        assert desk.told(schedule_id) == [
            ("03-02 13:00", "waiting", 1),
            ("03-02 14:00", "waiting", 1),
            ("03-02 15:00", "skipped", 3),
            ("03-02 18:00", "started", 1),
        ]
        assert self.fill(desk, schedule_id, "2026-03-02 13:00", "2026-03-02 14:30") == []
        desk.end()
        desk.tick()
        desk.end()
        desk.tick()
        assert [due for due, _ in desk.runs()] == ["03-02 18:00", "03-02 13:00", "03-02 14:00"]
        assert [f.origin for f in desk.fires(schedule_id)] == [
            *["backfill"] * 2,
            *["schedule"] * 2,
        ]

    def test_from_the_middle_of_a_stretch(self, desk: Desk) -> None:
        schedule_id = desk.add("0 * * * *")
        desk.tick("2026-03-02 18:30")
        self.fill(desk, schedule_id, "2026-03-02 14:00", "2026-03-02 15:00")
        self.fill(desk, schedule_id, "2026-03-02 13:00", "2026-03-02 13:00")
        assert desk.told(schedule_id) == [
            ("03-02 13:00", "waiting", 1),
            ("03-02 14:00", "waiting", 1),
            ("03-02 15:00", "waiting", 1),
            ("03-02 16:00", "skipped", 2),
            ("03-02 18:00", "started", 1),
        ]
        assert self.fill(desk, schedule_id, "2026-03-02 12:30", "2026-03-03 00:00") == [
            "03-02 16:00",
            "03-02 17:00",
        ]
        assert [fire.outcome for fire in desk.fires(schedule_id)].count("skipped") == 0

    def test_before_it_was_made_and_not_ahead(self, desk: Desk) -> None:
        schedule_id = desk.add("0 12 * * *", overlap="allow")
        filled = self.fill(desk, schedule_id, "2026-02-27 00:00", "2026-03-09 00:00")
        assert filled == ["02-27 12:00", "02-28 12:00", "03-01 12:00", "03-02 12:00"]
        assert len(desk.runs()) == 4
        assert desk.next(schedule_id) == "2026-03-03 12:00"

    def test_what_is_due_now_fires_once(self, desk: Desk) -> None:
        schedule_id = desk.add("0 * * * *", overlap="allow")
        desk.now = at("2026-03-02 13:00")
        assert self.fill(desk, schedule_id, "2026-03-02 13:00", "2026-03-02 13:00")
        assert desk.tick() == []
        assert desk.next(schedule_id) == "2026-03-02 14:00"

    def test_a_range_has_an_end(self, desk: Desk) -> None:
        schedule_id = desk.add("* * * * *")
        span = (instant("2026-03-01 00:00"), instant("2026-03-02 00:00"))
        with pytest.raises(BackfillTooLong, match=r"1,000 fires at most.* until 2026-03-01 16:39"):
            actions.preview_backfill(desk.connection, schedule_id, *span, desk.now)


class TestLate:
    def since(self, desk: Desk, schedule_id: str, now: str) -> str | None:
        found = lateness.late_since(desk.connection, desk.row(schedule_id), at(now))
        return None if found is None else f"{found:%H:%M}"

    def test_without_a_success_in_time(self, desk: Desk) -> None:
        schedule_id = desk.add("0 * * * *", expect_within="20m")
        assert self.since(desk, schedule_id, "2026-03-02 13:19") is None
        # Nobody fired it.
        assert self.since(desk, schedule_id, "2026-03-02 13:21") == "13:20"
        desk.tick("2026-03-02 13:00")
        assert self.since(desk, schedule_id, "2026-03-02 13:21") == "13:20"
        desk.end("failed")
        assert self.since(desk, schedule_id, "2026-03-02 13:21") == "13:20"
        desk.tick("2026-03-02 14:00")
        desk.end()
        assert self.since(desk, schedule_id, "2026-03-02 14:59") is None

    def test_only_where_it_is_expected(self, desk: Desk) -> None:
        schedule_id = desk.add("0 * * * *")
        assert self.since(desk, schedule_id, "2026-03-05 13:21") is None
        expected = desk.add("0 * * * *", expect_within=timedelta(hours=1))
        desk.do(lambda c: actions.pause(c, expected, desk.now))
        assert self.since(desk, expected, "2026-03-05 13:21") is None


def test_all_say_which_schedule_is_not_there(desk: Desk) -> None:
    terms = terms_of("@daily")
    for act in (
        lambda c: actions.change(c, "x", terms, "1", 0),
        lambda c: actions.pause(c, "x", 0),
        lambda c: actions.resume(c, "x", 0),
        lambda c: actions.remark(c, "x", "y"),
        lambda c: actions.skip_next(c, "x", 0),
        lambda c: actions.trigger(c, "x", "app", 0),
        lambda c: schedules.remove(c, "x"),
    ):
        with pytest.raises(ScheduleNotFound, match="no schedule x"):
            desk.do(act)


def test_what_waits_is_given_up_with_its_schedule(desk: Desk) -> None:
    schedule_id = desk.add("*/10 * * * *", overlap="queue_all")
    desk.tick("2026-03-02 12:10")
    desk.tick("2026-03-02 12:20")
    desk.do(lambda c: schedules.remove(c, schedule_id))
    assert desk.told(schedule_id)[-1] == ("03-02 12:20", "skipped", 1)
    desk.end()
    assert desk.tick() == []
