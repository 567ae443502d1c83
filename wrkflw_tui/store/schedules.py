"""Schedules and what they fired: one row for each due instant, so that none fires twice."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.engine.models import from_micros
from wrkflw_tui.store.file import next_revision

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

Overlap = Literal["skip", "allow"]
CatchUp = Literal["none", "latest"]


class ScheduleNotFound(WrkflwError, LookupError):
    """No schedule of that id is on record."""


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule on record."""

    schedule_id: str
    workflow_id: str
    cron: str
    timezone: str
    """`local` or an IANA name, as the person chose it."""
    zone: str
    """The IANA name that `next_at` was computed in."""
    input: str = field(repr=False)
    overlap: Overlap
    catch_up: CatchUp
    paused: bool
    note: str
    next_at: int | None
    """The next due instant, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Fire:
    """What became of one due instant, or of a stretch of them."""

    schedule_id: str
    due_at: datetime
    outcome: Literal["started", "skipped"]
    reason: str
    count: int
    """How many due instants this row stands for."""
    run_id: str | None
    is_removed: bool = False
    """Whether its run is on record no longer."""


def add(
    connection: sqlite3.Connection,
    workflow_id: str,
    cron: str,
    timezone: str,
    zone: str,
    input: str,
    next_at: int | None,
    overlap: Overlap = "skip",
    catch_up: CatchUp = "latest",
) -> str:
    """Put a schedule on record; return its id."""
    schedule_id = uuid.uuid4().hex[:12]
    connection.execute(
        "INSERT INTO wrkflw_schedules (schedule_id, workflow_id, cron, timezone, zone, input,"
        " overlap, catch_up, next_at, created_at, revision)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            schedule_id,
            workflow_id,
            cron,
            timezone,
            zone,
            input,
            overlap,
            catch_up,
            next_at,
            micros_now(),
            next_revision(connection),
        ),
    )
    return schedule_id


def set_paused(
    connection: sqlite3.Connection, schedule_id: str, paused: bool, next_at: int | None
) -> None:
    """Pause a schedule, or let it go on from `next_at`. Raises `ScheduleNotFound`."""
    _changed(
        connection.execute(
            "UPDATE wrkflw_schedules SET paused = ?, next_at = ?, revision = ?"
            " WHERE schedule_id = ?",
            (paused, next_at, next_revision(connection), schedule_id),
        ),
        schedule_id,
    )


def move_pointer(
    connection: sqlite3.Connection, schedule_id: str, zone: str, next_at: int | None
) -> None:
    """Set the next due instant. Raises `ScheduleNotFound`."""
    _changed(
        connection.execute(
            "UPDATE wrkflw_schedules SET next_at = ?, zone = ?, revision = ? WHERE schedule_id = ?",
            (next_at, zone, next_revision(connection), schedule_id),
        ),
        schedule_id,
    )


def remove(connection: sqlite3.Connection, schedule_id: str) -> None:
    """Take a schedule off the record; its fires and runs stay. Raises `ScheduleNotFound`."""
    next_revision(connection)
    _changed(
        connection.execute("DELETE FROM wrkflw_schedules WHERE schedule_id = ?", (schedule_id,)),
        schedule_id,
    )


def record_fire(
    connection: sqlite3.Connection,
    schedule_id: str,
    due_at: int,
    outcome: Literal["started", "skipped"],
    reason: str = "",
    count: int = 1,
    run_id: str | None = None,
) -> bool:
    """Put what became of a due instant on record. Returns whether it was not there yet."""
    changed = connection.execute(
        "INSERT INTO wrkflw_schedule_fires"
        " (schedule_id, due_at, outcome, reason, count, run_id, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (schedule_id, due_at, outcome, reason, count, run_id, micros_now()),
    )
    return changed.rowcount == 1


def list_schedules(connection: sqlite3.Connection) -> list[ScheduleRow]:
    """Return all schedules: those that fire soonest first, then those that do not fire."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM wrkflw_schedules"
        " ORDER BY paused, next_at IS NULL, next_at, workflow_id"
    )
    return [_schedule(row) for row in rows]


def find(connection: sqlite3.Connection, schedule_id: str) -> ScheduleRow | None:
    """Return the schedule of that id."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM wrkflw_schedules WHERE schedule_id = ?", (schedule_id,)
    ).fetchone()
    return None if row is None else _schedule(row)


def has_active_run(connection: sqlite3.Connection, schedule_id: str) -> bool:
    """Tell whether a run that the schedule started has not ended yet."""
    row = connection.execute(
        "SELECT 1 FROM wrkflw_workflow_runs WHERE schedule_id = ?"
        " AND status IN ('queued', 'running', 'sleeping', 'suspended') LIMIT 1",
        (schedule_id,),
    ).fetchone()
    return row is not None


def due(connection: sqlite3.Connection, now: int) -> list[ScheduleRow]:
    """Return the schedules whose next instant has come; `now` in seconds since the epoch."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM wrkflw_schedules WHERE paused = 0 AND next_at <= ?"
        " ORDER BY next_at",
        (now,),
    )
    return [_schedule(row) for row in rows]


def next_due(connection: sqlite3.Connection) -> int | None:
    """Return the soonest due instant of all schedules, in seconds since the epoch."""
    row = connection.execute(
        "SELECT min(next_at) FROM wrkflw_schedules WHERE paused = 0"
    ).fetchone()
    return cast("int | None", row[0])


def list_fires(connection: sqlite3.Connection, schedule_id: str, limit: int = 50) -> list[Fire]:
    """Return what a schedule fired, newest first."""
    rows = connection.execute(
        "SELECT schedule_id, due_at, outcome, reason, count, run_id, run_id IS NOT NULL AND NOT"
        " EXISTS (SELECT 1 FROM wrkflw_workflow_runs AS run WHERE run.run_id = fire.run_id)"
        " FROM wrkflw_schedule_fires AS fire WHERE schedule_id = ? ORDER BY due_at DESC LIMIT ?",
        (schedule_id, limit),
    )
    return [
        Fire(row[0], from_micros(row[1] * 1_000_000), *row[2:6], is_removed=bool(row[6]))
        for row in rows
    ]


_COLUMNS = (
    "schedule_id, workflow_id, cron, timezone, zone, input, overlap, catch_up, paused, note,"
    " next_at"
)


def _schedule(row: sqlite3.Row) -> ScheduleRow:
    return ScheduleRow(
        schedule_id=row["schedule_id"],
        workflow_id=row["workflow_id"],
        cron=row["cron"],
        timezone=row["timezone"],
        zone=row["zone"],
        input=row["input"],
        overlap=row["overlap"],
        catch_up=row["catch_up"],
        paused=bool(row["paused"]),
        note=row["note"],
        next_at=row["next_at"],
    )


def _changed(cursor: sqlite3.Cursor, schedule_id: str) -> None:
    if cursor.rowcount == 0:
        raise ScheduleNotFound(f"no schedule {schedule_id} is on record")
