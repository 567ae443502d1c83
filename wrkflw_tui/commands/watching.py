"""A run as it goes on: read again whenever the record has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.drawing.definition import Node, read
from wrkflw_tui.engine.models import OPEN, RunSummary, StepResult, WorkflowSnapshot
from wrkflw_tui.store import catalog, runs
from wrkflw_tui.store.graphs import GRAPH

if TYPE_CHECKING:
    import sqlite3


class Watched:
    """A run on record, and what is new of it since the last look. Raises `RunNotFound`."""

    def __init__(self, connection: sqlite3.Connection, run_id: str) -> None:
        self._connection = connection
        self._version = connection.execute("PRAGMA data_version").fetchone()[0]
        snapshot = runs.read_snapshot(connection, run_id)
        self.run: RunSummary = snapshot.run
        self.results: dict[str, StepResult] = dict(snapshot.step_results)
        """The latest attempt at every path."""
        self.fresh: list[StepResult] = list(self.results.values())
        """What the last look found to be new."""
        self.nodes = _nodes(connection, snapshot)
        self._has_graph = snapshot.graph_json is not None
        self._revision = snapshot.run.revision
        self._oldest_open = _oldest_open(self.results)

    def look(self) -> bool:
        """Read what is new. Returns whether anything was committed since."""
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version:
            return False
        self._version = version
        self._connection.execute("BEGIN")  # one moment of the record for the run and its steps
        try:
            self.run = runs.read_summary(self._connection, self.run.run_id)
            self.fresh, self._revision = runs.steps_since(
                self._connection, self.run.run_id, self._revision, self._oldest_open
            )
        finally:
            self._connection.execute("COMMIT")
        self.results.update((result.path, result) for result in self.fresh)
        self._oldest_open = _oldest_open(self.results)
        if not self._has_graph:
            self.nodes, self._has_graph = self._graph()
        return True

    def _graph(self) -> tuple[tuple[Node, ...], bool]:
        row = runs.run_row(self._connection, self.run.run_id, GRAPH)
        return (self.nodes, False) if row["graph"] is None else (read(row["graph"]), True)

    def snapshot(self) -> WorkflowSnapshot:
        """Return the run with everything that is on record of it."""
        return runs.read_snapshot(self._connection, self.run.run_id)


def _nodes(connection: sqlite3.Connection, snapshot: WorkflowSnapshot) -> tuple[Node, ...]:
    """Read the definition; of a run that nobody has begun it is the catalogue's."""
    graph = snapshot.graph_json
    if graph is None:
        entry = catalog.find_workflow(connection, snapshot.workflow_id)
        graph = None if entry is None else entry.graph
    return read(graph)


def _oldest_open(results: dict[str, StepResult]) -> int:
    """Return the order of the oldest attempt that may change: none before it is read again."""
    changing = [r.order for r in results.values() if r.ended is None or r.status in OPEN]
    return min(changing, default=max((r.order for r in results.values()), default=1))
