"""One run as it is read bit by bit while it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wrkflw_tui.engine.models import ENDED, OPEN, StepResult
from wrkflw_tui.store import deliveries, logs, runs
from wrkflw_tui.tui.graph import GraphNode, nodes_of
from wrkflw_tui.tui.tree import TreeLine, tree

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.engine.models import Question, RunSummary, WorkflowSnapshot
    from wrkflw_tui.store.deliveries import Delivery


@dataclass(frozen=True, slots=True)
class News:
    """What one look at a run found to be new."""

    run: RunSummary
    steps: list[StepResult]
    revision: int
    has_log: bool
    whole: WorkflowSnapshot | None
    follow_ups: list[Delivery]


@dataclass(slots=True)
class RunRecord:
    """What has been read of one run."""

    run_id: str
    run: RunSummary | None = None
    results: dict[str, StepResult] = field(default_factory=dict[str, StepResult])
    attempts: dict[tuple[str, int], StepResult] = field(
        default_factory=dict[tuple[str, int], StepResult]
    )
    has_log: bool = False
    """Whether it has said anything."""
    follow_ups: list[Delivery] = field(default_factory=list["Delivery"])
    input_json: str | None = None
    result_json: str | None = None
    _nodes: list[GraphNode] = field(default_factory=list[GraphNode])
    _revision: int = 0
    _is_complete: bool = False

    def look(self, connection: sqlite3.Connection) -> News:
        """Read what is new; called on another thread, changes nothing here."""
        connection.execute("BEGIN")  # one moment of the record
        try:
            run = runs.read_summary(connection, self.run_id)
            steps, revision = runs.steps_since(connection, self.run_id, self._revision)
            has_log = self.has_log or logs.has_any(connection, self.run_id)
            follow_ups = deliveries.of_run(connection, self.run_id)
        finally:
            connection.execute("COMMIT")
        # The input never changes and the result comes with the end: else only what is new is read.
        is_due = self.run is None or (run.status in ENDED and not self._is_complete)
        whole = runs.read_snapshot(connection, self.run_id) if is_due else None
        return News(run, steps, revision, has_log, whole, follow_ups)

    def take(self, news: News) -> None:
        """Add what was read."""
        self.run = news.run
        self._revision = news.revision
        self.has_log = news.has_log
        self._is_complete = news.run.status in ENDED
        for step in news.steps:
            self.attempts[step.path, step.order] = step
            known = self.results.get(step.path)
            if known is None or known.order <= step.order:
                self.results[step.path] = step
        self.follow_ups = news.follow_ups
        if news.whole is not None:
            self.input_json = news.whole.input_json
            self.result_json = news.whole.result_json
            self._nodes = nodes_of(news.whole.graph_json)

    def lines(self) -> list[TreeLine]:
        """Return the steps for the tree."""
        return tree(self._nodes, self.results)

    @property
    def questions(self) -> list[Question]:
        """What the run waits to be told, in the order of the attempts that asked."""
        waiting = [result for result in self.results.values() if result.status in OPEN]
        waiting.sort(key=lambda result: result.order)
        return [result.question for result in waiting if result.question is not None]

    def attempts_at(self, path: str) -> list[StepResult]:
        """Return every attempt at a path, oldest first."""
        found = [attempt for (where, _), attempt in self.attempts.items() if where == path]
        return sorted(found, key=lambda attempt: attempt.order)
