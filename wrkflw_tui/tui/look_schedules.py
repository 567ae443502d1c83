"""What a look finds of the schedules: all of them at first, then only what has changed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from wrkflw_tui.store import fires, schedules
from wrkflw_tui.tui.known import ScheduleState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable

    from wrkflw_tui.store.schedules import ScheduleRow


class ScheduleLook:
    """Remembers the schedules as they were read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._revision = -1
        self._states: dict[str, ScheduleState] = {}

    def first(self) -> tuple[ScheduleState, ...]:
        """Read all schedules."""
        self._revision, rows = schedules.changed_since(self._connection, -1)
        last = fires.last_fires(self._connection)
        self._states = {}
        self._take((row for row in rows if not row.gone), last)
        return self._sorted()

    def again(
        self, runs_revision: int, removed: Collection[str]
    ) -> tuple[ScheduleState, ...] | None:
        """Read the schedules that changed, or whose runs did; `None` where none has."""
        before = dict(self._states)
        self._revision, changed = schedules.changed_since(self._connection, self._revision)
        rows = {row.schedule_id: row for row in changed}
        for schedule_id in self._touched(runs_revision, removed) - rows.keys():
            if (known := self._states.get(schedule_id)) is not None:
                rows[schedule_id] = known.row
        for schedule_id in [row.schedule_id for row in rows.values() if row.gone]:
            del rows[schedule_id]
            self._states.pop(schedule_id, None)
        if rows:
            self._take(rows.values(), fires.last_fires(self._connection, rows.keys()))
        if len(self._states) != schedules.count(self._connection):
            return self.first()  # one was removed
        return None if self._states == before else self._sorted()

    def _touched(self, runs_revision: int, removed: Collection[str]) -> set[str]:
        found = schedules.run_since(self._connection, runs_revision)
        if removed:
            gone = set(removed)
            found |= {
                schedule_id
                for schedule_id, state in self._states.items()
                if state.last is not None and state.last.run_id in gone
            }
        return found

    def _take(self, rows: Iterable[ScheduleRow], last: dict[str, fires.Fire]) -> None:
        for row in rows:
            late = None
            if row.terms.expect_within is not None:
                from wrkflw_tui.schedules.lateness import late_at

                late = late_at(self._connection, row)
            words = _in_words(row.timing)
            state = ScheduleState(row, last.get(row.schedule_id), words, late)
            if state != self._states.get(row.schedule_id):
                self._states[row.schedule_id] = state

    def _sorted(self) -> tuple[ScheduleState, ...]:
        """Those that fire soonest first, then those that do not fire."""
        return tuple(sorted(self._states.values(), key=_soonest))


def _soonest(state: ScheduleState) -> tuple[bool, bool, int, str, str]:
    row = state.row
    return row.paused, row.next_at is None, row.next_at or 0, row.workflow_id, row.schedule_id


@lru_cache(maxsize=4096)
def _in_words(expression: str) -> str:
    # Imported here: a record without schedules need not pay for it.
    from wrkflw_tui.schedules.when import describe_timing, parse_timing

    try:
        return describe_timing(parse_timing(expression))
    except ValueError as error:
        return str(error)
