"""What the screens say of a schedule's timing: its words, its next fires, what may surprise.

Everything is imported where it is needed: croniter and tzlocal cost more than a first frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from wrkflw_tui.engine.terms import ScheduleTerms

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the terms of a schedule mean from an instant on."""

    words: str
    zone: str
    fires: tuple[datetime, ...]
    warnings: tuple[str, ...]


def zone_name(timezone: str) -> str:
    """Return the IANA name of a schedule's zone; `local` is where this machine is."""
    if timezone != LOCAL:
        return timezone
    from wrkflw_tui.schedules.pointers import local_zone

    return local_zone()


def plan(terms: ScheduleTerms, now: datetime, fires: int = 5) -> Plan:
    """Say what terms mean. Raises `ValueError` with what is wrong with them."""
    from wrkflw_tui.schedules.actions import upcoming
    from wrkflw_tui.schedules.lint import lint
    from wrkflw_tui.schedules.when import describe_timing, parse_timing

    timing, zone = parse_timing(terms.timing), zone_name(terms.timezone)
    coming = tuple(upcoming(replace(terms, timezone=zone), now, fires))
    return Plan(describe_timing(timing), zone, coming, tuple(lint(timing, zone, now)))
