"""What schedules fired: a row for each due instant, or for a stretch that was left out together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.models import from_micros

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection
    from datetime import datetime

    from wrkflw_tui.engine.models import RunStatus

Outcome = Literal["started", "waiting", "skipped"]
Origin = Literal["schedule", "backfill", "hand"]

ACTIVE = "('queued', 'running', 'sleeping', 'suspended')"


@dataclass(frozen=True, slots=True)
class Fire:
    """What became of one due instant, or of a stretch of them."""

    schedule_id: str
    due_at: datetime
    outcome: Outcome
    reason: str
    count: int
    """How many due instants this row stands for."""
    run_id: str | None
    last_at: datetime
    """The last of those instants."""
    origin: Origin
    """Who meant it to run: the schedule, a backfill, or a person who triggered it."""
    at: datetime
    """When this was decided."""
    run_status: RunStatus | None
    """Where its run stands, while that is on record."""

    @property
    def is_removed(self) -> bool:
        """Whether its run is on record no longer."""
        return self.run_id is not None and self.run_status is None


def record_fire(
    connection: sqlite3.Connection,
    schedule_id: str,
    due_at: int,
    outcome: Outcome,
    reason: str = "",
    count: int = 1,
    run_id: str | None = None,
    *,
    last_at: int | None = None,
    origin: Origin = "schedule",
    nominal: str | None = None,
    zone: str | None = None,
    at: int | None = None,
) -> bool:
    """Put what became of a due instant on record. Returns whether it was not there yet."""
    changed = connection.execute(
        "INSERT INTO wrkflw_schedule_fires (schedule_id, due_at, hand, outcome, reason, count,"
        " last_at, origin, run_id, open, nominal, zone, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            schedule_id,
            due_at,
            origin == "hand",
            outcome,
            reason,
            count,
            due_at if last_at is None else last_at,
            origin,
            run_id,
            run_id is not None,
            nominal,
            zone,
            micros_now() if at is None else at * 1_000_000,
        ),
    )
    return changed.rowcount == 1


def list_fires(
    connection: sqlite3.Connection, schedule_id: str, limit: int = 50, before: int | None = None
) -> list[Fire]:
    """Return what a schedule fired, newest first; `before` is a due instant in seconds."""
    rows = connection.execute(
        "SELECT fire.*, run.status FROM"
        " (SELECT * FROM wrkflw_schedule_fires WHERE schedule_id = :id"
        " AND due_at < coalesce(:before, due_at + 1)"
        " ORDER BY due_at DESC, hand DESC LIMIT :limit) AS fire"
        " LEFT JOIN wrkflw_workflow_runs AS run ON run.run_id = fire.run_id"
        " ORDER BY fire.due_at DESC, fire.hand DESC",
        {"id": schedule_id, "before": before, "limit": limit},
    )
    return [_fire(row) for row in rows]


def last_fires(
    connection: sqlite3.Connection, only: Collection[str] | None = None
) -> dict[str, Fire]:
    """Return the newest fire of each schedule, or of some, in one query."""
    if only is not None:
        named, values = "json_each(:ids) AS one", {"ids": json.dumps(list(only))}
        key = "one.value"
    else:
        named, values, key = "wrkflw_schedules AS one", {"ids": ""}, "one.schedule_id"
    rows = connection.execute(
        f"SELECT fire.*, run.status FROM {named} CROSS JOIN wrkflw_schedule_fires AS fire"
        f" ON fire.schedule_id = {key} AND (fire.due_at, fire.hand) = (SELECT due_at, hand"
        f" FROM wrkflw_schedule_fires WHERE schedule_id = {key}"
        " ORDER BY due_at DESC, hand DESC LIMIT 1)"
        " LEFT JOIN wrkflw_workflow_runs AS run ON run.run_id = fire.run_id",
        values,
    )
    return {row["schedule_id"]: _fire(row) for row in rows}


def is_on_record(connection: sqlite3.Connection, schedule_id: str, due_at: int) -> bool:
    """Tell whether it is settled what became of an instant."""
    return (
        outcome_of(connection, schedule_id, due_at) is not None
        or stretch_over(connection, schedule_id, due_at) is not None
    )


def outcome_of(
    connection: sqlite3.Connection, schedule_id: str, due_at: int
) -> tuple[Outcome, int] | None:
    """Return what the row of an instant says, and for how many it stands."""
    row = connection.execute(
        "SELECT outcome, count FROM wrkflw_schedule_fires"
        " WHERE schedule_id = ? AND due_at = ? AND hand = 0",
        (schedule_id, due_at),
    ).fetchone()
    return None if row is None else tuple(row)


def has_any(connection: sqlite3.Connection, schedule_id: str, first: int, last: int) -> bool:
    """Tell whether anything is on record of the instants between two, these included."""
    row = connection.execute(
        "SELECT 1 FROM wrkflw_schedule_fires"
        " WHERE schedule_id = ? AND due_at BETWEEN ? AND ? AND hand = 0 LIMIT 1",
        (schedule_id, first, last),
    ).fetchone()
    return row is not None or stretch_over(connection, schedule_id, first) is not None


def stretch_over(
    connection: sqlite3.Connection, schedule_id: str, due_at: int
) -> tuple[int, int, int] | None:
    """Return first, last and count of the stretch of skipped instants that an instant lies in."""
    # Stretches never overlap: only the latest that begins before the instant can reach over it.
    row = connection.execute(
        "SELECT due_at, last_at, count FROM wrkflw_schedule_fires WHERE schedule_id = ?"
        " AND due_at <= ? AND last_at > due_at AND hand = 0 ORDER BY due_at DESC LIMIT 1",
        (schedule_id, due_at),
    ).fetchone()
    return None if row is None or row["last_at"] < due_at else tuple(row)


def is_done_on_wall(
    connection: sqlite3.Connection, schedule_id: str, due_at: int, nominal: str, zone: str
) -> bool:
    """Tell whether a minute on the wall was dealt with in another zone: nobody wants it twice."""
    row = connection.execute(
        "SELECT 1 FROM wrkflw_schedule_fires WHERE schedule_id = ? AND due_at BETWEEN ? AND ?"
        " AND nominal = ? AND zone <> ? LIMIT 1",
        (schedule_id, due_at - _WORLD, due_at, nominal, zone),
    ).fetchone()
    return row is not None


def has_active_run(connection: sqlite3.Connection, schedule_id: str) -> bool:
    """Tell whether a run that the schedule started has not ended yet."""
    row = connection.execute(
        f"SELECT 1 FROM wrkflw_workflow_runs WHERE schedule_id = ? AND status IN {ACTIVE} LIMIT 1",
        (schedule_id,),
    ).fetchone()
    return row is not None


def active_runs(connection: sqlite3.Connection, schedule_id: str) -> list[str]:
    """Return the ids of the schedule's runs that have not ended yet."""
    rows = connection.execute(
        f"SELECT run_id FROM wrkflw_workflow_runs WHERE schedule_id = ? AND status IN {ACTIVE}",
        (schedule_id,),
    )
    return [cast("str", row["run_id"]) for row in rows]


def waiting(connection: sqlite3.Connection, schedule_id: str) -> list[int]:
    """Return the instants whose runs wait for the one before them, the oldest first."""
    rows = connection.execute(
        f"SELECT due_at FROM wrkflw_schedule_fires {_BY_WAITING}"
        " WHERE schedule_id = ? AND outcome = 'waiting' ORDER BY due_at",
        (schedule_id,),
    )
    return [cast("int", row["due_at"]) for row in rows]


def start_waiting(
    connection: sqlite3.Connection, schedule_id: str, due_at: int, run_id: str
) -> None:
    """Note that the run of an instant that waited is there now."""
    connection.execute(
        "UPDATE wrkflw_schedule_fires SET outcome = 'started', reason = '', run_id = ?, open = 1"
        " WHERE schedule_id = ? AND due_at = ? AND hand = 0",
        (run_id, schedule_id, due_at),
    )


def skip_waiting(connection: sqlite3.Connection, schedule_id: str, reason: str) -> None:
    """Give up on the instants that wait."""
    connection.execute(
        f"UPDATE wrkflw_schedule_fires {_BY_WAITING} SET outcome = 'skipped', reason = ?"
        " WHERE schedule_id = ? AND outcome = 'waiting'",
        (reason, schedule_id),
    )


def take_out(
    connection: sqlite3.Connection, schedule_id: str, due_at: int, following: int | None
) -> None:
    """Take an instant out of what was skipped, so that it can be fired after all.

    `following` is the instant after it, at which the rest of its stretch begins.
    """
    stretch = stretch_over(connection, schedule_id, due_at)
    first = due_at if stretch is None else stretch[0]
    if stretch is not None and stretch[2] > 1:
        connection.execute(
            "UPDATE wrkflw_schedule_fires SET count = count - 1, due_at = CASE WHEN due_at = :due"
            " THEN min(last_at, coalesce(:following, due_at + 1)) ELSE due_at END"
            " WHERE schedule_id = :id AND due_at = :first AND hand = 0",
            {"due": due_at, "following": following, "id": schedule_id, "first": first},
        )
        return
    connection.execute(
        "DELETE FROM wrkflw_schedule_fires WHERE schedule_id = ? AND due_at = ? AND hand = 0"
        " AND outcome = 'skipped'",
        (schedule_id, first),
    )


def undo_skips(
    connection: sqlite3.Connection, schedule_id: str, now: int, decided_after: int
) -> int | None:
    """Forget that instants to come were left out, where a clock that was ahead decided so.

    Returns the first instant of a stretch that began before `now` and is cut off there.
    """
    connection.execute(
        "DELETE FROM wrkflw_schedule_fires WHERE schedule_id = ? AND due_at > ?"
        " AND outcome = 'skipped' AND at > ?",
        (schedule_id, now, decided_after * 1_000_000),
    )
    row = connection.execute(
        "UPDATE wrkflw_schedule_fires SET last_at = ? WHERE schedule_id = ? AND due_at <= ?"
        " AND last_at > ? AND outcome = 'skipped' RETURNING due_at",
        (now, schedule_id, now, now),
    ).fetchone()
    return None if row is None else cast("int", row["due_at"])


def count_stretch(connection: sqlite3.Connection, schedule_id: str, first: int, count: int) -> None:
    """Set for how many instants a stretch stands."""
    connection.execute(
        "UPDATE wrkflw_schedule_fires SET count = ?"
        " WHERE schedule_id = ? AND due_at = ? AND hand = 0",
        (count, schedule_id, first),
    )


def has_news(connection: sqlite3.Connection) -> bool:
    """Tell whether a run of a schedule has ended that nothing was concluded from yet."""
    ended = connection.execute(f"SELECT 1 {_ENDED} LIMIT 1").fetchone()
    return ended is not None or bool(startable(connection, 1))


def startable(connection: sqlite3.Connection, most: int) -> list[str]:
    """Return schedules that have fires waiting, and no run any more that they wait for."""
    rows = connection.execute(
        f"SELECT schedule_id FROM wrkflw_schedule_fires AS fire {_BY_WAITING}"
        " WHERE outcome = 'waiting' AND NOT EXISTS (SELECT 1 FROM wrkflw_workflow_runs AS run"
        f" WHERE run.schedule_id = fire.schedule_id AND run.status IN {ACTIVE})"
        " GROUP BY schedule_id LIMIT ?",
        (most,),
    )
    return [cast("str", row["schedule_id"]) for row in rows]


def take_ended(
    connection: sqlite3.Connection, most: int
) -> list[tuple[str, Origin, RunStatus | None]]:
    """Return the schedules whose runs have ended, each with the run's status, in order.

    Each is returned once. The status is `None` where the run is off the record.
    """
    rows = connection.execute(
        f"SELECT fire.schedule_id, fire.due_at, hand, origin, status {_ENDED}"
        " ORDER BY run.finished_at LIMIT ?",
        (most,),
    ).fetchall()
    connection.executemany(
        "UPDATE wrkflw_schedule_fires SET open = 0"
        " WHERE schedule_id = ? AND due_at = ? AND hand = ?",
        [(row["schedule_id"], row["due_at"], row["hand"]) for row in rows],
    )
    return [(row["schedule_id"], row["origin"], row["status"]) for row in rows]


def latest(connection: sqlite3.Connection, schedule_id: str) -> sqlite3.Row | None:
    """Return `due_at`, `run_id` and the run's `status` of the newest instant that was to run."""
    return cast(
        "sqlite3.Row | None",
        connection.execute(
            "SELECT fire.due_at, fire.run_id, status FROM wrkflw_schedule_fires AS fire"
            " LEFT JOIN wrkflw_workflow_runs AS run ON run.run_id = fire.run_id"
            " WHERE fire.schedule_id = ? AND outcome <> 'skipped' AND origin = 'schedule'"
            " ORDER BY fire.due_at DESC LIMIT 1",
            (schedule_id,),
        ).fetchone(),
    )


_WORLD = 27 * 3600
"""Seconds that one minute on the wall may come apart around the world."""

# The planner would go through all that a schedule ever fired.
_BY_WAITING = "INDEXED BY wrkflw_fires_waiting"

_ENDED = (
    "FROM wrkflw_schedule_fires AS fire"
    " LEFT JOIN wrkflw_workflow_runs AS run ON run.run_id = fire.run_id"
    f" WHERE open = 1 AND (run.run_id IS NULL OR run.status NOT IN {ACTIVE})"
)


def _fire(row: sqlite3.Row) -> Fire:
    return Fire(
        schedule_id=row["schedule_id"],
        due_at=from_micros(row["due_at"] * 1_000_000),
        outcome=row["outcome"],
        reason=row["reason"],
        count=row["count"],
        run_id=row["run_id"],
        last_at=from_micros(row["last_at"] * 1_000_000),
        origin=row["origin"],
        at=from_micros(row["at"]),
        run_status=row["status"],
    )
