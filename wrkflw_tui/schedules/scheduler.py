"""What becomes of due instants: pure steps over the record, each in one transaction."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrkflw_tui.schedules import policy
from wrkflw_tui.schedules.pointers import (
    COUNTED,
    between,
    due_of,
    is_spent,
    local_zone,
    pointer,
    when_of,
)
from wrkflw_tui.store import claims, fires, schedules

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.schedules.policy import Instant
    from wrkflw_tui.store.fires import Origin
    from wrkflw_tui.store.schedules import ScheduleRow

MOST = 100
"""How many schedules one step deals with: many at once are many short transactions."""
WORK = 500
"""How many instants it deals with, with one schedule at least."""
CORRECTION = 3 * 3600
"""Seconds; a clock that is set back by more than this was wrong before."""

_NAMESPACE = uuid.UUID("6b1d3a52-7c4e-5f0a-9e38-2f6b8c1d4e70")


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a step over the record did."""

    runs: tuple[str, ...]
    """The ids of the runs that were queued."""
    more: bool
    """Whether there is more to do at this very instant."""


def tick(
    connection: sqlite3.Connection, now: int, local: str | None = None, most: int = MOST
) -> Ticked:
    """Do what is due; `now` in seconds since the epoch, `local` the machine's zone.

    Runs in a transaction of its caller. The same whoever calls it and however often: an instant
    is fired by whoever records it first.
    """
    local = local or local_zone()
    moved = set_back(connection, now, local, most)
    ended = fires.take_ended(connection, most)
    for schedule_id, origin, status in ended:
        _conclude(connection, schedule_id, origin, status)
    runs: list[str] = []
    for schedule_id in fires.startable(connection, most):
        runs += _start_next(connection, schedule_id)
    work = 0
    rows = schedules.due(connection, now, most)
    for row in rows:
        if work >= WORK:
            return Ticked(tuple(runs), more=True)
        started, instants = _fire(connection, row, now, local)
        runs += started
        work += instants
    return Ticked(tuple(runs), most in (moved, len(ended), len(rows)))


def fire(connection: sqlite3.Connection, schedule_id: str, now: int) -> list[str]:
    """Do what is due of one schedule; return the ids of the runs that were queued."""
    row = schedules.find(connection, schedule_id)
    if row is None or row.paused or row.fire_at is None or row.fire_at > now:
        return []
    return _fire(connection, row, now, local_zone())[0]


def run_id_for(schedule_id: str, due_at: int) -> str:
    """Return the id of the run of one due instant: the same whoever fires it."""
    return str(uuid.uuid5(_NAMESPACE, f"{schedule_id}@{due_at}"))


def set_back(connection: sqlite3.Connection, now: int, local: str, most: int = MOST) -> int:
    """Compute pointers anew where the clock has been set back by much. Returns how many.

    Less than that is silence until the instant that was seen has passed again.
    """
    rows = schedules.from_the_future(connection, now + CORRECTION, most)
    for row in rows:
        _undo_skips(connection, row, now, local)
        recompute(connection, row, now, local)
    return len(rows)


def _undo_skips(connection: sqlite3.Connection, row: ScheduleRow, now: int, local: str) -> None:
    """Take back that instants to come were missed: only the clock had passed them."""
    first = fires.undo_skips(connection, row.schedule_id, now, now + CORRECTION)
    if first is not None:
        with suppress(ValueError):  # `recompute` sees to a schedule that cannot be computed
            stretch = between(row, when_of(row, local), first, now, COUNTED)
            fires.count_stretch(connection, row.schedule_id, first, max(len(stretch), 1))


def recompute(connection: sqlite3.Connection, row: ScheduleRow, now: int, local: str) -> None:
    """Compute a pointer anew, from now on; one that is due already is left to fire."""
    try:
        planned = when_of(row, local)
    except ValueError as error:
        give_up(connection, row, error)
        return
    next_at, zone = row.next_at, row.zone
    if row.paused or row.fire_at is None or row.fire_at > now:
        next_at, zone = pointer(connection, row, planned, now), planned.zone
    schedules.move_pointer(connection, row.schedule_id, zone, next_at, now)


def start(
    connection: sqlite3.Connection,
    row: ScheduleRow,
    instant: Instant,
    now: int,
    origin: Origin = "schedule",
    *,
    in_line: bool = False,
) -> tuple[bool, str | None]:
    """Record a due instant, and queue its run if it need not wait.

    Returns whether it runs now or later, and the id of a run that was queued.
    """
    active = fires.has_active_run(connection, row.schedule_id)
    waiting = len(fires.waiting(connection, row.schedule_id)) if row.overlap != "allow" else 0
    move, reason = policy.beside(row.terms, active, waiting, in_line)
    if move == "replace":
        active = _make_room(connection, row.schedule_id)
        move, reason = ("wait", reason) if active else ("start", "")
    run_id = run_id_for(row.schedule_id, instant.due_at) if move == "start" else None
    is_new = fires.record_fire(
        connection,
        row.schedule_id,
        instant.due_at,
        "started" if move == "start" else "waiting" if move == "wait" else "skipped",
        reason,
        run_id=run_id,
        origin=origin,
        nominal=instant.nominal,
        zone=instant.zone,
        at=now,
    )
    if not is_new:
        return False, None
    if run_id is None:
        return move == "wait", None
    return True, _enqueue(connection, row, instant.due_at, run_id)


def _enqueue(connection: sqlite3.Connection, row: ScheduleRow, due_at: int, run_id: str) -> str:
    return claims.enqueue(
        connection,
        row.workflow_id,
        row.input,
        "schedule",
        run_id=run_id,
        schedule_id=row.schedule_id,
        due_at=due_at,
    )


def _make_room(connection: sqlite3.Connection, schedule_id: str) -> bool:
    """Cancel what goes and forget what waits; tell whether something still has to end."""
    fires.skip_waiting(connection, schedule_id, policy.REPLACED)
    for run_id in fires.active_runs(connection, schedule_id):
        claims.request_cancel(connection, run_id)
    return fires.has_active_run(connection, schedule_id)


def _fire(
    connection: sqlite3.Connection, row: ScheduleRow, now: int, local: str
) -> tuple[list[str], int]:
    """Do what is due of a schedule; return the runs queued, and how many instants it took."""
    try:
        planned = when_of(row, local)
        due, next_at = due_of(connection, row, planned, now)
    except ValueError as error:
        give_up(connection, row, error)
        return [], 1
    verdict = policy.judge(row.terms, due, next_at, now, row.runs_started)
    for skip in verdict.skip:
        _record_skip(connection, row, skip, now)
    in_line = len(verdict.start) > 1
    runs: list[str] = []
    begun = 0
    for instant in verdict.start:
        runs_at_all, run_id = start(connection, row, instant, now, in_line=in_line)
        runs += [run_id] if run_id else []
        begun += runs_at_all
    if is_spent(row, begun):
        next_at = None
    schedules.move_pointer(connection, row.schedule_id, planned.zone, next_at, now, begun)
    return runs, len(due) + 1


def _record_skip(
    connection: sqlite3.Connection, row: ScheduleRow, skip: policy.Skip, now: int
) -> None:
    fires.record_fire(
        connection,
        row.schedule_id,
        skip.first.due_at,
        "skipped",
        skip.reason,
        skip.count,
        last_at=skip.last.due_at,
        nominal=skip.first.nominal if skip.count == 1 else None,
        zone=skip.first.zone,
        at=now,
    )


def _conclude(
    connection: sqlite3.Connection, schedule_id: str, origin: Origin, status: str | None
) -> None:
    """Count a run that ended, and pause after too many failures in a row."""
    row = schedules.find(connection, schedule_id)
    if row is None or origin == "hand" or status not in ("failed", "success"):
        return
    failures = row.failures + 1 if status == "failed" else 0
    if failures != row.failures:
        schedules.set_failures(connection, schedule_id, failures)
    if 0 < row.terms.pause_after_failures <= failures and not row.paused:
        remark = f"paused after {failures} failed runs in a row"
        schedules.set_paused(connection, schedule_id, True, row.next_at, remark)


def _start_next(connection: sqlite3.Connection, schedule_id: str) -> list[str]:
    """Queue the run of the oldest instant that waits: nothing of the schedule goes any more."""
    row = schedules.find(connection, schedule_id)
    if row is None or row.paused:
        fires.skip_waiting(connection, schedule_id, policy.STOPPED)
        return []
    due_at = fires.waiting(connection, schedule_id)[0]
    run_id = run_id_for(schedule_id, due_at)
    fires.start_waiting(connection, schedule_id, due_at, run_id)
    return [_enqueue(connection, row, due_at, run_id)]


def give_up(connection: sqlite3.Connection, row: ScheduleRow, error: ValueError) -> None:
    """Pause a schedule whose next instant cannot be computed: the others must go on."""
    remark = f"paused: when it fires cannot be computed: {error}"
    schedules.set_paused(connection, row.schedule_id, True, row.next_at, remark)
