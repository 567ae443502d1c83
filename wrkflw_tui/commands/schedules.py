"""`wrkflw-tui schedules`: what fires when."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from wrkflw_tui.commands.exits import WrongCall
from wrkflw_tui.commands.printing import Cell, print_json, print_table, say
from wrkflw_tui.commands.record import reading, write
from wrkflw_tui.drawing.times import clock, exact, until
from wrkflw_tui.drawing.words import count
from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.store import schedules as on_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.commands.follow import Following
    from wrkflw_tui.commands.shapes import Shape
    from wrkflw_tui.config import Config
    from wrkflw_tui.forms.fields import Schema
    from wrkflw_tui.store.schedules import CatchUp, Overlap, ScheduleRow

HEAD = ("SCHEDULE", "WORKFLOW", "CRON", "NEXT", "IN WORDS")
WORDS = len(HEAD) - 1


def list_schedules(config: Config, *, as_json: bool) -> int:
    """Print all schedules, the soonest first."""
    with reading(config) as connection:
        rows = on_record.list_schedules(connection)
    if as_json:
        print_json([_shape(row) for row in rows])
    elif rows:
        now = datetime.now(UTC)
        print_table(HEAD, [_row(row, now) for row in rows], WORDS)
    else:
        say("no schedules: `wrkflw-tui schedules add WORKFLOW CRON` makes one")
    return 0


def add(
    config: Config,
    workflow_id: str,
    cron: str,
    timezone: str,
    given: Sequence[str],
    overlap: Overlap,
    catch_up: CatchUp,
) -> int:
    """Put a schedule on record and print its id. Raises `WrongCall`."""
    from wrkflw_tui.commands.given import read_given
    from wrkflw_tui.commands.looking import look
    from wrkflw_tui.schedules import actions

    entry = look(config).find(workflow_id)
    zone, fires = _fires(cron, timezone, 3)
    if not fires:
        raise WrongCall(f"{cron!r} never fires")
    schema = cast("Schema", json.loads(entry.input_schema))
    text = read_given(f"the input of {workflow_id}", schema, given)
    terms = ScheduleTerms(timing=cron, timezone=timezone, overlap=overlap, catch_up=catch_up)
    schedule_id = write(
        config, lambda c: actions.add(c, workflow_id, terms, text, int(time.time()))
    )
    say(f"{workflow_id} is scheduled: {_words(cron)} ({zone})")
    for fire in fires:
        say(f"  {_in_zone(fire, zone)}")
    _say_if_nobody_fires(config)
    print(schedule_id)
    return 0


def pause(config: Config, text: str) -> int:
    """Let a schedule fire no more until it is resumed."""
    from wrkflw_tui.schedules import actions

    row = _find(config, text)
    write(config, lambda c: actions.pause(c, row.schedule_id, int(time.time())))
    say(f"{_name(row)} is paused")
    return 0


def resume(config: Config, text: str) -> int:
    """Let a schedule go on from now; what it missed meanwhile is not made up for."""
    from wrkflw_tui.schedules import actions

    row = _find(config, text)
    write(config, lambda c: actions.resume(c, row.schedule_id, int(time.time())))
    with reading(config) as connection:
        next_at = on_record.get(connection, row.schedule_id).next_at
    fires = [] if next_at is None else [datetime.fromtimestamp(next_at, UTC)]
    say(f"{_name(row)} goes on" + (f": next {exact(fires[0])}" if fires else ", and never fires"))
    _say_if_nobody_fires(config)
    return 0


def remove(config: Config, text: str) -> int:
    """Take a schedule off the record; its runs stay."""
    row = _find(config, text)
    write(config, lambda c: on_record.remove(c, row.schedule_id))
    say(f"{_name(row)} is removed; its runs stay on record")
    return 0


def trigger(config: Config, text: str, how: Following | None, *, as_json: bool) -> int:
    """Start a run now, with a schedule's input."""
    from wrkflw_tui.commands.care import Care
    from wrkflw_tui.commands.looking import look
    from wrkflw_tui.commands.run import go_on
    from wrkflw_tui.schedules import actions

    row = _find(config, text)
    look(config).find(row.workflow_id)
    care = Care(config, quiet=how is not None and how.quiet)
    run_id = care.write(lambda c: actions.trigger(c, row.schedule_id, "cli", int(time.time())))
    return go_on(config, run_id, how, care, as_json=as_json)


def next_fires(
    config: Config,
    amount: int,
    text: str | None,
    cron: str | None,
    timezone: str,
    *,
    as_json: bool,
) -> int:
    """Print the next fires: of an expression, of one schedule, or of all together."""
    if cron is not None:
        zone, fires = _fires(cron, timezone, amount)
        found = [(fire, zone, None) for fire in fires]
    else:
        found = _of_schedules(config, text, amount)
    if as_json:
        print_json([_fire_shape(fire, row) for fire, _, row in found])
        return 0
    if cron is not None and found:
        say(f"{_words(cron)} ({found[0][1]})")
    now = datetime.now(UTC)
    for fire, zone, row in found:
        what = "" if row is None else f"  {row.workflow_id}"
        print(f"{_in_zone(fire, zone)}  {until(fire, now):<12}{what}".rstrip())
    if not found:
        say("nothing fires")
    return 0


def _of_schedules(
    config: Config, text: str | None, amount: int
) -> list[tuple[datetime, str, ScheduleRow | None]]:
    from wrkflw_tui.schedules import actions

    rows = [] if text is None else [_find(config, text)]
    found: list[tuple[datetime, str, ScheduleRow | None]] = []
    with reading(config) as connection:
        for row in rows or on_record.list_schedules(connection):
            fires = actions.upcoming_of(connection, row.schedule_id, int(time.time()), amount)
            found += [(fire, row.zone, row) for fire in fires]
    return sorted(found, key=lambda fire: fire[0])[:amount]


def _fires(cron: str, timezone: str, amount: int) -> tuple[str, list[datetime]]:
    """Return the zone's name and the next fires. Raises `WrongCall` with what is allowed."""
    from wrkflw_tui.schedules.actions import upcoming
    from wrkflw_tui.schedules.pointers import resolve_zone

    zone = resolve_zone(timezone)
    terms = ScheduleTerms(timing=cron, timezone=timezone)
    try:
        return zone, upcoming(terms, datetime.now(UTC), amount)
    except ValueError as error:  # CronError and UnknownZone
        raise WrongCall(str(error)) from error


def _words(cron: str) -> str:
    from wrkflw_tui.schedules.when import describe_timing, parse_timing

    try:
        return describe_timing(parse_timing(cron))
    except ValueError as error:
        return str(error)


def _in_zone(instant: datetime, zone: str) -> str:
    from zoneinfo import ZoneInfo

    return instant.astimezone(ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M %Z")


def _find(config: Config, text: str) -> ScheduleRow:
    """Return the one schedule whose id begins so, or whose workflow has that id.

    Raises `ScheduleNotFound`, and `WrongCall` where there are several.
    """
    with reading(config) as connection:
        rows = on_record.list_schedules(connection)
    found = [row for row in rows if row.schedule_id == text]
    found = found or [row for row in rows if row.workflow_id == text]
    found = found or [row for row in rows if text and row.schedule_id.startswith(text)]
    if not found:
        listed = ", ".join(_name(row) for row in rows[:8]) or "none"
        raise on_record.ScheduleNotFound(f"there is no schedule {text!r}; there are: {listed}")
    if len(found) > 1:
        listed = "; ".join(f"{row.schedule_id} ({row.timing})" for row in found)
        raise WrongCall(f"{text!r} has {count(len(found), 'schedule')}, say which: {listed}")
    return found[0]


def _name(row: ScheduleRow) -> str:
    return f"{row.schedule_id} ({row.workflow_id}, {row.timing})"


def _say_if_nobody_fires(config: Config) -> None:
    from wrkflw_tui.commands.care import has_worker

    with reading(config) as connection:
        if not has_worker(connection):
            say("no worker is there now: it fires while `wrkflw-tui worker` or the app runs")


def _row(row: ScheduleRow, now: datetime) -> list[Cell | str]:
    return [row.schedule_id, row.workflow_id, row.timing, _next(row, now), _words(row.timing)]


def _next(row: ScheduleRow, now: datetime) -> Cell:
    if row.paused:
        return Cell("paused", "muted")
    if row.next_at is None:
        return Cell("never", "bad")
    due = datetime.fromtimestamp(row.next_at, UTC)
    return Cell(f"{clock(due, now)} {until(due, now)}" if sys.stdout.isatty() else exact(due))


def _shape(row: ScheduleRow) -> Shape:
    next_at = None if row.next_at is None else datetime.fromtimestamp(row.next_at, UTC)
    return {
        "schedule_id": row.schedule_id,
        "workflow_id": row.workflow_id,
        "cron": row.timing,
        "words": _words(row.timing),
        "timezone": row.timezone,
        "zone": row.zone,
        "input": json.loads(row.input),
        "overlap": row.overlap,
        "catch_up": row.catch_up,
        "paused": row.paused,
        "next_at": None if next_at is None or row.paused else next_at.isoformat(),
    }


def _fire_shape(fire: datetime, row: ScheduleRow | None) -> Shape:
    return {
        "at": fire.isoformat(),
        "schedule_id": None if row is None else row.schedule_id,
        "workflow_id": None if row is None else row.workflow_id,
    }
