"""The notifications among what follows runs, for an app that is open: it imports little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.store.follow_ups import Event


@dataclass(frozen=True, slots=True)
class Notice:
    """One event of a run that a person wants to be told of."""

    key: int
    run_id: str
    workflow_id: str
    event: Event


def newest(connection: sqlite3.Connection) -> int:
    """Return the key of whatever was last put on record to follow a run."""
    row = connection.execute("SELECT coalesce(max(id), 0) FROM wrkflw_deliveries").fetchone()
    return cast("int", row[0])


def since(connection: sqlite3.Connection, key: int) -> list[Notice]:
    """Return the notifications that are newer than a key, oldest first."""
    rows = connection.execute(
        "SELECT d.id, run_id, workflow_id, event FROM wrkflw_deliveries AS d"
        " JOIN wrkflw_workflow_runs AS r ON r.id = d.run"
        " WHERE d.id > ? AND kind = 'notify' ORDER BY d.id",
        (key,),
    )
    return [Notice(*cast("tuple[int, str, str, Event]", tuple(row))) for row in rows]
