"""Whether a schedule is late: a success was expected within a time, and there is none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrkflw_tui.store import fires

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.store.schedules import ScheduleRow


def late_since(connection: sqlite3.Connection, row: ScheduleRow, now: int) -> datetime | None:
    """Return since when a schedule is late, if it is; `now` in seconds since the epoch.

    It is late if its newest due instant has had no success within `expect_within`: the run
    failed, still goes, or was never started because no worker is there.
    """
    grace = row.terms.expect_within
    if grace is None or row.paused:
        return None
    if row.fire_at is not None and row.fire_at + grace < now:
        return datetime.fromtimestamp(row.fire_at + grace, UTC)
    newest = fires.latest(connection, row.schedule_id)
    if newest is None or newest["status"] == "success":
        return None
    if newest["run_id"] is not None and newest["status"] is None:
        return None  # its run is off the record
    limit = newest["due_at"] + row.terms.jitter + grace
    return datetime.fromtimestamp(limit, UTC) if limit < now else None
