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
    limit = late_at(connection, row)
    return None if limit is None or limit >= now else datetime.fromtimestamp(limit, UTC)


def late_at(connection: sqlite3.Connection, row: ScheduleRow) -> int | None:
    """Return the instant after which a schedule is late, if nothing happens until then."""
    grace = row.terms.expect_within
    if grace is None or row.paused:
        return None
    limits = [] if row.fire_at is None else [row.fire_at + grace]
    newest = fires.latest(connection, row.schedule_id)
    if newest is not None and newest["status"] != "success":
        is_gone = newest["run_id"] is not None and newest["status"] is None
        if not is_gone:  # off the record, it may have succeeded
            limits.append(newest["due_at"] + row.terms.jitter + grace)
    return min(limits, default=None)
