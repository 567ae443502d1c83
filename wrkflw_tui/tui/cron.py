"""Cron expressions for the screens: their words, their next fires, and what is wrong with them.

Everything is imported where it is needed: croniter and tzlocal cost more than a first frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an expression means from an instant on."""

    words: str
    fires: tuple[datetime, ...]


def zone_name(timezone: str) -> str:
    """Return the IANA name of a schedule's zone; `local` is where this machine is."""
    if timezone != LOCAL:
        return timezone
    from tzlocal import get_localzone_name

    return get_localzone_name() or "UTC"


def plan(timing: str, zone: str, now: datetime, fires: int = 5) -> Plan:
    """Say what a timing means. Raises `ValueError` with what is wrong with it."""
    from wrkflw_tui.engine.terms import ScheduleTerms
    from wrkflw_tui.schedules.actions import upcoming
    from wrkflw_tui.schedules.when import describe_timing, parse_timing

    words = describe_timing(parse_timing(timing))
    terms = ScheduleTerms(timing=timing, timezone=zone)
    return Plan(words, tuple(upcoming(terms, now, fires)))
