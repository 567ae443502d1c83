"""What the walk asks of the record, and all that it writes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wrkflw_tui.engine.models import (
        NodeKind,
        Progress,
        RunStatus,
        StepStatus,
        WorkflowSnapshot,
    )


@dataclass(slots=True)
class Entry:
    """The latest attempt at one path, and what came of those before it."""

    path: str
    order: int
    attempt: int
    status: StepStatus
    failures: int = 0
    """Attempts that ended in an exception: those that a retry policy counts."""
    crashes: int = 0
    """How often in a row the process died during it."""
    output: str | None = None
    error: str | None = None
    finished_at: int | None = None
    kind: NodeKind = "step"


class Fenced(Exception):
    """Another claim on this run is newer: this process must not write to it any more."""


class Journal(Protocol):
    """One run's record, as the walk sees it.

    Only `commit` waits. `start`, `end`, `progress` and `finish` are put together and go into one
    transaction with whatever else was put before the next commit.
    """

    @property
    def run_id(self) -> str:
        """The run's id."""
        ...

    def find(self, path: str) -> Entry | None:
        """Return the latest attempt at `path`, or `None` if it was never started."""
        ...

    def start(self, path: str, step_id: str, kind: NodeKind, input: str | None) -> Entry:
        """Put the start of an attempt at `path`; its input is JSON text."""
        ...

    def end(
        self,
        entry: Entry,
        status: StepStatus,
        output: str | None = None,
        error: str | None = None,
    ) -> None:
        """Put the end of an attempt; output and error are JSON texts."""
        ...

    def progress(self, entry: Entry, progress: Progress) -> None:
        """Put how far an attempt is. Not urgent: the journal chooses when to write it."""
        ...

    def finish(
        self, status: RunStatus, result: str | None = None, error: str | None = None
    ) -> None:
        """Put the run's end."""
        ...

    async def commit(self) -> None:
        """Return once all that was put is on disk. Raises `Fenced` and `StorageError`."""
        ...


class RunStorage(Protocol):
    """Where runs are kept, as a caller of the engine sees it."""

    def begin(
        self,
        run_id: str,
        workflow_id: str,
        input: str,
        graph: str,
        definition_hash: str,
        steps_total: int,
    ) -> Journal:
        """Return the journal of a new run; its first commit puts the run on record.

        That commit raises `RunAlreadyStarted` where the id is taken.
        """
        ...

    async def load_snapshot(self, run_id: str) -> WorkflowSnapshot:
        """Return a run as it stands. Raises `RunNotFound`."""
        ...
