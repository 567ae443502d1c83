"""Which queued run is next: the oldest of the highest priority whose workflow is not at its limit.

The queue is never gone through: however many runs of a workflow at its limit are at its head, the
cost is that of one look at the index for each workflow that has a run queued.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

FIRST = (
    "SELECT id FROM wrkflw_workflow_runs WHERE status = 'queued' AND trigger <> 'library'"
    " AND id NOT IN ({busy}) ORDER BY priority DESC, id LIMIT 1"
)
FULL = (
    "SELECT workflow_id FROM wrkflw_workflows WHERE max_concurrent_runs <="
    # Few run at once; the index by workflow has all that ever ran.
    " (SELECT count(*) FROM wrkflw_workflow_runs AS run INDEXED BY wrkflw_runs_running"
    " WHERE run.status = 'running'"
    " AND run.trigger <> 'library' AND run.workflow_id = wrkflw_workflows.workflow_id)"
)
FIRST_BESIDE = (
    # Each turn jumps to the next workflow that has a run queued.
    "WITH RECURSIVE queued(workflow_id) AS ("
    "SELECT min(workflow_id) FROM wrkflw_workflow_runs"
    " WHERE status = 'queued' AND trigger <> 'library'"
    " UNION ALL SELECT (SELECT min(run.workflow_id) FROM wrkflw_workflow_runs AS run"
    " WHERE run.status = 'queued' AND run.trigger <> 'library'"
    " AND run.workflow_id > queued.workflow_id)"
    " FROM queued WHERE queued.workflow_id IS NOT NULL)"
    " SELECT head.id FROM queued JOIN wrkflw_workflow_runs AS head ON head.id ="
    " (SELECT id FROM wrkflw_workflow_runs WHERE status = 'queued' AND trigger <> 'library'"
    " AND workflow_id = queued.workflow_id AND id NOT IN ({busy})"
    " ORDER BY priority DESC, id LIMIT 1)"
    " WHERE queued.workflow_id NOT IN ({full})"
    " ORDER BY head.priority DESC, head.id LIMIT 1"
)


def first(connection: sqlite3.Connection, busy: Collection[int] = ()) -> int | None:
    """Return the run to be claimed next, leaving those of `busy`."""
    left = ", ".join(map(str, busy))
    full = [cast("str", row[0]) for row in connection.execute(FULL)]
    if full:
        places = ", ".join("?" * len(full))
        row = connection.execute(FIRST_BESIDE.format(busy=left, full=places), full).fetchone()
    else:
        row = connection.execute(FIRST.format(busy=left)).fetchone()
    return None if row is None else cast("int", row[0])
