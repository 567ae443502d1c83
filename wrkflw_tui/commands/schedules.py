"""`wrkflw-tui schedules`: what fires when, let go on or held up."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrkflw_tui.commands import planned
from wrkflw_tui.commands.exits import WrongCall
from wrkflw_tui.commands.printing import Cell, print_json, print_table, say, status_cell
from wrkflw_tui.commands.record import reading, write
from wrkflw_tui.commands.values import ago
from wrkflw_tui.drawing.times import clock, exact, until
from wrkflw_tui.store import schedules as on_record

if TYPE_CHECKING:
    from wrkflw_tui.commands.follow import Following
    from wrkflw_tui.config import Config
    from wrkflw_tui.store.fires import Fire
    from wrkflw_tui.store.schedules import ScheduleRow

HEAD = ("SCHEDULE", "WORKFLOW", "WHEN", "NEXT", "LAST", "IN WORDS")
WORDS = len(HEAD) - 1


def list_schedules(config: Config, *, as_json: bool) -> int:
    """Print all schedules, the soonest first."""
    from wrkflw_tui.schedules.lateness import late_since
    from wrkflw_tui.store.fires import last_fires

    now = datetime.now(UTC)
    with reading(config) as connection:
        rows = on_record.list_schedules(connection)
        last = last_fires(connection)
        if as_json:
            found = [planned.shape(connection, row, last.get(row.schedule_id)) for row in rows]
            print_json(found)
            return 0
        seconds = int(now.timestamp())
        late = {row.schedule_id for row in rows if late_since(connection, row, seconds)}
    if not rows:
        say("no schedules: `wrkflw-tui schedules add WORKFLOW CRON` makes one")
        return 0
    print_table(HEAD, [_row(row, last.get(row.schedule_id), now, late) for row in rows], WORDS)
    return 0


def pause(config: Config, text: str, end: str | None, note: str, *, as_json: bool) -> int:
    """Let a schedule fire no more: until an instant, or until it is resumed."""
    from wrkflw_tui.schedules import actions

    row, now = planned.find(config, text), datetime.now(UTC)
    goes_on = None if end is None else _goes_on(end, row, now)
    write(config, lambda c: actions.pause(c, row.schedule_id, int(now.timestamp()), note, goes_on))
    then = "" if goes_on is None else f" until {planned.in_zone(goes_on, row.zone)}"
    return _done(config, row, f"is paused{then}", as_json=as_json)


def _goes_on(end: str, row: ScheduleRow, now: datetime) -> datetime:
    length = ago(end)
    found = planned.instant(end, row.zone, now) if length is None else now + length
    if found <= now:
        raise WrongCall(f"--until: {end!r} is past")
    return found


def resume(config: Config, text: str, *, as_json: bool) -> int:
    """Let a schedule go on from now; what it missed meanwhile is not made up for."""
    from wrkflw_tui.schedules import actions

    row = planned.find(config, text)
    write(config, lambda c: actions.resume(c, row.schedule_id, int(time.time())))
    with reading(config) as connection:
        next_at = on_record.get(connection, row.schedule_id).next_at
    fires = [] if next_at is None else [datetime.fromtimestamp(next_at, UTC)]
    then = f": next {exact(fires[0])}" if fires else ", and never fires"
    _done(config, row, f"goes on{then}", as_json=as_json)
    planned.say_if_nobody_fires(config)
    return 0


def skip(config: Config, text: str, *, as_json: bool) -> int:
    """Leave out the next fire."""
    from wrkflw_tui.schedules import actions

    row = planned.find(config, text)
    left_out = write(config, lambda c: actions.skip_next(c, row.schedule_id, int(time.time())))
    if left_out is None:
        raise WrongCall(f"{planned.name(row)} has no next fire to leave out")
    said = f"leaves out {planned.in_zone(left_out, row.zone)}"
    return _done(config, row, said, as_json=as_json)


def remove(config: Config, text: str, *, as_json: bool) -> int:
    """Take a schedule off the record; its runs stay."""
    row = planned.find(config, text)
    write(config, lambda c: on_record.remove(c, row.schedule_id))
    say(f"{planned.name(row)} is removed; its runs stay on record")
    if as_json:
        print_json({"schedule_id": row.schedule_id, "removed": True})
    return 0


def trigger(config: Config, text: str, how: Following | None, *, as_json: bool) -> int:
    """Start a run now, with a schedule's input."""
    from wrkflw_tui.commands.care import Care
    from wrkflw_tui.commands.looking import look
    from wrkflw_tui.commands.run import go_on
    from wrkflw_tui.schedules import actions

    row = planned.find(config, text)
    look(config).find(row.workflow_id)
    care = Care(config, quiet=how is not None and how.quiet)
    run_id = care.write(lambda c: actions.trigger(c, row.schedule_id, "cli", int(time.time())))
    return go_on(config, run_id, how, care, as_json=as_json)


def _done(config: Config, row: ScheduleRow, said: str, *, as_json: bool) -> int:
    say(f"{planned.name(row)} {said}")
    if as_json:
        print_json(planned.shape_now(config, row.schedule_id))
    return 0


def _row(row: ScheduleRow, last: Fire | None, now: datetime, late: set[str]) -> list[Cell | str]:
    source = "" if row.source == "app" else f"  (in {row.file})"
    note = f"  {row.note}" if row.note else ""
    return [
        row.schedule_id,
        row.workflow_id,
        row.timing,
        _next(row, now, row.schedule_id in late),
        _last(last),
        planned.words(row.timing) + source + note,
    ]


def _next(row: ScheduleRow, now: datetime, is_late: bool) -> Cell:
    if row.paused:
        return Cell("paused", "muted")
    if row.next_at is None:
        return Cell("never", "bad")
    due = datetime.fromtimestamp(row.next_at, UTC)
    shown = f"{clock(due, now)} {until(due, now)}" if sys.stdout.isatty() else exact(due)
    return Cell(f"LATE, {shown}", "bad") if is_late else Cell(shown)


def _last(last: Fire | None) -> Cell:
    if last is None:
        return Cell("none yet", "muted")
    if last.outcome != "started":
        return Cell("◌ waits" if last.outcome == "waiting" else "- skipped", "wait")
    if last.run_status is None:
        return Cell("run removed" if last.is_removed else "started", "muted")
    return status_cell(last.run_status)
