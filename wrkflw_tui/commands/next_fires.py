"""`wrkflw-tui schedules next`: the next fires."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrkflw_tui.commands import planned
from wrkflw_tui.commands.exits import WrongCall
from wrkflw_tui.commands.printing import print_json, say
from wrkflw_tui.commands.record import reading
from wrkflw_tui.drawing.times import until
from wrkflw_tui.store import schedules as on_record

if TYPE_CHECKING:
    from wrkflw_tui.commands.shapes import Shape
    from wrkflw_tui.config import Config
    from wrkflw_tui.store.schedules import ScheduleRow


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
        print_json([_shape(fire, row) for fire, _, row in found])
        return 0
    if cron is not None and found:
        _tell(cron, found[0][1])
    now = datetime.now(UTC)
    for fire, zone, row in found:
        what = "" if row is None else f"  {row.workflow_id}"
        print(f"{planned.in_zone(fire, zone)}  {until(fire, now):<12}{what}".rstrip())
    if not found:
        say("nothing fires")
    return 0


def _tell(timing: str, zone: str) -> None:
    from wrkflw_tui.schedules.lint import lint
    from wrkflw_tui.schedules.when import parse_timing

    say(f"{planned.words(timing)} ({zone})")
    for warning in lint(parse_timing(timing), zone):
        say(f"  note: {warning}")


def _of_schedules(
    config: Config, text: str | None, amount: int
) -> list[tuple[datetime, str, ScheduleRow | None]]:
    from wrkflw_tui.schedules import actions

    rows = [] if text is None else [planned.find(config, text)]
    found: list[tuple[datetime, str, ScheduleRow | None]] = []
    with reading(config) as connection:
        for row in rows or on_record.list_schedules(connection):
            fires = actions.upcoming_of(connection, row.schedule_id, int(time.time()), amount)
            found += [(fire, row.zone, row) for fire in fires]
    return sorted(found, key=lambda fire: fire[0])[:amount]


def _fires(cron: str, timezone: str, amount: int) -> tuple[str, list[datetime]]:
    """Return the zone's name and the next fires. Raises `WrongCall` with what is allowed."""
    from wrkflw_tui.forms.schedule_terms import read_terms
    from wrkflw_tui.schedules.actions import upcoming
    from wrkflw_tui.schedules.pointers import resolve_zone
    from wrkflw_tui.schedules.schedule import ScheduleError

    try:
        terms = read_terms({"timing": cron, "timezone": timezone})
    except ScheduleError as error:
        flag = "--zone" if error.setting == "timezone" else "--cron"
        raise WrongCall(f"{flag}: {error.problem}") from error
    return resolve_zone(timezone), upcoming(terms, datetime.now(UTC), amount)


def _shape(fire: datetime, row: ScheduleRow | None) -> Shape:
    return {
        "at": fire.isoformat(),
        "schedule_id": None if row is None else row.schedule_id,
        "workflow_id": None if row is None else row.workflow_id,
    }
