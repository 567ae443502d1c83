"""Which runs are kept no longer: of each workflow the ended ones beyond a number, or an age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

_MICROSECOND = timedelta(microseconds=1)
_ENDED = "wrkflw_workflow_runs INDEXED BY wrkflw_runs_ended"
SETTLED = (
    "NOT EXISTS (SELECT 1 FROM wrkflw_deliveries AS delivery"
    " WHERE delivery.run = wrkflw_workflow_runs.id AND delivery.status = 'pending')"
)
"""Whether nothing that follows a run is still to be delivered."""
_SURPLUS = (
    f"FROM {_ENDED} WHERE workflow_id = :workflow AND finished_at IS NOT NULL"
    " AND finished_at <= :at AND (finished_at, id) <= (:at, :key)"
    f" AND {SETTLED}"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is kept of a workflow's ended runs; `None` sets no limit."""

    keep_runs: int | None = None
    """How many, the last to end."""
    keep_for: timedelta | None = None
    """How long after their ends."""

    @property
    def keeps_all(self) -> bool:
        """Whether nothing ever goes."""
        return self.keep_runs is None and self.keep_for is None


@dataclass(frozen=True, slots=True)
class Surplus:
    """The ended runs of a workflow up to one of them."""

    workflow_id: str
    at: int
    """When that one has ended."""
    key: int


def workflows(connection: sqlite3.Connection) -> list[str]:
    """Return the ids of all workflows with a run that has ended."""
    first = f"SELECT min(workflow_id) FROM {_ENDED} WHERE finished_at IS NOT NULL"
    rows = connection.execute(
        # Each turn jumps to the next workflow.
        f"WITH RECURSIVE known(workflow_id) AS ({first}"
        f" UNION ALL SELECT ({first} AND workflow_id > known.workflow_id) FROM known"
        " WHERE known.workflow_id IS NOT NULL)"
        " SELECT workflow_id FROM known WHERE workflow_id IS NOT NULL"
    )
    return [cast("str", row[0]) for row in rows]


def surpluses(
    connection: sqlite3.Connection, rule_of: Callable[[str], Rule], now: int, spared: int = 0
) -> list[Surplus]:
    """Return what is kept no longer, of each workflow that has such runs.

    What has ended less than `spared` microseconds ago is kept in any case.
    """
    found = [surplus(connection, id, rule_of(id), now, spared) for id in workflows(connection)]
    return [one for one in found if one is not None]


def surplus(
    connection: sqlite3.Connection, workflow_id: str, rule: Rule, now: int, spared: int = 0
) -> Surplus | None:
    """Return what is kept no longer of one workflow's runs."""
    found: list[tuple[int, int] | None] = []
    if rule.keep_for is not None:
        found.append(_last(connection, workflow_id, now - rule.keep_for // _MICROSECOND))
    if rule.keep_runs is not None:
        found.append(_beyond(connection, workflow_id, rule.keep_runs))
    last = max((one for one in found if one is not None), default=None)
    if last is not None and last[0] > now - spared:
        last = _last(connection, workflow_id, now - spared)
    return None if last is None else Surplus(workflow_id, *last)


def _last(connection: sqlite3.Connection, workflow_id: str, until: int) -> tuple[int, int] | None:
    """Return the end and the key of the last run that ended up to an instant."""
    row = connection.execute(
        f"SELECT finished_at, id FROM {_ENDED} WHERE workflow_id = ? AND finished_at <= ?"
        " AND finished_at IS NOT NULL ORDER BY finished_at DESC, id DESC LIMIT 1",
        (workflow_id, until),
    ).fetchone()
    return cast("tuple[int, int] | None", row if row is None else tuple(row))


def _beyond(connection: sqlite3.Connection, workflow_id: str, kept: int) -> tuple[int, int] | None:
    """Return the end and the key of the last run that ended before the newest `kept`."""
    row = connection.execute(
        f"SELECT finished_at, id FROM {_ENDED} WHERE workflow_id = ? AND finished_at IS NOT NULL"
        " ORDER BY finished_at DESC, id DESC LIMIT 1 OFFSET ?",
        (workflow_id, kept),
    ).fetchone()
    return cast("tuple[int, int] | None", row if row is None else tuple(row))


def ended(
    connection: sqlite3.Connection,
    surplus: Surplus,
    limit: int,
    after: tuple[int, int] = (-1, -1),
) -> list[tuple[int, int]]:
    """Return the ends and keys of the first of its runs, those that ended first before others.

    `after` is the last one of those that were returned before.
    """
    rows = connection.execute(
        f"SELECT finished_at, id {_SURPLUS} AND finished_at >= :from_at"
        " AND (finished_at, id) > (:from_at, :from_key) ORDER BY finished_at, id LIMIT :limit",
        {**_places(surplus), "limit": limit, "from_at": after[0], "from_key": after[1]},
    )
    return [cast("tuple[int, int]", tuple(row)) for row in rows]


def count(connection: sqlite3.Connection, surplus: Surplus) -> int:
    """Return how many runs it has."""
    row = connection.execute(f"SELECT count(*) {_SURPLUS}", _places(surplus)).fetchone()
    return cast("int", row[0])


def size(connection: sqlite3.Connection, surplus: Surplus) -> int:
    """Return about how many bytes its runs take, with their steps and what they have printed."""
    ids = f"SELECT id {_SURPLUS}"
    row = connection.execute(
        f"SELECT (SELECT coalesce(sum(200 + {_length('state', 'input', 'result', 'error')}), 0)"
        f" FROM wrkflw_workflow_runs WHERE id IN ({ids}))"
        f" + (SELECT coalesce(sum(100 + {_length('input', 'output', 'error', 'state')}), 0)"
        f" FROM wrkflw_step_results WHERE run IN ({ids}))"
        f" + (SELECT coalesce(sum(kept), 0) FROM wrkflw_log_sizes WHERE run IN ({ids}))",
        _places(surplus),
    ).fetchone()
    return cast("int", row[0])


def _length(*columns: str) -> str:
    return " + ".join(f"coalesce(length(CAST({column} AS BLOB)), 0)" for column in columns)


def _places(surplus: Surplus) -> dict[str, object]:
    return {"workflow": surplus.workflow_id, "at": surplus.at, "key": surplus.key}
