"""What becomes of due instants: pure steps over the record, each in one transaction."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from wrkflw_tui.schedules.cron import UnknownZone, next_fire, parse_cron
from wrkflw_tui.store import claims, schedules

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.schedules.spec import CronSpec
    from wrkflw_tui.store.schedules import ScheduleRow

LATE_LIMIT = timedelta(hours=24)
"""A missed instant is made up for if it lies back no further than this, or half a period."""
COUNTED = 10_000
"""Missed instants are counted up to this many."""

_NAMESPACE = uuid.UUID("6b1d3a52-7c4e-5f0a-9e38-2f6b8c1d4e70")


def local_zone() -> str:
    """Return the machine's time zone as an IANA name."""
    from tzlocal import get_localzone_name

    return get_localzone_name()


def resolve_zone(timezone: str) -> str:
    """Return the IANA name for a schedule's `timezone`, which may be `local`."""
    return local_zone() if timezone == "local" else timezone


def upcoming(cron: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """Return the next fires of an expression. Raises `CronError` and `UnknownZone`."""
    spec = parse_cron(cron)
    found: list[datetime] = []
    instant: datetime | None = after
    while len(found) < count and (instant := next_fire(spec, zone, instant)) is not None:
        found.append(instant)
    return found


def pointer(cron: str, zone: str, after: datetime) -> int | None:
    """Return the first fire after an instant, in seconds since the epoch, as it is recorded."""
    found = upcoming(cron, zone, after, 1)
    return int(found[0].timestamp()) if found else None


def run_id_for(schedule_id: str, due_at: int) -> str:
    """Return the id of the run of one due instant: the same whoever fires it."""
    return str(uuid.uuid5(_NAMESPACE, f"{schedule_id}@{due_at}"))


def fire(connection: sqlite3.Connection, schedule_id: str, now: int) -> str | None:
    """Do what is due of one schedule; `now` in seconds since the epoch.

    The latest missed instant starts a run, unless it lies too far back or a run of the same
    schedule is still going; those before it are recorded as one skipped stretch. Returns the id of
    the run that was queued. Runs in a transaction of its caller.
    """
    row = schedules.find(connection, schedule_id)
    if row is None or row.paused or row.next_at is None or row.next_at > now:
        return None
    spec = parse_cron(row.cron)
    zone = resolve_zone(row.timezone)
    missed = _instants(spec, zone, row.next_at, now)
    following = next_fire(spec, zone, datetime.fromtimestamp(now, UTC))
    next_at = None if following is None else int(following.timestamp())
    latest = missed[-1]
    if len(missed) > 1:
        schedules.record_fire(
            connection,
            schedule_id,
            missed[0],
            "skipped",
            "missed while no worker ran: the latest instant stands for them",
            count=len(missed) - 1,
        )
    run_id = _start(connection, row, latest, now, next_at)
    schedules.move_pointer(connection, schedule_id, zone, next_at)
    return run_id


def _start(
    connection: sqlite3.Connection, row: ScheduleRow, due_at: int, now: int, next_at: int | None
) -> str | None:
    reason = _why_not(connection, row, due_at, now, next_at)
    run_id = None if reason else run_id_for(row.schedule_id, due_at)
    is_new = schedules.record_fire(
        connection,
        row.schedule_id,
        due_at,
        "skipped" if reason else "started",
        reason,
        run_id=run_id,
    )
    if run_id is None or not is_new:
        return None
    return claims.enqueue(
        connection,
        row.workflow_id,
        row.input,
        "schedule",
        run_id=run_id,
        schedule_id=row.schedule_id,
        due_at=due_at,
    )


def _why_not(
    connection: sqlite3.Connection, row: ScheduleRow, due_at: int, now: int, next_at: int | None
) -> str:
    """Say why a due instant starts no run; empty where it does."""
    late = timedelta(seconds=now - due_at)
    if row.catch_up == "none" and late > timedelta(minutes=1):
        return "missed while no worker ran, and this schedule does not catch up"
    half = timedelta(seconds=(next_at - due_at) / 2) if next_at is not None else timedelta(0)
    if late > max(LATE_LIMIT, half):
        return "missed too long ago to be made up for"
    if row.overlap == "skip" and schedules.has_active_run(connection, row.schedule_id):
        return "the run before it was still going"
    return ""


def _instants(spec: CronSpec, zone: str, first: int, now: int) -> list[int]:
    """Return the due instants from `first` to `now`, the newest `COUNTED` of them at most."""
    found = [first]
    instant = datetime.fromtimestamp(first, UTC)
    end = datetime.fromtimestamp(now, UTC)
    while len(found) < COUNTED:
        following = next_fire(spec, zone, instant)
        if following is None or following > end:
            return found
        instant = following
        found.append(int(instant.timestamp()))
    return [*found[:-1], _latest(spec, zone, end)]


def _latest(spec: CronSpec, zone: str, end: datetime) -> int:
    """Return the last instant not after `end`, looked for in ever longer stretches before it."""
    reach = timedelta(minutes=2)
    while True:
        instant = next_fire(spec, zone, end - reach)
        if instant is not None and instant <= end:
            break
        reach *= 4
    while (following := next_fire(spec, zone, instant)) is not None and following <= end:
        instant = following
    return int(instant.timestamp())


def follow_zone(connection: sqlite3.Connection) -> int:
    """Compute pointers anew where the machine's zone has changed. Returns how many."""
    zone = local_zone()
    moved = 0
    for row in schedules.list_schedules(connection):
        if row.timezone != "local" or row.zone == zone or row.next_at is None:
            continue
        try:
            next_at = pointer(row.cron, zone, datetime.now(UTC))
        except UnknownZone:
            continue  # a zone without data: the pointer of the old one is better than none
        schedules.move_pointer(connection, row.schedule_id, zone, next_at)
        moved += 1
    return moved
