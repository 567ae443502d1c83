"""Schedules that stand in automation files: they follow the file, and keep what a person did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from schedules.record import at

from wrkflw_tui.engine.terms import PlannedSchedule
from wrkflw_tui.schedules import actions, following
from wrkflw_tui.schedules.schedule import Settings, terms_of
from wrkflw_tui.store import schedules
from wrkflw_tui.store.schedules import ScheduleInCode

if TYPE_CHECKING:
    from typing import Unpack

    from schedules.record import Desk


def plan(
    timing: str, name: str = "1", input: str = "1", **given: Unpack[Settings]
) -> PlannedSchedule:
    return PlannedSchedule(name, terms_of(timing, **given), input)


def follow(desk: Desk, *plans: PlannedSchedule, file: str = "job.py") -> None:
    desk.do(lambda c: following.follow_file(c, file, {"job": list(plans)}, desk.now, desk.local))


def ids(desk: Desk) -> list[str]:
    return sorted(row.schedule_id for row in schedules.list_schedules(desk.connection))


def revisions(desk: Desk) -> list[int]:
    return [row[0] for row in desk.connection.execute("SELECT revision FROM wrkflw_schedules")]


def test_they_are_there_with_a_stable_id(desk: Desk) -> None:
    follow(desk, plan("0 * * * *"), plan("every 2h", "often"))
    assert ids(desk) == ["job.1", "job.often"]
    row = desk.row("job.1")
    assert (row.source, row.file, row.workflow_id) == ("code", "job.py", "job")
    assert desk.next("job.often") == "2026-03-02 14:00"
    assert len(desk.tick("2026-03-02 13:00")) == 1


def test_one_that_is_unchanged_is_not_touched(desk: Desk) -> None:
    follow(desk, plan("0 * * * *"))
    before = revisions(desk)
    desk.now = at("2026-03-02 13:30")
    follow(desk, plan("0 * * * *"))
    assert revisions(desk) == before
    # What came due meanwhile is still due.
    assert len(desk.tick()) == 1


def test_another_time_moves_the_pointer(desk: Desk) -> None:
    follow(desk, plan("0 * * * *"))
    follow(desk, plan("30 * * * *"))
    assert desk.next("job.1") == "2026-03-02 12:30"
    follow(desk, plan("30 * * * *", timezone="Asia/Kathmandu"))
    assert desk.next("job.1") == "2026-03-02 12:45"


def test_another_setting_leaves_it(desk: Desk) -> None:
    follow(desk, plan("0 * * * *"))
    desk.now = at("2026-03-02 13:30")
    follow(desk, plan("0 * * * *", input="2", overlap="allow", note="tidies up"))
    row = desk.row("job.1")
    assert (row.input, row.overlap, row.note) == ("2", "allow", "tidies up")
    assert len(desk.tick()) == 1


def test_what_a_person_did_stays(desk: Desk) -> None:
    follow(desk, plan("0 * * * *"))
    desk.do(lambda c: actions.pause(c, "job.1", desk.now, "not now"))
    for plans in ([plan("30 * * * *")], [], [plan("15 * * * *")]):
        follow(desk, *plans)
    row = desk.row("job.1")
    assert (row.paused, row.note, row.timing) == (True, "not now", "15 * * * *")
    assert desk.tick("2026-03-02 15:00") == []
    desk.do(lambda c: actions.resume(c, "job.1", desk.now))
    assert desk.next("job.1") == "2026-03-02 15:15"


def test_one_that_is_taken_out_is_gone_and_its_fires_are_kept(desk: Desk) -> None:
    follow(desk, plan("0 * * * *"), plan("30 * * * *", "half"))
    desk.tick("2026-03-02 13:00")
    follow(desk, plan("0 * * * *"))
    assert ids(desk) == ["job.1"]
    follow(desk)
    assert ids(desk) == []
    assert schedules.next_due(desk.connection) is None
    desk.end()
    assert desk.tick("2026-03-02 20:00") == []
    assert len(desk.fires("job.1")) == 1
    # Back again it goes on from then: what it would have fired meanwhile is not missed.
    follow(desk, plan("0 * * * *"))
    assert desk.tick() == []
    assert desk.next("job.1") == "2026-03-02 21:00"


def test_it_may_move_to_another_file(desk: Desk) -> None:
    follow(desk, plan("0 * * * *"))
    desk.do(lambda c: actions.pause(c, "job.1", desk.now))
    desk.do(lambda c: schedules.set_gone(c, "job.py", ()))
    follow(desk, plan("0 * * * *"), file="renamed.py")
    row = desk.row("job.1")
    assert (row.file, row.paused) == ("renamed.py", True)
    follow(desk, file="job.py")
    assert ids(desk) == ["job.1"]


def test_it_is_changed_in_the_file_only(desk: Desk) -> None:
    follow(desk, plan("0 * * * *"))
    with pytest.raises(ScheduleInCode, match=r"job\.1 stands in job\.py: take it out of the file"):
        desk.do(lambda c: schedules.remove(c, "job.1"))
    with pytest.raises(ScheduleInCode, match="change it there"):
        desk.do(lambda c: actions.change(c, "job.1", terms_of("@daily"), "1", desk.now))
    desk.do(lambda c: actions.remark(c, "job.1", "mine"))
    desk.do(lambda c: actions.trigger(c, "job.1", "app", desk.now))
    desk.do(lambda c: actions.skip_next(c, "job.1", desk.now))
    assert desk.row("job.1").note == "mine"


def test_a_persons_own_are_left_alone(desk: Desk) -> None:
    own = desk.add("0 * * * *")
    follow(desk, plan("0 * * * *"))
    follow(desk)
    assert ids(desk) == [own]
