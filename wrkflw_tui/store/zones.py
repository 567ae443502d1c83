"""The zones that schedules' pointers were computed in, and with which edition of their data."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from wrkflw_tui.store.schedules import COLUMNS, schedule_of

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.store.schedules import ScheduleRow


def astray(
    connection: sqlite3.Connection, local: str | None, stale: list[str]
) -> list[ScheduleRow]:
    """Return schedules whose pointers were computed in another zone, or with stale data of it."""
    places = ", ".join("?" * len(stale))
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM wrkflw_schedules WHERE gone = 0"
        f" AND ((timezone = 'local' AND zone <> coalesce(?, zone)) OR zone IN ({places}))",
        (local, *stale),
    )
    return [schedule_of(row) for row in rows]


def zones(connection: sqlite3.Connection) -> dict[str, str | None]:
    """Return the zones in use, each with the edition of its data that is on record."""
    rows = connection.execute(
        "SELECT used.zone, data FROM"
        " (SELECT DISTINCT zone FROM wrkflw_schedules WHERE gone = 0) AS used"
        " LEFT JOIN wrkflw_schedule_zones AS known ON known.zone = used.zone"
    )
    return {row["zone"]: row["data"] for row in rows}


def local_zones(connection: sqlite3.Connection) -> list[str]:
    """Return the zones that pointers of schedules in the machine's own zone were computed in."""
    rows = connection.execute(
        "SELECT DISTINCT zone FROM wrkflw_schedules WHERE gone = 0 AND timezone = 'local'"
    )
    return [cast("str", row["zone"]) for row in rows]


def note_zone(connection: sqlite3.Connection, zone: str, data: str) -> None:
    """Note which edition of a zone's data pointers were computed with."""
    connection.execute("INSERT OR REPLACE INTO wrkflw_schedule_zones VALUES (?, ?)", (zone, data))
