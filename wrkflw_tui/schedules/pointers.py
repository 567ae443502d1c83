"""The instants of schedules on record: which are due, and which comes next."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from wrkflw_tui.schedules.policy import Instant
from wrkflw_tui.schedules.when import When, when
from wrkflw_tui.schedules.zones import UnknownZone, wall_time, zone_table
from wrkflw_tui.store import fires
from wrkflw_tui.store.schedules import put_off

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from wrkflw_tui.schedules.when import Due
    from wrkflw_tui.store.schedules import ScheduleRow

COUNTED = 10_000
"""Due instants are counted up to this many."""
NEWEST = 100
"""Of more, so many of the newest are looked at one by one."""
LEFT_OUT = 100
"""How many instants on record the next one is looked for behind."""


def local_zone() -> str:
    """Return the machine's time zone as an IANA name; UTC where the machine does not say."""
    from tzlocal import get_localzone_name

    with suppress(LookupError, ValueError, OSError):  # its settings contradict each other
        return get_localzone_name() or "UTC"
    return "UTC"


def resolve_zone(timezone: str) -> str:
    """Return the IANA name for a schedule's `timezone`, which may be `local`."""
    return local_zone() if timezone == "local" else timezone


def when_of(row: ScheduleRow, local: str) -> When:
    """Return when a schedule fires, in the zone that holds now. Raises `ValueError`."""
    zone = local if row.timezone == "local" else row.timezone
    anchor = datetime.fromtimestamp(row.anchor, UTC)
    try:
        return when(row.terms, zone, anchor)
    except UnknownZone:
        # A machine in a zone without data: that of before is better than none.
        return when(row.terms, row.zone, anchor)


def pointer(
    connection: sqlite3.Connection, row: ScheduleRow, planned: When, after: int
) -> int | None:
    """Return the first instant after one that is still open, in seconds since the epoch."""
    if is_spent(row):
        return None
    if row.paused_until is not None:
        after = max(after, row.paused_until - 1)
    for number, due in enumerate(planned.from_(_instant(after))):
        instant = _as_instant(row, due, planned.zone)
        if number >= LEFT_OUT or not _is_settled(connection, row, instant):
            return instant.due_at
    return None


def is_spent(row: ScheduleRow, started: int = 0) -> bool:
    """Tell whether a schedule has had all its runs."""
    most = row.terms.max_runs
    return most is not None and row.runs_started + started >= most


def due_of(
    connection: sqlite3.Connection, row: ScheduleRow, planned: When, now: int
) -> tuple[list[Instant], int | None]:
    """Return the instants that are due and still open, and the first that is not due."""
    if row.next_at is None or row.fire_at is None:
        return [], None
    found = [Instant(row.next_at, row.fire_at, _nominal_of(row, planned), row.zone)]
    following: Instant | None = None
    for due in planned.from_(_instant(row.next_at)):
        instant = _as_instant(row, due, planned.zone)
        if instant.fire_at > now:
            following = instant
            break
        if len(found) == COUNTED:
            found, following = _with_newest(found, row, planned, now)
            break
        found.append(instant)
    open_ones = _open(connection, row, found)
    if following is None:
        return open_ones, None
    if _is_settled(connection, row, following):
        return open_ones, pointer(connection, row, planned, following.due_at)
    return open_ones, following.due_at


def between(
    row: ScheduleRow, planned: When, since: int, until: int, most: int
) -> tuple[Instant, ...]:
    """Return the instants of a schedule from one to another, these included, so many at most."""
    found = (_as_instant(row, due, planned.zone) for due in planned.from_(_instant(since - 1)))
    return tuple(islice(takewhile(lambda one: one.due_at <= until, found), most))


def _open(
    connection: sqlite3.Connection, row: ScheduleRow, found: Sequence[Instant]
) -> list[Instant]:
    """Return the instants of which it is not settled yet what became of them."""
    touched = fires.has_any(connection, row.schedule_id, found[0].due_at, found[-1].due_at)
    left: list[Instant] = []
    apart = False
    for one in found:
        if touched and fires.is_on_record(connection, row.schedule_id, one.due_at):
            apart = True
        elif not _is_done_elsewhere(connection, row, one):
            left.append(replace(one, stands_apart=apart))
            apart = False
    return left


def _is_settled(connection: sqlite3.Connection, row: ScheduleRow, one: Instant) -> bool:
    return fires.is_on_record(connection, row.schedule_id, one.due_at) or _is_done_elsewhere(
        connection, row, one
    )


def _is_done_elsewhere(connection: sqlite3.Connection, row: ScheduleRow, one: Instant) -> bool:
    """Tell whether the minute on the wall was dealt with where the machine was before."""
    return one.nominal is not None and fires.is_done_on_wall(
        connection, row.schedule_id, one.due_at, one.nominal, one.zone
    )


def _nominal_of(row: ScheduleRow, planned: When) -> str | None:
    """Return the minute on the wall that a pointer stands for, in the zone it was computed in."""
    if not planned.has_nominal or row.next_at is None:
        return None
    at = _instant(row.next_at)
    wall = wall_time(at, zone_table(row.zone).offset(at))
    if planned.names(wall):
        return _wall(wall)
    # The clock skipped that minute: the pointer is the instant of the change.
    due = replace(planned, zone=row.zone).next_due(_instant(row.next_at - 1))
    return _wall(due.nominal) if due is not None and due.at == at else None


def _with_newest(
    found: list[Instant], row: ScheduleRow, planned: When, now: int
) -> tuple[list[Instant], Instant | None]:
    """Keep the oldest and the newest of very many instants; return what follows them too."""
    reach = 30
    while True:
        reach *= 4
        start = max(now - reach, found[-1].due_at)
        newest: list[Instant] = []
        following: Instant | None = None
        for due in planned.from_(_instant(start)):
            instant = _as_instant(row, due, planned.zone)
            if instant.fire_at > now:
                following = instant
                break
            newest.append(instant)
        if len(newest) > NEWEST or start == found[-1].due_at:
            break
    if start > found[-1].due_at:
        newest[0] = replace(newest[0], ends_gap=True)
    return [*found, *newest], following


def _as_instant(row: ScheduleRow, due: Due, zone: str) -> Instant:
    at = _seconds(due)
    fire_at = put_off(row.schedule_id, at, row.terms.jitter)
    return Instant(at, at if fire_at is None else fire_at, _wall(due.nominal), zone)


def _wall(nominal: datetime | None) -> str | None:
    return None if nominal is None else nominal.isoformat(timespec="minutes")


def _seconds(due: Due) -> int:
    return int(due.at.timestamp())


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
