"""What many schedules will fire within a span: computed off the record, from their pointers on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrkflw_tui.schedules.pointers import between, local_zone, when_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wrkflw_tui.store.schedules import ScheduleRow

MOST_OF_ONE = 2_100
"""How many fires of one schedule are computed: a week of every five minutes."""
MOST = 20_000


@dataclass(frozen=True, slots=True)
class Coming:
    """A fire to come."""

    at: datetime
    schedule_id: str


@dataclass(frozen=True, slots=True)
class Ahead:
    """The fires to come, in order."""

    fires: tuple[Coming, ...]
    is_whole: bool
    """Whether these are all."""


def ahead(rows: Iterable[ScheduleRow], until: int) -> Ahead:
    """Return the fires from now to an instant, in seconds since the epoch; those soonest known."""
    local = local_zone()
    found: list[Coming] = []
    is_whole = True
    for row in rows:
        if row.paused or row.next_at is None or row.next_at > until:
            continue
        if len(found) >= MOST:
            return Ahead(_in_order(found), is_whole=False)
        most = MOST_OF_ONE
        if row.terms.max_runs is not None:
            most = min(most, row.terms.max_runs - row.runs_started)
        coming = between(row, when_of(row, local), row.next_at, until, most)
        is_whole = is_whole and len(coming) < MOST_OF_ONE
        found += [
            Coming(datetime.fromtimestamp(one.due_at, UTC), row.schedule_id) for one in coming
        ]
    return Ahead(_in_order(found), is_whole)


def _in_order(found: list[Coming]) -> tuple[Coming, ...]:
    return tuple(sorted(found, key=lambda fire: fire.at))
