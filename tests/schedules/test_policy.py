"""What becomes of each instant, against the rules said a second time in the plainest way."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schedules.record import DAY, HOUR, MINUTE, Desk

from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.schedules import actions, policy
from wrkflw_tui.schedules.policy import Instant
from wrkflw_tui.store.file import connect, place_of, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = {"auto": None, "unlimited": None, "30s": 30, "2h": 2 * HOUR, "3d": 3 * DAY}
TERMS = st.builds(
    ScheduleTerms,
    timing=st.sampled_from(["every 1m", "every 7m", "every 1h", "every 20h"]),
    overlap=st.sampled_from(["skip", "queue_one", "queue_all", "cancel_previous", "allow"]),
    catch_up=st.sampled_from(["none", "latest", "all"]),
    late_limit=st.sampled_from(list(LIMITS)),
    max_runs=st.sampled_from([None, None, 1, 3, 50]),
)
PERIODS = {"every 1m": MINUTE, "every 7m": 7 * MINUTE, "every 1h": HOUR, "every 20h": 20 * HOUR}
SPANS = st.one_of(st.integers(1, 90), st.integers(1, 2 * HOUR), st.integers(1, 2 * DAY))


@dataclass(frozen=True)
class Look:
    after: int
    """Seconds since the look before."""
    all_ended: bool
    """Whether the runs of before have ended by then."""


LOOKS = st.lists(st.builds(Look, SPANS, st.booleans()), min_size=1, max_size=8)


@dataclass
class Reference:
    """The rules once more: instants one by one, nothing computed at once."""

    terms: ScheduleTerms
    next: int
    period: int
    said: dict[int, str] = field(default_factory=dict)
    queue: list[int] = field(default_factory=list)
    going: set[int] = field(default_factory=set)
    used: int = 0

    def look(self, now: int) -> None:
        if self.queue and not self.going:
            self.run(self.queue.pop(0))
        if self.next > now or self.is_spent:
            return
        due: list[int] = []
        while self.next <= now:
            due.append(self.next)
            self.next += self.period
        chosen = [at for at in due if self.is_wanted(at, due, now)][-100:]
        if self.terms.max_runs is not None:
            chosen = chosen[: self.terms.max_runs - self.used]
        for at in due:
            self.said[at] = "skipped"
        for at in chosen:
            self.fire(at, in_line=len(chosen) > 1)

    @property
    def is_spent(self) -> bool:
        return self.terms.max_runs is not None and self.used >= self.terms.max_runs

    def is_wanted(self, at: int, due: Sequence[int], now: int) -> bool:
        late = now - at
        if self.terms.late_limit == "auto":
            in_time = late <= max(DAY, self.period / 2)
        else:
            limit = LIMITS[self.terms.late_limit]
            in_time = limit is None or late <= limit
        if self.terms.catch_up == "all":
            return in_time
        if self.terms.catch_up == "latest":
            return in_time and at == due[-1]
        return in_time and at == due[-1] and late <= 60

    def fire(self, at: int, *, in_line: bool) -> None:
        overlap = "queue_all" if in_line and self.terms.overlap != "allow" else self.terms.overlap
        if overlap == "allow" or not (self.going or self.queue):
            self.run(at)
            self.used += 1
        elif overlap == "cancel_previous":
            # What goes is queued in this test, and so is cancelled at once.
            for waiting in self.queue:
                self.said[waiting] = "skipped"
            self.queue, self.going = [], set()
            self.run(at)
            self.used += 1
        elif (overlap == "queue_all" and (in_line or len(self.queue) < 100)) or (
            overlap == "queue_one" and not self.queue
        ):
            self.queue.append(at)
            self.said[at] = "waiting"
            self.used += 1

    def run(self, at: int) -> None:
        self.said[at] = "started"
        self.going.add(at)


def outcomes(desk: Desk, schedule_id: str, period: int) -> dict[int, str]:
    """What is on record of each instant; a stretch counts as many as it says."""
    found: dict[int, str] = {}
    for fire in desk.fires(schedule_id):
        first, last = int(fire.due_at.timestamp()), int(fire.last_at.timestamp())
        instants = range(first, last + 1, period)
        assert len(instants) == fire.count
        for at in instants:
            assert at not in found, f"{at} is on record twice"
            found[at] = fire.outcome
    return found


@given(terms=TERMS, looks=LOOKS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_each_instant_has_run_once_or_is_on_record_as_left_out(
    terms: ScheduleTerms, looks: list[Look]
) -> None:
    place, period = place_of(Path(":memory:")), PERIODS[terms.timing]
    with closing(connect(place)) as connection:
        prepare(place)
        desk = Desk(connection, "2026-03-02 12:00")
        schedule_id = desk.do(lambda c: actions.add(c, "job", terms, "1", desk.now))
        reference = Reference(terms, desk.now + period, period)
        for look in looks:
            if look.all_ended:
                desk.end()
                reference.going.clear()
            desk.tick(desk.now + look.after)
            reference.look(desk.now)
            assert outcomes(desk, schedule_id, period) == reference.said
        started = {at for at, said in reference.said.items() if said == "started"}
        due = [row[0] for row in connection.execute("SELECT due_at FROM wrkflw_workflow_runs")]
        assert sorted(due) == sorted(started)


INSTANTS = st.lists(st.integers(0, 10 * DAY), min_size=1, max_size=130, unique=True).map(sorted)


@given(terms=TERMS, due=INSTANTS, late=st.integers(0, 5 * DAY), used=st.integers(0, 4))
@settings(deadline=None, max_examples=300)
def test_a_verdict_leaves_none_out(
    terms: ScheduleTerms, due: list[int], late: int, used: int
) -> None:
    now = due[-1] + late
    verdict = policy.judge(terms, [Instant(at, at) for at in due], now + 1, now, used)
    started = [one.due_at for one in verdict.start]
    covered = [at for at in due for s in verdict.skip if s.first.due_at <= at <= s.last.due_at]
    assert sorted(started + covered) == due
    assert sum(skip.count for skip in verdict.skip) == len(covered)
    assert all(skip.reason for skip in verdict.skip)
    assert len(started) <= policy.MADE_UP
    assert started == sorted(started)


def test_auto_is_a_day_or_half_the_time_to_the_next() -> None:
    auto = ScheduleTerms(timing="@daily")
    assert policy.late_limit(auto, 0, HOUR) == DAY
    assert policy.late_limit(auto, 0, 30 * DAY) == 15 * DAY
    assert policy.late_limit(auto, 0, None) == DAY
    assert policy.late_limit(ScheduleTerms(timing="@daily", late_limit="unlimited"), 0, 1) is None
    assert policy.late_limit(ScheduleTerms(timing="@daily", late_limit="1h"), 0, 1) == HOUR
