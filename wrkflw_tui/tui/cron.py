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


def plan(expression: str, zone: str, now: datetime, fires: int = 5) -> Plan:
    """Say what an expression means. Raises `ValueError` with what is wrong with it."""
    from wrkflw_tui.schedules.cron import next_fire
    from wrkflw_tui.schedules.describe import describe
    from wrkflw_tui.schedules.parser import parse_cron

    spec = parse_cron(expression)
    instants: list[datetime] = []
    after = now
    for _ in range(fires):
        instant = next_fire(spec, zone, after)
        if instant is None:
            break
        instants.append(instant)
        after = instant
    return Plan(describe(spec), tuple(instants))


def next_at(expression: str, zone: str, now: datetime) -> int | None:
    """Return the next fire in seconds since the epoch. Raises `ValueError`."""
    fires = plan(expression, zone, now, fires=1).fires
    return int(fires[0].timestamp()) if fires else None
