"""What follows runs: each delivery with its attempts, until it is delivered or has failed for good.

The file itself puts them on record, in the transaction of the end (see the migration). An attempt
is told by its number: who finds another one on record has nothing to say any more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, cast

from wrkflw_tui.engine.models import from_micros
from wrkflw_tui.store import claims

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from wrkflw_tui.store.follow_ups import Event, Kind

PAUSES = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(minutes=50),
)
"""How long after each failed attempt the next one comes."""
ATTEMPTS = len(PAUSES) + 1
CUT_OFF = "the worker ended in the middle of it"

DeliveryStatus = Literal["pending", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing that follows one event of a run."""

    key: int
    delivery_id: str
    """The same for every attempt: tells a receiver what it has had already."""
    run_id: str
    event: Event
    kind: Kind
    target_json: str
    status: DeliveryStatus
    attempts: int
    """Those that have begun."""
    next_at: datetime
    """When the next attempt is due, while it is pending."""
    begun_at: datetime | None
    """Since when an attempt is under way."""
    error: str | None
    """Why the last attempt failed."""
    output: str | None = field(repr=False)
    """The end of what a command printed, the beginning of what a server answered."""
    started_run: str | None
    """The run that it has started."""
    created_at: datetime
    ended_at: datetime | None

    @property
    def target(self) -> object:
        """A command's arguments, an address, a workflow's id."""
        return json.loads(self.target_json)


_COLUMNS = (
    "d.id, delivery_id, run_id, event, kind, target, d.status, attempts, next_at, begun_at,"
    " d.error, output, started_run, d.created_at, ended_at"
)
_UNDER_WAY = "id = ? AND attempts = ? AND begun_at IS NOT NULL"
_JOINED = "wrkflw_deliveries AS d JOIN wrkflw_workflow_runs AS r ON r.id = d.run"


def of_run(connection: sqlite3.Connection, run_id: str) -> list[Delivery]:
    """Return what follows a run, in the order of its events."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE r.run_id = ? ORDER BY d.id", (run_id,)
    )
    return [_delivery(row) for row in rows]


def next_due(connection: sqlite3.Connection) -> int | None:
    """Return when the next delivery is due, in microseconds; those under way do not count."""
    row = connection.execute(
        "SELECT min(next_at) FROM wrkflw_deliveries WHERE status = 'pending' AND begun_at IS NULL"
    ).fetchone()
    return cast("int | None", row[0])


def has_pending(connection: sqlite3.Connection) -> bool:
    """Tell whether anything is still to be delivered."""
    row = connection.execute("SELECT 1 FROM wrkflw_deliveries WHERE status = 'pending' LIMIT 1")
    return row.fetchone() is not None


def begin_due(connection: sqlite3.Connection, now: int, limit: int) -> list[Delivery]:
    """Put the start of an attempt at what is due on record, the longest due first."""
    keys = [
        cast("int", row["id"])
        for row in connection.execute(
            "SELECT id FROM wrkflw_deliveries WHERE status = 'pending' AND begun_at IS NULL"
            " AND next_at <= ? ORDER BY next_at, id LIMIT ?",
            (now, limit),
        )
    ]
    for key in keys:
        connection.execute(
            "UPDATE wrkflw_deliveries SET attempts = attempts + 1, begun_at = ? WHERE id = ?",
            (now, key),
        )
    places = ", ".join("?" * len(keys))
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE d.id IN ({places}) ORDER BY next_at, d.id", keys
    )
    return [_delivery(row) for row in rows]


def succeed(
    connection: sqlite3.Connection, delivery: Delivery, now: int, output: str | None
) -> bool:
    """Put on record that an attempt has delivered. Returns whether it was still under way."""
    changed = connection.execute(
        "UPDATE wrkflw_deliveries SET status = 'delivered', begun_at = NULL, error = NULL,"
        f" output = ?, ended_at = ? WHERE {_UNDER_WAY}",
        (output, now, delivery.key, delivery.attempts),
    )
    return changed.rowcount == 1


def fail(
    connection: sqlite3.Connection,
    delivery: Delivery,
    now: int,
    error: str,
    output: str | None = None,
    *,
    is_final: bool = False,
) -> None:
    """Put on record that an attempt failed, and when the next one comes, if any does."""
    if is_final or delivery.attempts >= ATTEMPTS:
        status, next_at, ended_at = "failed", now, now
    else:
        pause = PAUSES[delivery.attempts - 1].total_seconds()
        status, next_at, ended_at = "pending", now + round(pause * 1_000_000), None
    connection.execute(
        "UPDATE wrkflw_deliveries SET status = ?, begun_at = NULL, error = ?, output = ?,"
        f" next_at = ?, ended_at = ? WHERE {_UNDER_WAY}",
        (status, error, output, next_at, ended_at, delivery.key, delivery.attempts),
    )


def start_run(
    connection: sqlite3.Connection, delivery: Delivery, now: int, input: str
) -> str | None:
    """Queue the run that a delivery is to start, and put on record that it has delivered.

    Both in the caller's transaction, so that it is started once. Returns the run's id, or `None`
    where the attempt was not under way any more.
    """
    if not succeed(connection, delivery, now, None):
        return None
    run_id = claims.enqueue(connection, cast("str", delivery.target), input, "follow-up")
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET follows = ?, follow_depth = ? WHERE run_id = ?",
        (delivery.run_id, 1 + depth_of(connection, delivery.run_id), run_id),
    )
    connection.execute(
        "UPDATE wrkflw_deliveries SET started_run = ? WHERE id = ?", (run_id, delivery.key)
    )
    return run_id


def depth_of(connection: sqlite3.Connection, run_id: str) -> int:
    """Return how many runs, each started by the end of the one before, led to a run."""
    row = connection.execute(
        "SELECT follow_depth FROM wrkflw_workflow_runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    return 0 if row is None else cast("int", row["follow_depth"])


def give_back(connection: sqlite3.Connection, delivery: Delivery, now: int) -> None:
    """Let an attempt that was cut off be made again at once."""
    connection.execute(
        f"UPDATE wrkflw_deliveries SET begun_at = NULL, next_at = ?, error = ? WHERE {_UNDER_WAY}",
        (now, CUT_OFF, delivery.key, delivery.attempts),
    )


def take_over(connection: sqlite3.Connection, now: int) -> None:
    """Let whatever the worker before was in the middle of be done again.

    Called in the transaction that takes the worker's lease: whoever holds it delivers nothing yet.
    """
    connection.execute(
        "UPDATE wrkflw_deliveries SET begun_at = NULL, next_at = ?, error = ?"
        " WHERE status = 'pending' AND begun_at IS NOT NULL",
        (now, CUT_OFF),
    )


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(
        key=row["id"],
        delivery_id=row["delivery_id"],
        run_id=row["run_id"],
        event=row["event"],
        kind=row["kind"],
        target_json=row["target"],
        status=row["status"],
        attempts=row["attempts"],
        next_at=from_micros(row["next_at"]),
        begun_at=_instant(row["begun_at"]),
        error=row["error"],
        output=row["output"],
        started_run=row["started_run"],
        created_at=from_micros(row["created_at"]),
        ended_at=_instant(row["ended_at"]),
    )


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
