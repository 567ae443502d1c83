"""What schedules follow: the machine's zone, the zones' data, and the automation files."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.schedules.pointers import local_zone, pointer, when_of
from wrkflw_tui.schedules.scheduler import give_up, recompute
from wrkflw_tui.schedules.zones import forget_zones, zone_data
from wrkflw_tui.store import schedules, zones

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from wrkflw_tui.engine.terms import PlannedSchedule, ScheduleTerms

JUMP = 5.0
"""Seconds by which the wall clock may drift from the monotonic one without having jumped."""


class Jumps:
    """Notices when the wall clock jumped: it was set, or the machine slept."""

    def __init__(self) -> None:
        self._lead = self._measure()

    def seen(self) -> bool:
        """Tell whether it has jumped since this was last asked."""
        lead = self._measure()
        jumped = abs(lead - self._lead) > JUMP
        self._lead = lead
        return jumped

    def _measure(self) -> float:
        return time.time() - time.monotonic()


def refreshed_local_zone() -> str:
    """Return the machine's zone as it is set now, not as it was at the first look."""
    from tzlocal import reload_localzone

    with suppress(LookupError, ValueError, OSError):
        reload_localzone()
    return local_zone()


def is_astray(connection: sqlite3.Connection, local: str) -> bool:
    """Tell whether `follow_zones` has anything to do; reads only."""
    elsewhere = set(zones.local_zones(connection)) - {local}
    return bool(
        (elsewhere and zone_data(local))
        or _stale(connection)
        or [zone for zone, data in zones.zones(connection).items() if data is None]
    )


def follow_zones(connection: sqlite3.Connection, now: int, local: str) -> int:
    """Compute pointers anew where the machine's zone, or what is known of a zone, has changed.

    Returns how many.
    """
    stale = _stale(connection)
    if stale:
        forget_zones()
    # A zone without data: the pointers of the one before are better than none.
    rows = zones.astray(connection, local if zone_data(local) else None, stale)
    for row in rows:
        recompute(connection, row, now, local)
    for zone in zones.zones(connection):
        zones.note_zone(connection, zone, zone_data(zone))
    return len(rows)


def follow_file(
    connection: sqlite3.Connection,
    file: str,
    planned: Mapping[str, Sequence[PlannedSchedule]],
    now: int,
    local: str,
) -> None:
    """Bring the schedules on record in step with those that a file's workflows have.

    What a person did (paused it, noted something) stays. One that is unchanged is not touched.
    """
    kept: set[str] = set()
    for workflow_id, plans in planned.items():
        for plan in plans:
            schedule_id = f"{workflow_id}.{plan.name}"
            kept.add(schedule_id)
            _follow(connection, schedule_id, workflow_id, file, plan, now, local)
    schedules.set_gone(connection, file, kept)


def _follow(
    connection: sqlite3.Connection,
    schedule_id: str,
    workflow_id: str,
    file: str,
    plan: PlannedSchedule,
    now: int,
    local: str,
) -> None:
    row = schedules.find_any(connection, schedule_id)
    if row is None:
        zone = local if plan.terms.timezone == "local" else plan.terms.timezone
        schedules.insert(
            connection, schedule_id, workflow_id, plan.terms, zone, plan.input, None,
            now=now, source="code", file=file,
        )  # fmt: skip
        _point_anew_or_pause(connection, schedule_id, now, local)
        return
    if (row.terms, row.input, row.file, row.gone) == (plan.terms, plan.input, file, False):
        return
    schedules.change(
        connection, schedule_id, plan.terms, plan.input, workflow_id=workflow_id, source="code",
        file=file,
    )  # fmt: skip
    if row.gone or moves(row.terms, plan.terms):
        _point_anew_or_pause(connection, schedule_id, now, local)


def _point_anew_or_pause(
    connection: sqlite3.Connection, schedule_id: str, now: int, local: str
) -> None:
    try:
        point_anew(connection, schedule_id, now, local)
    except ValueError as error:
        give_up(connection, schedules.get(connection, schedule_id), error)


def moves(before: ScheduleTerms, after: ScheduleTerms) -> bool:
    """Tell whether a change of terms changes when a schedule fires."""
    return any(getattr(before, name) != getattr(after, name) for name in _MOVING)


def point_anew(connection: sqlite3.Connection, schedule_id: str, now: int, local: str) -> None:
    """Compute a pointer anew, from now on, also where one is due. Raises `ValueError`."""
    row = schedules.get(connection, schedule_id)
    planned = when_of(row, local)
    next_at = pointer(connection, row, planned, now)
    schedules.move_pointer(connection, schedule_id, planned.zone, next_at, now)


_MOVING = ("timing", "timezone", "jitter", "max_runs", "start_at", "end_at", "exclude")


def _stale(connection: sqlite3.Connection) -> list[str]:
    """Return the zones in use whose data is another than when pointers were computed."""
    return [
        zone
        for zone, data in zones.zones(connection).items()
        if data is not None and data != zone_data(zone)
    ]
