"""`wrkflw-tui schedules backfill`: what a range would have fired, run now."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrkflw_tui.commands import planned
from wrkflw_tui.commands.exits import DONE, FAILED, WrongCall
from wrkflw_tui.commands.printing import is_terminal, print_json, say
from wrkflw_tui.commands.record import reading
from wrkflw_tui.drawing.words import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.config import Config
    from wrkflw_tui.schedules.actions import Filling
    from wrkflw_tui.store.schedules import ScheduleRow

STATES = {"runs": "will run", "fired": "ran already", "waits": "waiting"}
"""What a backfill does with an instant, in words."""
SHOWN = 20
"""How many instants a person is shown."""


@dataclass(frozen=True, slots=True)
class Range:
    """Which instants, and whether to ask."""

    since: str
    until: str | None
    dry_run: bool
    yes: bool


def backfill(config: Config, text: str, wanted: Range, *, as_json: bool) -> int:
    """Start what a range has not fired; say beforehand what that is. Raises `WrongCall`."""
    from wrkflw_tui.commands.care import Care
    from wrkflw_tui.schedules import actions

    row, now = planned.find(config, text), datetime.now(UTC)
    since = planned.instant(wanted.since, row.zone, now)
    until = now if wanted.until is None else planned.instant(wanted.until, row.zone, now, ends=True)
    if since > until:
        raise WrongCall("FROM is after UNTIL")
    with reading(config) as connection:
        found = actions.preview_backfill(
            connection, row.schedule_id, since, until, int(now.timestamp())
        )
    if wanted.dry_run:
        return _plan(row, found, as_json=as_json)
    asks = not wanted.yes and is_terminal(sys.stdin) and sys.stderr.isatty()
    if asks and not _agrees(row, found):
        say("nothing was started")
        return FAILED
    filled: list[datetime] = []
    if any(one.state == "runs" for one in found):
        care = Care(config)
        filled = care.write(
            lambda c: actions.backfill(c, row.schedule_id, since, until, int(time.time()))
        )
    if as_json:
        print_json({"dry_run": False, "filled": [at.isoformat() for at in filled]})
    else:
        for at in filled:
            print(planned.in_zone(at, row.zone))
    say(
        f"{count(len(filled), 'run')} of {row.workflow_id} will start, one after the other"
        if row.overlap != "allow"
        else f"{count(len(filled), 'run')} of {row.workflow_id} start"
    )
    return DONE


def _plan(row: ScheduleRow, found: Sequence[Filling], *, as_json: bool) -> int:
    if as_json:
        fires = [{"at": one.due_at.isoformat(), "state": one.state} for one in found]
        print_json({"dry_run": True, "fires": fires})
    else:
        for one in found:
            print(f"{planned.in_zone(one.due_at, row.zone)}  {STATES[one.state]}")
    say(f"{_summary(found)}; nothing was started")
    return DONE


def _summary(found: Sequence[Filling]) -> str:
    amounts = Counter(one.state for one in found)
    said = [f"{number:,} {STATES[state]}" for state, number in amounts.items()]
    return ", ".join(said) or "nothing was due in this range"


def _agrees(row: ScheduleRow, found: Sequence[Filling]) -> bool:
    """Show what would start, and ask."""
    for one in found[:SHOWN]:
        say(f"  {planned.in_zone(one.due_at, row.zone)}  {STATES[one.state]}")
    if len(found) > SHOWN:
        say(f"  and {len(found) - SHOWN:,} more")
    say(_summary(found))
    amount = sum(one.state == "runs" for one in found)
    if not amount:
        return True  # there is nothing to agree to
    print(f"Start {count(amount, 'run')} of {row.workflow_id}? [y/N] ", end="", file=sys.stderr)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
