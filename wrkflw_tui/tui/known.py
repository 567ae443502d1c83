"""What the app knows of the record, kept up to date by the feed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wrkflw_tui.engine.models import ACTIVE, RunSummary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.store.catalog import AutomationFile, CatalogEntry
    from wrkflw_tui.store.notices import Notice
    from wrkflw_tui.store.questions import Asked
    from wrkflw_tui.store.schedules import Fire, ScheduleRow

HISTORY = 14
"""How many of a workflow's runs are drawn as its history."""


REMEMBERED = 10_000
"""How many removed runs are known, for a page that is being read at that moment."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """The folder as the last look found it."""

    files: tuple[AutomationFile, ...]
    workflows: tuple[CatalogEntry, ...]


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """A schedule, and how its last fire went."""

    row: ScheduleRow
    last: Fire | None
    words: str = ""
    """Its timing in words."""
    late_at: int | None = None
    """When it is late, in seconds since the epoch, if nothing happens until then."""

    def is_late(self, now: float) -> bool:
        """Tell whether a success that was expected has not come."""
        return self.late_at is not None and self.late_at < now


@dataclass(frozen=True, slots=True)
class Change:
    """What a look at the record found to be new; `None` where nothing is."""

    runs: tuple[RunSummary, ...] = ()
    removed: tuple[str, ...] | None = ()
    """Runs that are on record no longer; `None` where it cannot be said which they are."""
    catalog: Catalog | None = None
    schedules: tuple[ScheduleState, ...] | None = None
    questions: tuple[Asked, ...] | None = None
    """The open questions, the oldest first."""
    problem: str | None = None
    """Why the record cannot be read, or empty once it can again."""
    notices: tuple[Notice, ...] = ()
    """What a person wants to be told of."""


@dataclass(slots=True)
class Known:
    """Everything that the lists show."""

    loaded: bool = False
    problem: str = ""
    catalog: Catalog = field(default_factory=lambda: Catalog((), ()))
    schedules: tuple[ScheduleState, ...] = ()
    questions: tuple[Asked, ...] = ()
    history: dict[str, list[RunSummary]] = field(default_factory=dict[str, list[RunSummary]])
    """The latest runs of each workflow, newest first."""
    recent: dict[str, RunSummary] = field(default_factory=dict[str, RunSummary])
    """Runs by id, as far as they have been read."""
    forgotten: int = 0
    """How often all runs had to be forgotten, so that pages have to be read anew."""
    _planned: dict[str, list[ScheduleState]] = field(
        default_factory=dict[str, "list[ScheduleState]"]
    )
    _removed: deque[str] = field(default_factory=lambda: deque[str](maxlen=REMEMBERED))

    def take(self, change: Change) -> None:
        """Bring it up to date."""
        if change.problem is not None:
            self.problem = change.problem
        if change.catalog is not None:
            self.catalog = change.catalog
            self.loaded = True
        if change.schedules is not None:
            self.schedules = change.schedules
            self._planned.clear()
            for state in change.schedules:
                self._planned.setdefault(state.row.workflow_id, []).append(state)
        if change.questions is not None:
            self.questions = change.questions
        self._forget(change.removed)
        changed: dict[str, dict[str, RunSummary]] = {}
        for run in change.runs:
            self.recent[run.run_id] = run
            changed.setdefault(run.workflow_id, {})[run.run_id] = run
        for workflow_id, runs in changed.items():
            self._remember(workflow_id, runs)

    def take_page(self, runs: Sequence[RunSummary]) -> None:
        """Add runs that were read beside the feed: some may have been removed meanwhile."""
        removed = set(self._removed)
        self.take(Change(tuple(run for run in runs if run.run_id not in removed)))

    def _forget(self, removed: tuple[str, ...] | None) -> None:
        if removed is None:
            self.recent.clear()
            self.history.clear()
            self.forgotten += 1
            return
        self._removed.extend(removed)
        gone = [run for run_id in removed if (run := self.recent.pop(run_id, None)) is not None]
        for workflow_id in {run.workflow_id for run in gone}:
            known = self.history.get(workflow_id, ())
            self.history[workflow_id] = [run for run in known if run.run_id in self.recent]

    def _remember(self, workflow_id: str, changed: dict[str, RunSummary]) -> None:
        known = {run.run_id: run for run in self.history.get(workflow_id, ())}
        newest = sorted((known | changed).values(), key=newest_first)
        self.history[workflow_id] = newest[:HISTORY]

    def newest(self) -> list[RunSummary]:
        """Return the runs that have been read, newest first."""
        return sorted(self.recent.values(), key=newest_first)

    def active(self, workflow_id: str | None = None) -> list[RunSummary]:
        """Return the runs, of one workflow or of all, that are queued or at work."""
        return [
            run
            for run in self.recent.values()
            if run.status in ACTIVE and workflow_id in (None, run.workflow_id)
        ]

    def latest(self, workflow_id: str) -> RunSummary | None:
        """Return the newest run of a workflow."""
        history = self.history.get(workflow_id)
        return history[0] if history else None

    def workflow(self, workflow_id: str) -> CatalogEntry | None:
        """Return the workflow of that id, if the folder holds it."""
        return next((w for w in self.catalog.workflows if w.workflow_id == workflow_id), None)

    def schedules_of(self, workflow_id: str) -> list[ScheduleState]:
        """Return the schedules of one workflow, the soonest first."""
        return self._planned.get(workflow_id, [])

    def next_fire(self, workflow_id: str) -> int | None:
        """Return when a workflow fires next, in seconds since the epoch."""
        return soonest(self.schedules_of(workflow_id))


def soonest(states: Sequence[ScheduleState]) -> int | None:
    """Return the first instant at which one of the schedules fires."""
    instants = [s.row.next_at for s in states if not s.row.paused and s.row.next_at is not None]
    return min(instants, default=None)


def newest_first(run: RunSummary) -> tuple[float, str]:
    """Sort key: the newest run first, ids deciding between equals."""
    return -run.created_at.timestamp(), run.run_id
