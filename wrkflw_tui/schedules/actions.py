"""What a person does to schedules: each a step in a transaction of its caller.

`now` is in seconds since the epoch. All raise `ScheduleNotFound`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.schedules import scheduler
from wrkflw_tui.schedules.following import moves, point_anew
from wrkflw_tui.schedules.pointers import between, local_zone, pointer, when_of
from wrkflw_tui.schedules.when import when
from wrkflw_tui.store import claims, fires, schedules

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.engine.terms import ScheduleTerms
    from wrkflw_tui.schedules.policy import Instant
    from wrkflw_tui.schedules.when import When
    from wrkflw_tui.store.schedules import ScheduleRow

MOST_FILLED = 1000
"""How many instants one backfill fills in at most."""

REFUSE = "change it there"


class BackfillTooLong(WrkflwError):
    """A range that holds more instants than one backfill may fill in."""


@dataclass(frozen=True, slots=True)
class Filling:
    """One instant of a backfill."""

    due_at: datetime
    state: Literal["runs", "fired", "waits"]
    """Whether it will run, has run before, or waits to run already."""


def upcoming(terms: ScheduleTerms, after: datetime, count: int) -> list[datetime]:
    """Return the first fires of a schedule that is yet to be made. Raises `ValueError`."""
    zone = local_zone() if terms.timezone == "local" else terms.timezone
    found: list[datetime] = []
    for due in when(terms, zone, after.replace(microsecond=0)).from_(after):
        found.append(due.at)
        if len(found) == count:
            break
    return found


def upcoming_of(
    connection: sqlite3.Connection, schedule_id: str, now: int, count: int
) -> list[datetime]:
    """Return the next fires of a schedule on record, its pointer first; none while it is paused."""
    row = schedules.get(connection, schedule_id)
    if row.paused or row.next_at is None:
        return []
    first = datetime.fromtimestamp(row.next_at, UTC)
    found = [first]
    left = row.terms.max_runs
    for due in when_of(row, local_zone()).from_(first):
        if len(found) >= count or (left is not None and row.runs_started + len(found) >= left):
            break
        found.append(due.at)
    return found[:count]


def add(
    connection: sqlite3.Connection,
    workflow_id: str,
    terms: ScheduleTerms,
    input: str,
    now: int,
    local: str | None = None,
) -> str:
    """Put a schedule on record; return its id. Raises `ValueError`.

    `local` is the machine's zone, where that has been shown already.
    """
    schedule_id = schedules.new_schedule_id()
    local = local or local_zone()
    zone = local if terms.timezone == "local" else terms.timezone
    schedules.insert(connection, schedule_id, workflow_id, terms, zone, input, None, now=now)
    point_anew(connection, schedule_id, now, local)
    return schedule_id


def change(
    connection: sqlite3.Connection,
    schedule_id: str,
    terms: ScheduleTerms,
    input: str,
    now: int,
    workflow_id: str | None = None,
) -> None:
    """Give a schedule other terms. Raises `ScheduleInCode` and `ValueError`."""
    schedules.refuse_code(connection, schedule_id, REFUSE)
    row = schedules.get(connection, schedule_id)
    schedules.change(connection, schedule_id, terms, input, workflow_id=workflow_id)
    if moves(row.terms, terms):
        point_anew(connection, schedule_id, now, local_zone())


def pause(
    connection: sqlite3.Connection,
    schedule_id: str,
    now: int,
    note: str = "",
    until: datetime | None = None,
) -> None:
    """Let a schedule fire no more: until an instant, or until it is resumed.

    What comes due meanwhile is not missed.
    """
    row = schedules.get(connection, schedule_id)
    if until is None:
        schedules.set_paused(connection, schedule_id, True, row.next_at, note, now=now)
        return
    schedules.set_paused(
        connection, schedule_id, False, None, note, until=int(until.timestamp()), now=now
    )
    fires.skip_waiting(connection, schedule_id, "the schedule was paused before it could start")
    point_anew(connection, schedule_id, now, local_zone())


def resume(connection: sqlite3.Connection, schedule_id: str, now: int) -> None:
    """Let a schedule go on from now; what came due meanwhile is not made up for."""
    schedules.set_paused(connection, schedule_id, False, None, now=now)
    point_anew(connection, schedule_id, now, local_zone())


def remark(connection: sqlite3.Connection, schedule_id: str, note: str) -> None:
    """Note something of a schedule; empty for what its terms say."""
    schedules.set_remark(connection, schedule_id, note)


def skip_next(connection: sqlite3.Connection, schedule_id: str, now: int) -> datetime | None:
    """Leave out the next fire, on record; return which that was, if there is one."""
    row = schedules.get(connection, schedule_id)
    if row.next_at is None:
        return None
    fires.record_fire(connection, schedule_id, row.next_at, "skipped", "skipped by hand", at=now)
    planned = when_of(row, local_zone())
    next_at = pointer(connection, row, planned, row.next_at)
    schedules.move_pointer(connection, schedule_id, planned.zone, next_at, now)
    return datetime.fromtimestamp(row.next_at, UTC)


def trigger(connection: sqlite3.Connection, schedule_id: str, by: claims.Trigger, now: int) -> str:
    """Start a run now, beside whatever goes, and note that it was by hand; return its id."""
    row = schedules.get(connection, schedule_id)
    run_id = claims.enqueue(connection, row.workflow_id, row.input, by, schedule_id=schedule_id)
    at = now
    reason = "triggered by hand"
    while not fires.record_fire(
        connection, schedule_id, at, "started", reason, run_id=run_id, origin="hand", at=now
    ):
        at += 1  # twice within a second
    return run_id


def preview_backfill(
    connection: sqlite3.Connection, schedule_id: str, since: datetime, until: datetime, now: int
) -> list[Filling]:
    """Say what a backfill of the instants from one to another would do, these included.

    None that lies ahead is filled in. Raises `BackfillTooLong`.
    """
    row = schedules.get(connection, schedule_id)
    return [
        Filling(datetime.fromtimestamp(one.due_at, UTC), _state(connection, schedule_id, one))
        for one in _range(row, since, until, now)
    ]


def backfill(
    connection: sqlite3.Connection, schedule_id: str, since: datetime, until: datetime, now: int
) -> list[datetime]:
    """Fire the instants from one to another that have not fired; return which those are.

    They run one after the other, unless the schedule lets its runs overlap. Raises
    `BackfillTooLong`.
    """
    row = schedules.get(connection, schedule_id)
    planned = when_of(row, local_zone())
    filled: list[datetime] = []
    for one in _range(row, since, until, now):
        if _state(connection, schedule_id, one) != "runs":
            continue
        _take_out(connection, row, planned, one.due_at)
        scheduler.start(connection, row, one, now, "backfill", in_line=True)
        filled.append(datetime.fromtimestamp(one.due_at, UTC))
    return filled


def _take_out(connection: sqlite3.Connection, row: ScheduleRow, planned: When, due_at: int) -> None:
    """Take a skipped instant off the record; the rest of its stretch begins later then."""
    stretch = fires.stretch_over(connection, row.schedule_id, due_at)
    following: int | None = None
    if stretch is not None and stretch[0] == due_at:
        open_ones = (
            int(due.at.timestamp()) for due in planned.from_(datetime.fromtimestamp(due_at, UTC))
        )
        following = next(
            (at for at in open_ones if fires.outcome_of(connection, row.schedule_id, at) is None),
            None,
        )
    fires.take_out(connection, row.schedule_id, due_at, following)


def _range(row: ScheduleRow, since: datetime, until: datetime, now: int) -> tuple[Instant, ...]:
    start, end = int(since.timestamp()), min(int(until.timestamp()), now)
    found = between(row, when_of(row, local_zone()), start, end, MOST_FILLED + 1)
    if len(found) > MOST_FILLED:
        last = datetime.fromtimestamp(found[MOST_FILLED - 1].due_at, UTC)
        raise BackfillTooLong(
            f"a backfill fills in {MOST_FILLED:,} fires at most: from {since:%Y-%m-%d %H:%M} that"
            f" is until {last:%Y-%m-%d %H:%M} UTC"
        )
    return found


def _state(
    connection: sqlite3.Connection, schedule_id: str, one: Instant
) -> Literal["runs", "fired", "waits"]:
    found = fires.outcome_of(connection, schedule_id, one.due_at)
    if found is None or found[0] == "skipped":
        return "runs"
    return "fired" if found[0] == "started" else "waits"
