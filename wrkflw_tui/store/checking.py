"""Whether the file is whole: looked through now and then, and what was found kept in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from wrkflw_tui.store.trouble import how_to_mend

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

DAY = 86_400_000_000
"""Microseconds; a file in which nothing was found is not looked through more often."""


def is_due(connection: sqlite3.Connection, now: int) -> bool:
    """Tell whether it is time to look through the file."""
    row = connection.execute("SELECT checked_at, finding FROM wrkflw_keeping").fetchone()
    checked_at, finding = row["checked_at"], row["finding"]
    return checked_at is None or finding is not None or not 0 <= now - checked_at < DAY


def record_finding(connection: sqlite3.Connection, finding: str, now: int) -> None:
    """Keep what was found, or that it was nothing."""
    connection.execute(
        "UPDATE wrkflw_keeping SET checked_at = ?, finding = ?", (now, finding or None)
    )


def known_finding(connection: sqlite3.Connection) -> str | None:
    """Return what the last look through the file has found to be wrong."""
    row = connection.execute("SELECT finding FROM wrkflw_keeping").fetchone()
    return cast("str | None", row[0])


def in_words(path: Path, finding: str) -> str:
    """Say what was found, and what to do about it."""
    return f"{path} is damaged ({finding}): {how_to_mend(path)}"
