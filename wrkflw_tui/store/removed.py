"""Runs that are not on record any more: which, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import sqlite3


def removed_now(connection: sqlite3.Connection) -> int:
    """Return the number of the last removal."""
    row = connection.execute("SELECT coalesce(max(n), 0) FROM wrkflw_removed_runs").fetchone()
    return cast("int", row[0])


def removed_since(connection: sqlite3.Connection, seen: int) -> tuple[int, list[str]] | None:
    """Return the last removal's number, and the ids of the runs removed after the one `seen`.

    Only the newest are remembered: `None` where not all of them are.
    """
    oldest = connection.execute("SELECT min(n) FROM wrkflw_removed_runs").fetchone()[0]
    if oldest is None:
        return seen, []
    if oldest > seen + 1:
        return None
    rows = connection.execute(
        "SELECT n, run_id FROM wrkflw_removed_runs WHERE n > ? ORDER BY n", (seen,)
    ).fetchall()
    newest = cast("int", rows[-1]["n"]) if rows else seen
    return newest, [cast("str", row["run_id"]) for row in rows]


def removed_at(connection: sqlite3.Connection, run_id: str) -> int | None:
    """Return when a run was removed, in microseconds, if that is known."""
    row = connection.execute(
        "SELECT max(removed_at) FROM wrkflw_removed_runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    return cast("int | None", row[0])
