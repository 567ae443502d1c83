"""What becomes of due instants, with a turned clock."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.schedules import actions, following, pointers, scheduler
from wrkflw_tui.schedules.cron import CronError, UnknownZone
from wrkflw_tui.store import claims, schedules
from wrkflw_tui.store.file import connect, prepare, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator
    from pathlib import Path

    from wrkflw_tui.store.schedules import Fire, ScheduleRow

MINUTE, HOUR, DAY = 60, 3600, 86400


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


NOON = at("2026-03-02 12:00")


class Record:
    """A record with schedules, and a clock that a test turns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def add(self, cron: str, next_at: int | None, timezone: str = "UTC", **settings: Any) -> str:
        zone = settings.pop("zone", timezone)
        with transaction(self.connection):
            return schedules.add(
                self.connection, "job", cron, timezone, zone, "1", next_at, **settings
            )

    def fire(self, schedule_id: str, now: int) -> str | None:
        with transaction(self.connection):
            runs = scheduler.fire(self.connection, schedule_id, now)
        return runs[-1] if runs else None

    def row(self, schedule_id: str) -> ScheduleRow:
        row = schedules.find(self.connection, schedule_id)
        assert row is not None
        return row

    def next_at(self, schedule_id: str) -> int | None:
        return self.row(schedule_id).next_at

    def set_pointer(self, schedule_id: str, next_at: int) -> None:
        with transaction(self.connection):
            schedules.move_pointer(self.connection, schedule_id, "UTC", next_at)

    def fires(self, schedule_id: str) -> list[Fire]:
        """What it fired, oldest first."""
        return schedules.list_fires(self.connection, schedule_id)[::-1]

    def outcomes(self, schedule_id: str) -> list[tuple[int, str, int]]:
        fires = self.fires(schedule_id)
        return [(int(f.due_at.timestamp()), f.outcome, f.count) for f in fires]

    def runs(self) -> list[tuple[Any, ...]]:
        rows = self.connection.execute(
            "SELECT run_id, schedule_id, due_at, status, trigger, workflow_id, input"
            " FROM wrkflw_workflow_runs ORDER BY id"
        )
        return [tuple(row) for row in rows]

    def end(self, run_id: str) -> None:
        with transaction(self.connection):
            claims.request_cancel(self.connection, run_id)


@pytest.fixture
def record(file: Path) -> Generator[Record]:
    prepare(file)
    with closing(connect(file)) as connection:
        yield Record(connection)


def test_a_due_instant_queues_a_run(record: Record) -> None:
    schedule_id = record.add("*/5 * * * *", NOON)
    run_id = record.fire(schedule_id, NOON + 2)
    assert run_id == scheduler.run_id_for(schedule_id, NOON)
    assert record.runs() == [(run_id, schedule_id, NOON, "queued", "schedule", "job", "1")]
    (fire,) = record.fires(schedule_id)
    assert (fire.outcome, fire.reason, fire.count, fire.run_id) == ("started", "", 1, run_id)
    assert fire.due_at == datetime.fromtimestamp(NOON, UTC)
    assert record.next_at(schedule_id) == NOON + 5 * MINUTE


def test_nothing_happens_before_its_time(record: Record) -> None:
    schedule_id = record.add("*/5 * * * *", NOON)
    assert record.fire(schedule_id, NOON - 1) is None
    assert record.runs() == []
    assert record.fires(schedule_id) == []
    assert record.next_at(schedule_id) == NOON


def test_the_very_second_is_due(record: Record) -> None:
    schedule_id = record.add("*/5 * * * *", NOON)
    assert record.fire(schedule_id, NOON) is not None
    assert record.next_at(schedule_id) == NOON + 5 * MINUTE


def test_an_unknown_schedule_fires_nothing(record: Record) -> None:
    assert record.fire("nothing", NOON) is None


def test_an_instant_fires_once(record: Record) -> None:
    schedule_id = record.add("*/5 * * * *", NOON, overlap="allow")
    assert record.fire(schedule_id, NOON + 1) is not None
    assert record.fire(schedule_id, NOON + 1) is None
    # Not even with its pointer turned back.
    record.set_pointer(schedule_id, NOON)
    assert record.fire(schedule_id, NOON + 1) is None
    assert len(record.runs()) == 1
    assert record.outcomes(schedule_id) == [(NOON, "started", 1)]
    assert record.next_at(schedule_id) == NOON + 5 * MINUTE


def test_a_clock_set_back_repeats_nothing(record: Record) -> None:
    schedule_id = record.add("*/5 * * * *", NOON, overlap="allow")
    clock = [*range(NOON, NOON + HOUR, MINUTE), *range(NOON, NOON + 2 * HOUR, MINUTE)]
    fired = [record.fire(schedule_id, now) for now in clock]
    assert len([run_id for run_id in fired if run_id]) == 2 * 12
    assert len({row[2] for row in record.runs()}) == 2 * 12


def test_the_run_id_is_made_of_schedule_and_instant() -> None:
    one = scheduler.run_id_for("a", NOON)
    assert one == scheduler.run_id_for("a", NOON)
    assert len({one, scheduler.run_id_for("b", NOON), scheduler.run_id_for("a", NOON + 60)}) == 3


def test_of_missed_instants_the_latest_runs(record: Record) -> None:
    schedule_id = record.add("*/5 * * * *", NOON)
    now = NOON + 62 * MINUTE
    run_id = record.fire(schedule_id, now)
    assert run_id == scheduler.run_id_for(schedule_id, NOON + HOUR)
    # The stretch before it is one row.
    assert record.outcomes(schedule_id) == [
        (NOON, "skipped", 12),
        (NOON + HOUR, "started", 1),
    ]
    assert "no worker" in record.fires(schedule_id)[0].reason
    assert record.next_at(schedule_id) == NOON + 65 * MINUTE


def test_a_weekend_away_makes_one_run_of_a_daily_job(record: Record) -> None:
    friday, monday = at("2026-03-06 18:00"), at("2026-03-09 08:30")
    schedule_id = record.add("0 18 * * *", friday)
    assert record.fire(schedule_id, monday) is not None
    sunday = at("2026-03-08 18:00")
    assert record.outcomes(schedule_id) == [(friday, "skipped", 2), (sunday, "started", 1)]
    assert record.next_at(schedule_id) == at("2026-03-09 18:00")


def test_what_lies_too_far_back_is_not_made_up_for(record: Record) -> None:
    first = at("2026-03-01 00:00")
    schedule_id = record.add("0 0 1 * *", first)
    assert record.fire(schedule_id, first + 20 * DAY) is None
    assert record.runs() == []
    (fire,) = record.fires(schedule_id)
    assert (fire.outcome, fire.count, fire.run_id) == ("skipped", 1, None)
    assert "too long ago" in fire.reason
    assert record.next_at(schedule_id) == at("2026-04-01 00:00")


def test_half_a_period_is_not_too_far_back(record: Record) -> None:
    first = at("2026-03-01 00:00")
    schedule_id = record.add("0 0 1 * *", first)
    assert record.fire(schedule_id, first + 15 * DAY) is not None


class TestNoCatchUp:
    def test_a_missed_instant_is_skipped(self, record: Record) -> None:
        schedule_id = record.add("*/5 * * * *", NOON, catch_up="none")
        assert record.fire(schedule_id, NOON + 62 * MINUTE) is None
        assert record.runs() == []
        assert record.outcomes(schedule_id) == [
            (NOON, "skipped", 13),
        ]
        (fire,) = record.fires(schedule_id)
        assert fire.last_at == datetime.fromtimestamp(NOON + HOUR, UTC)
        assert "does not catch up" in fire.reason
        assert record.next_at(schedule_id) == NOON + 65 * MINUTE

    def test_a_moment_late_is_not_missed(self, record: Record) -> None:
        schedule_id = record.add("*/5 * * * *", NOON, catch_up="none")
        assert record.fire(schedule_id, NOON + 30) is not None


class TestOverlap:
    @pytest.mark.parametrize("status", ["queued", "running", "sleeping", "suspended"])
    def test_skip_waits_for_the_run_before(self, record: Record, status: str) -> None:
        schedule_id = record.add("*/5 * * * *", NOON)
        first = record.fire(schedule_id, NOON)
        record.connection.execute("UPDATE wrkflw_workflow_runs SET status = ?", (status,))
        assert record.fire(schedule_id, NOON + 5 * MINUTE) is None
        assert record.fires(schedule_id)[1].reason == "the run before it was still going"
        assert record.next_at(schedule_id) == NOON + 10 * MINUTE
        record.connection.execute("UPDATE wrkflw_workflow_runs SET status = 'queued'")
        assert first is not None
        record.end(first)
        assert record.fire(schedule_id, NOON + 10 * MINUTE) is not None

    def test_skip_looks_at_runs_of_its_own_schedule_only(self, record: Record) -> None:
        other = record.add("*/5 * * * *", NOON)
        assert record.fire(other, NOON) is not None
        with transaction(record.connection):
            claims.enqueue(record.connection, "job", "1", "app")
        assert record.fire(record.add("*/5 * * * *", NOON), NOON) is not None

    def test_allow_starts_one_beside_it(self, record: Record) -> None:
        schedule_id = record.add("*/5 * * * *", NOON, overlap="allow")
        assert record.fire(schedule_id, NOON) is not None
        assert record.fire(schedule_id, NOON + 5 * MINUTE) is not None
        assert [row[2] for row in record.runs()] == [NOON, NOON + 5 * MINUTE]

    def test_what_was_skipped_is_not_made_up_for(self, record: Record) -> None:
        schedule_id = record.add("*/5 * * * *", NOON)
        first = record.fire(schedule_id, NOON)
        assert first is not None
        assert record.fire(schedule_id, NOON + 5 * MINUTE) is None
        record.end(first)
        record.set_pointer(schedule_id, NOON + 5 * MINUTE)
        assert record.fire(schedule_id, NOON + 5 * MINUTE) is None
        assert len(record.runs()) == 1


def test_a_paused_schedule_fires_nothing(record: Record) -> None:
    schedule_id = record.add("*/5 * * * *", NOON)
    with transaction(record.connection):
        schedules.set_paused(record.connection, schedule_id, True, NOON)
    assert record.fire(schedule_id, NOON + HOUR) is None
    assert schedules.due(record.connection, NOON + HOUR) == []
    assert schedules.next_due(record.connection) is None
    assert record.fires(schedule_id) == []
    later = NOON + 2 * HOUR
    with transaction(record.connection):
        schedules.set_paused(record.connection, schedule_id, False, later)
    assert record.fire(schedule_id, later) is not None
    # What came due in the pause is not missed.
    assert record.outcomes(schedule_id) == [(later, "started", 1)]


SETTINGS = [
    {"overlap": overlap, "catch_up": catch_up}
    for overlap in ("skip", "allow")
    for catch_up in ("none", "latest")
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("late", [0, 59, 61, HOUR, 3 * DAY, 400 * DAY])
@pytest.mark.parametrize("cron", ["*/5 * * * *", "0 12 * * *", "0 12 2 * *", "0 12 2 3 *"])
def test_the_pointer_always_moves_on(
    record: Record,
    monkeypatch: pytest.MonkeyPatch,
    cron: str,
    late: int,
    settings: dict[str, Any],
) -> None:
    monkeypatch.setattr(pointers, "COUNTED", 100)
    schedule_id = record.add(cron, NOON, **settings)
    for now in (NOON + late, NOON + late + 400 * DAY):
        record.fire(schedule_id, now)
        next_at = record.next_at(schedule_id)
        assert next_at is not None
        assert next_at > now
    counts = [count for _, _, count in record.outcomes(schedule_id)]
    assert sum(counts) >= 1


def test_three_years_of_every_five_minutes_are_done_with_quickly(record: Record) -> None:
    schedule_id = record.add("*/5 * * * *", NOON)
    now = at("2029-03-02 12:02")
    begun = time.monotonic()
    run_id = record.fire(schedule_id, now)
    assert time.monotonic() - begun < 10
    latest = at("2029-03-02 12:00")
    assert run_id == scheduler.run_id_for(schedule_id, latest)
    (_, outcome, count), started = record.outcomes(schedule_id)
    assert (outcome, started) == ("skipped", (latest, "started", 1))
    assert pointers.COUNTED < count < pointers.COUNTED + 500
    assert record.next_at(schedule_id) == at("2029-03-02 12:05")


def test_the_latest_of_very_many_is_found_where_they_lie_far_apart(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pointers, "COUNTED", 3)
    monday = at("2026-03-02 09:00")
    schedule_id = record.add("0 9 * * 1", monday)
    now = at("2026-06-10 08:00")
    record.fire(schedule_id, now)
    assert record.outcomes(schedule_id)[-1][0] == at("2026-06-08 09:00")


@pytest.mark.parametrize("missed", range(8, 15))
def test_about_as_many_as_are_counted(
    record: Record, monkeypatch: pytest.MonkeyPatch, missed: int
) -> None:
    monkeypatch.setattr(pointers, "COUNTED", 10)
    schedule_id = record.add("* * * * *", NOON, overlap="allow")
    now = NOON + (missed - 1) * MINUTE
    assert record.fire(schedule_id, now) == scheduler.run_id_for(schedule_id, now)
    assert record.next_at(schedule_id) == now + MINUTE
    assert record.fires(schedule_id)[0].last_at.timestamp() == now - MINUTE


def test_a_local_time_is_meant_in_the_zone_of_the_schedule(record: Record) -> None:
    # Nine in Berlin: before and after the change to summer time.
    first = at("2026-03-28 08:00")
    schedule_id = record.add("0 9 * * *", first, "Europe/Berlin")
    assert record.fire(schedule_id, first) is not None
    assert record.next_at(schedule_id) == at("2026-03-29 07:00")
    assert record.row(schedule_id).zone == "Europe/Berlin"


class TestZoneChange:
    def follow(self, record: Record, local: str) -> int:
        with transaction(record.connection):
            return following.follow_zones(record.connection, NOON - DAY, local)

    def test_local_schedules_follow_the_machine(self, record: Record) -> None:
        local = record.add("0 9 * * *", NOON, "local", zone="America/New_York")
        fixed = record.add("0 9 * * *", NOON, "America/New_York")
        ended = record.add("once 2020-01-01T08:00", None, "local", zone="America/New_York")
        assert following.is_astray(record.connection, "Europe/Berlin")
        assert self.follow(record, "Europe/Berlin") == 2
        assert record.next_at(local) == at("2026-03-02 08:00")
        assert record.row(local).zone == "Europe/Berlin"
        assert record.next_at(fixed) == NOON
        assert record.next_at(ended) is None
        assert not following.is_astray(record.connection, "Europe/Berlin")
        assert self.follow(record, "Europe/Berlin") == 0

    def test_a_zone_without_data_leaves_the_pointer(self, record: Record) -> None:
        local = record.add("0 9 * * *", NOON, "local", zone="Europe/Berlin")
        assert self.follow(record, "Nowhere/Land") == 0
        assert not following.is_astray(record.connection, "Nowhere/Land")
        assert record.next_at(local) == NOON
        assert record.row(local).zone == "Europe/Berlin"

    def test_new_data_of_a_zone_moves_its_pointers(
        self, record: Record, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        berlin = record.add("0 9 * * *", NOON, "Europe/Berlin")
        tokyo = record.add("0 9 * * *", NOON, "Asia/Tokyo")
        assert self.follow(record, "UTC") == 0
        monkeypatch.setattr(following, "zone_data", lambda zone: f"new data of {zone}"[:18])
        assert following.is_astray(record.connection, "UTC")
        assert self.follow(record, "UTC") == 2
        assert record.next_at(berlin) == at("2026-03-02 08:00")
        assert record.next_at(tokyo) == at("2026-03-02 00:00")
        assert not following.is_astray(record.connection, "UTC")

    def test_local_is_resolved_when_it_fires(
        self, record: Record, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scheduler, "local_zone", lambda: "Asia/Tokyo")
        schedule_id = record.add("0 9 * * *", NOON, "local", zone="Europe/Berlin")
        record.fire(schedule_id, NOON)
        assert record.next_at(schedule_id) == at("2026-03-03 00:00")
        assert record.row(schedule_id).zone == "Asia/Tokyo"


def test_upcoming_lists_the_next_fires() -> None:
    after = datetime.fromtimestamp(NOON, UTC)

    def upcoming(timing: str, zone: str = "UTC") -> list[int]:
        terms = ScheduleTerms(timing=timing, timezone=zone)
        return [int(one.timestamp()) - NOON for one in actions.upcoming(terms, after, 3)]

    assert upcoming("*/20 * * * *") == [20 * MINUTE, 40 * MINUTE, HOUR]
    after += timedelta(milliseconds=1)
    assert upcoming("every 90m") == [90 * MINUTE, 3 * HOUR, 270 * MINUTE]
    assert upcoming("once 2026-03-02T13:00") == [HOUR]
    with pytest.raises(CronError):
        upcoming("nonsense")
    with pytest.raises(UnknownZone):
        upcoming("* * * * *", "Nowhere/Land")


# At once


def test_two_connections_fire_an_instant_once(record: Record, file: Path) -> None:
    schedule_id = record.add("*/5 * * * *", NOON, overlap="allow")
    with closing(connect(file)) as connection:
        other = Record(connection)
        fired = [one.fire(schedule_id, NOON) for one in (record, other, record, other)]
    assert [run_id is not None for run_id in fired] == [True, False, False, False]
    assert len(record.runs()) == 1


FIRES = """
import sys, time
from pathlib import Path
from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.schedules import actions, following, pointers, scheduler
from wrkflw_tui.store.file import Turn, connect, transaction

file, schedule_id, noon, ticks = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
connection, turn = connect(file), Turn(file)
print("ready", flush=True)
begin = float(sys.stdin.readline())
last = -1
while last < ticks - 1:
    tick = min(int((time.monotonic() - begin) / 0.02), ticks - 1)
    if tick <= last:
        time.sleep(0.0005)
        continue
    last = tick
    with turn, transaction(connection):
        runs = scheduler.fire(connection, schedule_id, noon + 60 * tick)
    for run_id in runs:
        print(run_id)
"""


def test_processes_that_fire_at_once_fire_an_instant_once(record: Record, file: Path) -> None:
    ticks = 60
    schedule_id = record.add("* * * * *", NOON, overlap="allow")
    arguments = [sys.executable, "-c", FIRES, str(file), schedule_id, str(NOON), str(ticks)]
    processes = [
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        # One monotonic clock for all processes of a machine.
        begin = f"{time.monotonic() + 0.1}\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(begin)
            process.stdin.flush()
        said = [process.communicate(timeout=30)[0].split() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [process.returncode for process in processes] == [0] * 4
    told = Counter(run_id for mine in said for run_id in mine)
    assert set(told.values()) == {1}
    assert set(told) == {row[0] for row in record.runs()}
    fires = schedules.list_fires(record.connection, schedule_id, 1000)
    assert sum(fire.count for fire in fires) == ticks
    assert len([fire for fire in fires if fire.outcome == "started"]) == len(told)
    assert record.next_at(schedule_id) == NOON + ticks * MINUTE
