"""Schedules on record: their terms, and the pointer to the instant at which each fires next."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.engine.terms import CatchUp, Overlap, ScheduleTerms
from wrkflw_tui.store.file import next_revision, tell_worker
from wrkflw_tui.store.fires import (
    Fire,
    has_active_run,
    has_news,
    list_fires,
    record_fire,
    skip_waiting,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

__all__ = [
    "CatchUp",
    "Fire",
    "Overlap",
    "ScheduleInCode",
    "ScheduleNotFound",
    "ScheduleRow",
    "has_active_run",
    "list_fires",
    "record_fire",
]

Source = Literal["app", "code"]


class ScheduleNotFound(WrkflwError, LookupError):
    """No schedule of that id is on record."""


class ScheduleInCode(WrkflwError):
    """A schedule that stands in an automation file is changed there."""


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule on record."""

    schedule_id: str
    workflow_id: str
    source: Source
    """Whether a person made it, or it stands in an automation file."""
    file: str | None
    terms: ScheduleTerms
    zone: str
    """The IANA name that `next_at` was computed in."""
    anchor: int
    """What intervals are counted from, in seconds since the epoch."""
    input: str = field(repr=False)
    remark: str
    """What a person noted of it, or why it was paused."""
    paused: bool
    paused_until: int | None
    """It does not fire before this instant, in seconds since the epoch."""
    runs_started: int
    failures: int
    """How many of its runs have failed in a row."""
    next_at: int | None
    """The next due instant, in seconds since the epoch."""
    fire_at: int | None
    """When that fires: the instant, put off by its jitter."""
    gone: bool = False
    """Whether its file does not have it any more."""

    @property
    def timing(self) -> str:
        """A cron expression, `every 15m` or `once 2026-12-01T08:00`."""
        return self.terms.timing

    @property
    def timezone(self) -> str:
        """`local` or an IANA name, as it was chosen."""
        return self.terms.timezone

    @property
    def overlap(self) -> Overlap:
        """What becomes of a fire while a run of this schedule still goes."""
        return self.terms.overlap

    @property
    def catch_up(self) -> CatchUp:
        """Which of the missed fires are made up for."""
        return self.terms.catch_up

    @property
    def note(self) -> str:
        """What a person noted of it, else what it is for."""
        return self.remark or self.terms.note


def insert(
    connection: sqlite3.Connection,
    schedule_id: str,
    workflow_id: str,
    terms: ScheduleTerms,
    zone: str,
    input: str,
    next_at: int | None,
    *,
    now: int,
    source: Source = "app",
    file: str | None = None,
    anchor: int | None = None,
) -> None:
    """Put a schedule on record; `now` is in seconds since the epoch."""
    values = {
        "schedule_id": schedule_id,
        "workflow_id": workflow_id,
        "source": source,
        "file": file,
        "zone": zone,
        "anchor": now if anchor is None else anchor,
        "input": input,
        "next_at": next_at,
        "fire_at": put_off(schedule_id, next_at, terms.jitter),
        "computed_at": now,
        "created_at": micros_now(),
        "revision": next_revision(connection),
        **_columns_of(terms),
    }
    connection.execute(
        f"INSERT INTO wrkflw_schedules ({', '.join(values)})"
        f" VALUES ({', '.join('?' * len(values))})",
        tuple(values.values()),
    )
    tell_worker(connection)


def add(
    connection: sqlite3.Connection,
    workflow_id: str,
    timing: str,
    timezone: str,
    zone: str,
    input: str,
    next_at: int | None,
    overlap: Overlap = "skip",
    catch_up: CatchUp = "latest",
    **settings: object,
) -> str:
    """Put a schedule with a known pointer on record as it is given; return its id."""
    schedule_id = new_schedule_id()
    given = {"overlap": overlap, "catch_up": catch_up, **settings}
    terms = ScheduleTerms(timing=timing, timezone=timezone, **given)  # pyright: ignore[reportArgumentType] - as it is given
    insert(connection, schedule_id, workflow_id, terms, zone, input, next_at, now=0)
    return schedule_id


def new_schedule_id() -> str:
    """Return an id for a schedule that a person makes."""
    return uuid.uuid4().hex[:12]


def change(
    connection: sqlite3.Connection,
    schedule_id: str,
    terms: ScheduleTerms,
    input: str,
    *,
    source: Source = "app",
    workflow_id: str | None = None,
    file: str | None = None,
) -> None:
    """Set the terms of a schedule, and where it stands; its pointer is the caller's business.

    Raises `ScheduleNotFound`.
    """
    values = {"input": input, "source": source, "file": file, "gone": 0, **_columns_of(terms)}
    if workflow_id is not None:
        values["workflow_id"] = workflow_id
    _update(connection, schedule_id, values)


def set_paused(
    connection: sqlite3.Connection,
    schedule_id: str,
    paused: bool,
    next_at: int | None,
    remark: str = "",
    until: int | None = None,
    now: int = 0,
) -> None:
    """Pause a schedule, or let it go on from `next_at`. Raises `ScheduleNotFound`."""
    jitter = _jitter(connection, schedule_id)
    values: dict[str, object] = {
        "paused": paused,
        "paused_until": until,
        "remark": remark,
        "next_at": next_at,
        "fire_at": put_off(schedule_id, next_at, jitter),
        "computed_at": now,
    }
    if not paused:
        values["failures"] = 0
    else:
        skip_waiting(connection, schedule_id, "the schedule was paused before it could start")
    _update(connection, schedule_id, values)


def set_remark(connection: sqlite3.Connection, schedule_id: str, remark: str) -> None:
    """Note something of a schedule. Raises `ScheduleNotFound`."""
    _update(connection, schedule_id, {"remark": remark})


def set_failures(connection: sqlite3.Connection, schedule_id: str, failures: int) -> None:
    """Count how many of its runs have failed in a row."""
    connection.execute(
        "UPDATE wrkflw_schedules SET failures = ?, revision = ? WHERE schedule_id = ?",
        (failures, next_revision(connection), schedule_id),
    )


def move_pointer(
    connection: sqlite3.Connection,
    schedule_id: str,
    zone: str,
    next_at: int | None,
    now: int = 0,
    started: int = 0,
) -> None:
    """Set the next due instant, and count the runs that were started meanwhile.

    Raises `ScheduleNotFound`.
    """
    jitter = _jitter(connection, schedule_id)
    _changed(
        connection.execute(
            "UPDATE wrkflw_schedules SET next_at = ?, fire_at = ?, zone = ?, computed_at = ?,"
            " runs_started = runs_started + ?, revision = ? WHERE schedule_id = ?",
            (
                next_at,
                put_off(schedule_id, next_at, jitter),
                zone,
                now,
                started,
                next_revision(connection),
                schedule_id,
            ),
        ),
        schedule_id,
    )


def remove(connection: sqlite3.Connection, schedule_id: str) -> None:
    """Take a schedule off the record; its fires and runs stay.

    Raises `ScheduleNotFound` and `ScheduleInCode`.
    """
    refuse_code(connection, schedule_id, "take it out of the file, or pause it")
    next_revision(connection)
    skip_waiting(connection, schedule_id, "the schedule was removed before it could start")
    _changed(
        connection.execute("DELETE FROM wrkflw_schedules WHERE schedule_id = ?", (schedule_id,)),
        schedule_id,
    )


def refuse_code(connection: sqlite3.Connection, schedule_id: str, instead: str) -> None:
    """Raise `ScheduleInCode` for a schedule that stands in a file."""
    row = find(connection, schedule_id)
    if row is not None and row.source == "code":
        raise ScheduleInCode(f"schedule {schedule_id} stands in {row.file}: {instead}")


def set_gone(connection: sqlite3.Connection, file: str, kept: Collection[str]) -> None:
    """Put away the schedules of a file, but for those that it has.

    Not deleted: a file may only have another name now, and what a person paused stays paused.
    """
    rows = connection.execute(
        "SELECT schedule_id FROM wrkflw_schedules WHERE source = 'code' AND file = ? AND gone = 0",
        (file,),
    ).fetchall()
    for row in rows:
        schedule_id = cast("str", row["schedule_id"])
        if schedule_id not in kept:
            skip_waiting(connection, schedule_id, "the schedule was taken out of its file")
            _update(connection, schedule_id, {"gone": 1})


def list_schedules(connection: sqlite3.Connection) -> list[ScheduleRow]:
    """Return all schedules: those that fire soonest first, then those that do not fire."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM wrkflw_schedules WHERE gone = 0"
        " ORDER BY paused, next_at IS NULL, next_at, workflow_id"
    )
    return [schedule_of(row) for row in rows]


def changed_since(connection: sqlite3.Connection, revision: int) -> tuple[int, list[ScheduleRow]]:
    """Return what has changed since a revision, also what is gone, and the newest revision."""
    rows = connection.execute(
        f"SELECT {COLUMNS}, revision FROM wrkflw_schedules WHERE revision > ?", (revision,)
    ).fetchall()
    newest = max((row["revision"] for row in rows), default=revision)
    return newest, [schedule_of(tuple(row)[:-1]) for row in rows]


def count(connection: sqlite3.Connection) -> int:
    """Return how many schedules there are."""
    row = connection.execute("SELECT count(*) FROM wrkflw_schedules WHERE gone = 0").fetchone()
    return cast("int", row[0])


def run_since(connection: sqlite3.Connection, revision: int) -> set[str]:
    """Return the schedules of which a run has changed since a revision."""
    rows = connection.execute(
        "SELECT DISTINCT schedule_id FROM wrkflw_workflow_runs WHERE revision > ?"
        " AND schedule_id IS NOT NULL",
        (revision,),
    )
    return {cast("str", row["schedule_id"]) for row in rows}


def find(connection: sqlite3.Connection, schedule_id: str) -> ScheduleRow | None:
    """Return the schedule of that id."""
    row = find_any(connection, schedule_id)
    return None if row is None or row.gone else row


def find_any(connection: sqlite3.Connection, schedule_id: str) -> ScheduleRow | None:
    """Return the schedule of that id, also if its file does not have it any more."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM wrkflw_schedules WHERE schedule_id = ?", (schedule_id,)
    ).fetchone()
    return None if row is None else schedule_of(row)


def get(connection: sqlite3.Connection, schedule_id: str) -> ScheduleRow:
    """Return the schedule of that id. Raises `ScheduleNotFound`."""
    row = find(connection, schedule_id)
    if row is None:
        raise _not_found(schedule_id)
    return row


def due(connection: sqlite3.Connection, now: int, most: int = -1) -> list[ScheduleRow]:
    """Return schedules whose next instant has come, the soonest first; `now` in seconds."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM wrkflw_schedules WHERE paused = 0 AND gone = 0 AND fire_at <= ?"
        " ORDER BY fire_at LIMIT ?",
        (now, most),
    )
    return [schedule_of(row) for row in rows]


def next_due(connection: sqlite3.Connection) -> int | None:
    """Return when the next schedule fires, in seconds since the epoch; 0 if a run of one ended."""
    if has_news(connection):
        return 0
    row = connection.execute(
        "SELECT min(fire_at) FROM wrkflw_schedules WHERE paused = 0 AND gone = 0"
    ).fetchone()
    return cast("int | None", row[0])


def from_the_future(connection: sqlite3.Connection, now: int, most: int) -> list[ScheduleRow]:
    """Return schedules whose pointers were computed later than `now`."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM wrkflw_schedules WHERE paused = 0 AND gone = 0"
        " AND computed_at > ? ORDER BY computed_at DESC LIMIT ?",
        (now, most),
    )
    return [schedule_of(row) for row in rows]


def put_off(schedule_id: str, due_at: int | None, jitter: int) -> int | None:
    """Return when an instant fires: put off by an amount that is the same whoever asks."""
    if due_at is None or jitter == 0:
        return due_at
    import hashlib  # late: an app that only starts has no use for it

    hashed = hashlib.sha256(f"{schedule_id}@{due_at}".encode()).digest()
    return due_at + int.from_bytes(hashed[:8]) % (jitter + 1)


_TERMS = tuple(ScheduleTerms.__dataclass_fields__)
_NAMES = (
    *("schedule_id", "workflow_id", "source", "file", "gone", "zone", "anchor", "input"),
    *("remark", "paused", "paused_until", "runs_started", "failures", "next_at", "fire_at"),
    *_TERMS,
)
COLUMNS = ", ".join(_NAMES)
"""What `schedule_of` reads."""


def _columns_of(terms: ScheduleTerms) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(terms, name) for name in _TERMS}
    return {**values, "exclude": json.dumps(terms.exclude)}


def schedule_of(row: sqlite3.Row | tuple[Any, ...]) -> ScheduleRow:
    """Make a schedule of a row that has the columns of `COLUMNS`."""
    values = dict(zip(_NAMES, row, strict=True))
    terms: dict[str, Any] = {name: values.pop(name) for name in _TERMS}
    terms["exclude"] = tuple(json.loads(terms["exclude"])) if terms["exclude"] != "[]" else ()
    values["paused"], values["gone"] = bool(values["paused"]), bool(values["gone"])
    return ScheduleRow(terms=ScheduleTerms(**terms), **values)


def _update(connection: sqlite3.Connection, schedule_id: str, values: dict[str, object]) -> None:
    values = {**values, "revision": next_revision(connection)}
    _changed(
        connection.execute(
            f"UPDATE wrkflw_schedules SET {', '.join(f'{name} = ?' for name in values)}"
            " WHERE schedule_id = ?",
            (*values.values(), schedule_id),
        ),
        schedule_id,
    )
    tell_worker(connection)


def _jitter(connection: sqlite3.Connection, schedule_id: str) -> int:
    row = connection.execute(
        "SELECT jitter FROM wrkflw_schedules WHERE schedule_id = ?", (schedule_id,)
    ).fetchone()
    if row is None:
        raise _not_found(schedule_id)
    return cast("int", row[0])


def _changed(cursor: sqlite3.Cursor, schedule_id: str) -> None:
    if cursor.rowcount == 0:
        raise _not_found(schedule_id)


def _not_found(schedule_id: str) -> ScheduleNotFound:
    return ScheduleNotFound(f"no schedule {schedule_id} is on record")
