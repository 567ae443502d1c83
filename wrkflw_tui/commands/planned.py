"""Schedules as commands name and show them."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from wrkflw_tui.commands.exits import WrongCall
from wrkflw_tui.commands.printing import say
from wrkflw_tui.commands.record import reading
from wrkflw_tui.commands.values import ago
from wrkflw_tui.drawing.words import count
from wrkflw_tui.store import schedules as on_record

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.commands.shapes import Shape
    from wrkflw_tui.config import Config
    from wrkflw_tui.store.fires import Fire
    from wrkflw_tui.store.schedules import ScheduleRow


def find(config: Config, text: str) -> ScheduleRow:
    """Return the one schedule whose id begins so, or whose workflow has that id.

    Raises `ScheduleNotFound`, and `WrongCall` where there are several.
    """
    with reading(config) as connection:
        rows = on_record.list_schedules(connection)
    found = [row for row in rows if row.schedule_id == text]
    found = found or [row for row in rows if row.workflow_id == text]
    found = found or [row for row in rows if text and row.schedule_id.startswith(text)]
    if not found:
        listed = ", ".join(name(row) for row in rows[:8]) or "none"
        raise on_record.ScheduleNotFound(f"there is no schedule {text!r}; there are: {listed}")
    if len(found) > 1:
        listed = "; ".join(f"{row.schedule_id} ({row.timing})" for row in found[:8])
        raise WrongCall(f"{text!r} has {count(len(found), 'schedule')}, say which: {listed}")
    return found[0]


def name(row: ScheduleRow) -> str:
    """Name a schedule so that a person knows which it is."""
    return f"{row.schedule_id} ({row.workflow_id}, {row.timing})"


def words(timing: str) -> str:
    """Say a timing in words, or what is wrong with it."""
    from wrkflw_tui.schedules.when import describe_timing, parse_timing

    try:
        return describe_timing(parse_timing(timing))
    except ValueError as error:
        return str(error)


def in_zone(instant: datetime, zone: str) -> str:
    """Name an instant as the clock of a zone shows it."""
    from zoneinfo import ZoneInfo

    return instant.astimezone(ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M %Z")


def instant(text: str, zone: str, now: datetime, *, ends: bool = False) -> datetime:
    """Read an instant in a zone, or how long ago; a date alone is where it begins, or `ends`.

    Raises `WrongCall`.
    """
    from wrkflw_tui.schedules.when import parse_instant, resolve

    if (back := ago(text)) is not None:
        return now - back
    try:
        found = parse_instant(text)
    except ValueError as error:
        raise WrongCall(f"{error}, or how long ago, such as 12h or 7d") from None
    if ends and len(text.strip()) == len("2026-12-01"):
        found += timedelta(days=1, seconds=-1)
    return resolve(found, zone)


def say_if_nobody_fires(config: Config) -> None:
    """Say so where no worker is there."""
    from wrkflw_tui.commands.care import has_worker

    with reading(config) as connection:
        if not has_worker(connection):
            say("no worker is there now: it fires while `wrkflw-tui worker` or the app runs")


def shape_now(config: Config, schedule_id: str) -> Shape:
    """Return a schedule as a program reads it, as it stands on record now."""
    with reading(config) as connection:
        row = on_record.get(connection, schedule_id)
        (last, *_) = [*on_record.list_fires(connection, schedule_id, 1), None]
        return shape(connection, row, last)


def shape(connection: sqlite3.Connection, row: ScheduleRow, last: Fire | None) -> Shape:
    """Return a schedule as a program reads it."""
    from wrkflw_tui.schedules.lateness import late_since

    now = datetime.now(UTC)
    fires = not row.paused
    return {
        "schedule_id": row.schedule_id,
        "workflow_id": row.workflow_id,
        "source": row.source,
        "file": row.file,
        "words": words(row.timing),
        "zone": row.zone,
        **asdict(row.terms),
        "exclude": list(row.terms.exclude),
        "note": row.note,
        "input": json.loads(row.input),
        "paused": row.paused,
        "paused_until": iso(row.paused_until),
        "next_at": iso(row.next_at) if fires else None,
        "fire_at": iso(row.fire_at) if fires else None,
        "late_since": _iso(late_since(connection, row, int(now.timestamp()))),
        "runs_started": row.runs_started,
        "failures": row.failures,
        "last": None if last is None else fire_shape(last),
    }


def fire_shape(fire: Fire) -> Shape:
    """Return what became of an instant, as a program reads it."""
    return {
        "at": fire.due_at.isoformat(),
        "outcome": fire.outcome,
        "reason": fire.reason,
        "count": fire.count,
        "origin": fire.origin,
        "run_id": fire.run_id,
        "status": fire.run_status,
    }


def iso(seconds: int | None) -> str | None:
    """Write an instant of the record in ISO form."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
