"""What the walk asks of the record, and all that it writes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from wrkflw_tui.engine.clock import Clock
    from wrkflw_tui.engine.events import Event
    from wrkflw_tui.engine.models import (
        NodeKind,
        Progress,
        Question,
        RunStatus,
        StepStatus,
        WorkflowSnapshot,
    )
    from wrkflw_tui.engine.workflow import Workflow


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
    kind: NodeKind = "step"
    wake_at: int | None = None
    """When what it waits for is due, in microseconds."""
    question: str | None = None
    """What it waits to be told, as JSON."""
    state: str | None = None
    """What it changed of the workflow's state, as JSON."""


class Fenced(Exception):
    """Another claim on this run is newer: this process must not write to it any more."""


class Journal(Protocol):
    """One run's record, as the walk sees it.

    Only `commit` waits. All else that is put goes into one transaction with whatever else was put
    before the next commit.
    """

    @property
    def max_result_bytes(self) -> int:
        """A result whose JSON is longer is not taken."""
        ...

    @property
    def deadline(self) -> int | None:
        """When the run's time is up, in microseconds; shifted by each suspension."""
        ...

    @property
    def states(self) -> dict[str, dict[str, object]]:
        """The states of the run's workflows, by their paths: plain JSON data."""
        ...

    @property
    def forked_at(self) -> str | None:
        """Of a fork: the path of the step that it begins with."""
        ...

    @property
    def forked_input(self) -> str | None:
        """Of a fork: what that step is given instead of the value in hand, as JSON."""
        ...

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
        """Put the end of an attempt, with the question and the state that its entry holds."""
        ...

    def wait(self, entry: Entry) -> None:
        """Put that an attempt waits: until its `wake_at`, or to be told its `question`."""
        ...

    def go_on(self, entry: Entry) -> None:
        """Put that an attempt which waited is at work again."""
        ...

    def abandon(self, prefix: str) -> None:
        """Put the end of all that still waits, or asks, at a path that begins with `prefix`."""
        ...

    def progress(self, entry: Entry, progress: Progress) -> None:
        """Put how far an attempt is. Not urgent: the journal chooses when to write it."""
        ...

    def write_soon(self) -> None:
        """Have what was put on disk within a moment, also where nobody commits."""
        ...

    def finish(
        self,
        status: RunStatus,
        result: str | None = None,
        error: str | None = None,
        wake_at: int | None = None,
    ) -> None:
        """Put the run's end, or how it rests.

        A run that would rest, though it was told something meanwhile, is queued instead:
        `finished_as` says which came of it.
        """
        ...

    @property
    def finished_as(self) -> RunStatus:
        """The status that the commit after `finish` put on record."""
        ...

    def answer(self, path: str, key: str) -> str | None:
        """Return the answer to the question of that key asked at `path`, as JSON."""
        ...

    def refuse_answer(self, path: str, key: str, reason: str) -> None:
        """Put that an answer does not fit, so that the question is open again."""
        ...

    def take_event(self, entry: Entry, name: str) -> str | None:
        """Take an event of that name, and return its payload.

        The earliest is for the wait that was opened first, wherever the walk comes to it.
        """
        ...

    def open_questions(self) -> list[Question]:
        """Return what the run waits to be told, in the order of asking."""
        ...

    def listen(self, on_message: Callable[[], None], on_cancel: Callable[[], None]) -> None:
        """Call back when the run was told something, from this process or another one."""
        ...

    def unlisten(self) -> None:
        """Hear nothing from here on: what comes later is left on record for the next walk."""
        ...

    async def commit(self) -> None:
        """Return once all that was put is on disk. Raises `Fenced` and `StorageError`."""
        ...

    def close(self) -> None:
        """Hear nothing and put nothing from here on: the walk is over, whatever came of it."""
        ...


class RunStorage(Protocol):
    """Where runs are kept, as a caller of the engine sees it."""

    @property
    def clock(self) -> Clock:
        """The clock that runs kept here go by."""
        ...

    def begin(self, run_id: str, workflow: Workflow[object, object], input: str) -> Journal:
        """Return the journal of a new run; its first commit puts the run on record.

        That commit raises `RunAlreadyStarted` where the id is taken.
        """
        ...

    async def take_up(self, run_id: str, workflow: Workflow[object, object]) -> tuple[Journal, str]:
        """Claim a run on record; return its journal and its input.

        Raises `RunNotFound`, `RunEnded`, `RunAlreadyClaimed`, `DefinitionChanged`, `InvalidInput`.
        """
        ...

    async def load_snapshot(self, run_id: str) -> WorkflowSnapshot:
        """Return a run as it stands. Raises `RunNotFound`."""
        ...

    async def answer(self, run_id: str, path: str | None, key: str | None, payload: str) -> None:
        """Put an answer on record.

        Raises `RunNotFound`, `RunEnded`, `NotSuspended`, `AmbiguousAnswer` and `InvalidAnswer`.
        """
        ...

    async def send_event(self, run_id: str, name: str, payload: str) -> None:
        """Put an event on record. Raises `RunNotFound`, `RunEnded`, `NotSuspended`."""
        ...

    async def cancel(self, run_id: str) -> RunStatus:
        """Cancel a run, at once or by asking whoever walks it; return its status then.

        Raises `RunNotFound` and `RunEnded`.
        """
        ...

    async def fork(
        self,
        run_id: str,
        at: str,
        workflow: Workflow[object, object],
        new_id: str,
        input: str | None,
    ) -> None:
        """Put a new run on record that begins with the step at a path of another.

        Raises `RunNotFound`, `RunAlreadyClaimed`, `UnknownPath` and `DefinitionChanged`.
        """
        ...

    async def rest(self, run_id: str, until: datetime) -> None:
        """Return at that instant, or sooner where the run does not sleep any more."""
        ...

    async def settled(self, run_id: str) -> WorkflowSnapshot:
        """Return a run once nobody walks it any more."""
        ...

    def events(self, run_id: str, since: int) -> AsyncIterator[Event]:
        """Yield a run's events after the one numbered `since`, until it ends."""
        ...
