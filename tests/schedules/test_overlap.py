"""What becomes of a fire while a run of the same schedule still goes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.schedules import actions, pointers, policy
from wrkflw_tui.store import fires

if TYPE_CHECKING:
    from schedules.record import Desk

    from wrkflw_tui.engine.terms import Overlap


def test_queue_one_keeps_one_fire_for_later(desk: Desk) -> None:
    schedule_id = desk.add("*/10 * * * *", overlap="queue_one")
    for now in ("12:10", "12:20", "12:30"):
        desk.tick(f"2026-03-02 {now}")
    assert desk.runs() == [("03-02 12:10", "queued")]
    assert desk.told(schedule_id) == [
        ("03-02 12:10", "started", 1),
        ("03-02 12:20", "waiting", 1),
        ("03-02 12:30", "skipped", 1),
    ]
    assert desk.fires(schedule_id)[-1].reason == policy.ONE_WAITS
    desk.end()
    assert len(desk.tick()) == 1
    assert desk.runs()[1] == ("03-02 12:20", "queued")
    assert desk.told(schedule_id)[1] == ("03-02 12:20", "started", 1)
    desk.end()
    assert desk.tick() == []


def test_queue_all_runs_one_after_the_other(desk: Desk) -> None:
    desk.add("*/10 * * * *", overlap="queue_all")
    for now in ("12:10", "12:20", "12:30"):
        desk.tick(f"2026-03-02 {now}")
    for number in range(1, 4):
        assert len(desk.runs()) == number
        desk.end()
        desk.tick()
    assert [due for due, _ in desk.runs()] == ["03-02 12:10", "03-02 12:20", "03-02 12:30"]


def test_a_queue_is_not_endless(desk: Desk) -> None:
    schedule_id = desk.add("every 1m", overlap="queue_all")
    for _ in range(policy.QUEUE + 5):
        desk.tick(desk.now + 60)
    outcomes = [fire.outcome for fire in desk.fires(schedule_id)]
    assert outcomes == ["started", *["waiting"] * policy.QUEUE, *["skipped"] * 4]
    assert desk.fires(schedule_id)[-1].reason == policy.QUEUE_FULL


def test_cancel_previous_ends_the_run_first(desk: Desk) -> None:
    schedule_id = desk.add("*/10 * * * *", overlap="cancel_previous")
    (first,) = desk.tick("2026-03-02 12:10")
    desk.do(
        lambda c: c.execute(
            "UPDATE wrkflw_workflow_runs SET status = 'running', owner = 'a', trigger = 'schedule'"
        )
    )
    assert desk.tick("2026-03-02 12:20") == []
    asked = "SELECT run_id FROM wrkflw_workflow_runs WHERE cancel_requested = 1"
    assert [row[0] for row in desk.connection.execute(asked)] == [first]
    # It has not ended yet: a newer fire takes the place of the one that waits.
    assert desk.tick("2026-03-02 12:30") == []
    assert desk.told(schedule_id)[1:] == [
        ("03-02 12:20", "skipped", 1),
        ("03-02 12:30", "waiting", 1),
    ]
    assert desk.fires(schedule_id)[1].reason == policy.REPLACED
    desk.end("cancelled")
    assert len(desk.tick()) == 1
    assert desk.runs() == [("03-02 12:10", "cancelled"), ("03-02 12:30", "queued")]


def test_cancel_previous_starts_at_once_where_nothing_is_at_work(desk: Desk) -> None:
    desk.add("*/10 * * * *", overlap="cancel_previous")
    desk.tick("2026-03-02 12:10")
    desk.tick("2026-03-02 12:20")
    assert desk.runs() == [("03-02 12:10", "cancelled"), ("03-02 12:20", "queued")]


def test_a_fire_waits_for_a_run_by_hand_too(desk: Desk) -> None:
    schedule_id = desk.add("*/10 * * * *", overlap="queue_all")
    desk.do(lambda c: actions.trigger(c, schedule_id, "app", desk.now))
    desk.tick("2026-03-02 12:10")
    assert desk.runs() == [("by hand", "queued")]
    desk.end()
    desk.tick()
    assert desk.runs()[1] == ("03-02 12:10", "queued")


@pytest.mark.parametrize("overlap", ["skip", "queue_one", "cancel_previous"])
def test_what_is_made_up_for_goes_one_after_the_other(desk: Desk, overlap: Overlap) -> None:
    schedule_id = desk.add("*/10 * * * *", overlap=overlap, catch_up="all")
    desk.tick("2026-03-02 12:35")
    assert desk.told(schedule_id) == [
        ("03-02 12:10", "started", 1),
        ("03-02 12:20", "waiting", 1),
        ("03-02 12:30", "waiting", 1),
    ]
    for _ in range(3):
        desk.end()
        desk.tick()
    assert [due for due, _ in desk.runs()] == ["03-02 12:10", "03-02 12:20", "03-02 12:30"]


def test_allow_makes_up_for_all_at_once(desk: Desk) -> None:
    desk.add("*/10 * * * *", overlap="allow", catch_up="all")
    assert len(desk.tick("2026-03-02 12:35")) == 3


def test_at_most_a_hundred_are_made_up_for(desk: Desk) -> None:
    schedule_id = desk.add("every 1m", overlap="allow", catch_up="all")
    assert len(desk.tick("2026-03-02 15:00")) == policy.MADE_UP
    (skipped, *started) = desk.fires(schedule_id)
    assert (skipped.count, skipped.reason) == (80, policy.TOO_MANY)
    assert f"{skipped.last_at:%H:%M}" == "13:20"
    assert [fire.outcome for fire in started] == ["started"] * 100


def test_a_run_that_was_taken_up_again_is_waited_for(desk: Desk) -> None:
    schedule_id = desk.add("*/10 * * * *", overlap="queue_all")
    (first,) = desk.tick("2026-03-02 12:10")
    desk.end("failed")
    desk.tick()
    desk.do(lambda c: c.execute("UPDATE wrkflw_workflow_runs SET status = 'running'"))
    desk.tick("2026-03-02 12:20")
    assert desk.told(schedule_id)[-1] == ("03-02 12:20", "waiting", 1)
    desk.end("success", first)
    assert fires.has_news(desk.connection)
    assert len(desk.tick()) == 1
    assert not fires.has_news(desk.connection)


def test_of_very_many_none_is_without_a_row(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointers, "COUNTED", 50)
    schedule_id = desk.add("every 1m", overlap="allow", catch_up="all", late_limit="10h")
    assert len(desk.tick("2026-03-03 12:00")) == policy.MADE_UP
    long_ago, many, *started = desk.fires(schedule_id)
    assert (long_ago.reason, many.reason) == (policy.TOO_LATE, policy.TOO_MANY)
    assert f"{long_ago.due_at:%H:%M}" == "12:01"
    assert many.due_at - long_ago.last_at == timedelta(minutes=1)
    assert f"{many.last_at:%H:%M}" == "10:20"
    assert [fire.outcome for fire in started] == ["started"] * policy.MADE_UP


class TestFailures:
    def test_several_in_a_row_pause_it(self, desk: Desk) -> None:
        schedule_id = desk.add("*/10 * * * *", pause_after_failures=2, overlap="queue_all")
        desk.tick("2026-03-02 12:10")
        desk.end("failed")
        desk.tick("2026-03-02 12:20")
        desk.tick("2026-03-02 12:30")
        desk.end("failed")
        desk.tick()
        row = desk.row(schedule_id)
        assert row.paused
        assert row.note == "paused after 2 failed runs in a row"
        assert desk.told(schedule_id)[-1] == ("03-02 12:30", "skipped", 1)
        assert desk.tick("2026-03-02 12:40") == []
        desk.do(lambda c: actions.resume(c, schedule_id, desk.now))
        row = desk.row(schedule_id)
        assert (row.paused, row.failures, row.note) == (False, 0, "")
        assert len(desk.tick("2026-03-02 12:50")) == 1

    def test_a_success_in_between_counts_anew(self, desk: Desk) -> None:
        schedule_id = desk.add("*/10 * * * *", pause_after_failures=2)
        for number, status in enumerate(["failed", "success", "failed", "cancelled"], start=1):
            desk.tick(f"2026-03-02 12:{number}0")
            desk.end(status)
        desk.tick()
        assert not desk.row(schedule_id).paused
        assert desk.row(schedule_id).failures == 1

    def test_a_run_by_hand_does_not_count(self, desk: Desk) -> None:
        schedule_id = desk.add("*/10 * * * *", pause_after_failures=1)
        desk.do(lambda c: actions.trigger(c, schedule_id, "app", desk.now))
        desk.end("failed")
        desk.tick()
        assert not desk.row(schedule_id).paused

    def test_a_run_off_the_record_is_forgotten(self, desk: Desk) -> None:
        schedule_id = desk.add("*/10 * * * *", overlap="queue_all", pause_after_failures=1)
        desk.tick("2026-03-02 12:10")
        desk.tick("2026-03-02 12:20")
        desk.do(lambda c: c.execute("DELETE FROM wrkflw_workflow_runs"))
        assert len(desk.tick()) == 1
        assert not fires.has_news(desk.connection)
        assert not desk.row(schedule_id).paused


def test_a_limit_of_runs_ends_it(desk: Desk) -> None:
    schedule_id = desk.add("*/10 * * * *", max_runs=2, overlap="skip")
    desk.tick("2026-03-02 12:10")
    desk.tick("2026-03-02 12:20")  # left out: it does not count
    desk.end()
    desk.tick("2026-03-02 12:30")
    assert desk.next(schedule_id) is None
    desk.end()
    assert desk.tick("2026-03-02 12:40") == []
    assert [due for due, _ in desk.runs()] == ["03-02 12:10", "03-02 12:30"]
