"""The record, as messages: a thread of its own looks what changed and tells the app."""

from __future__ import annotations

import sqlite3
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from textual.message import Message

from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.store import catalog, runs, schedules
from wrkflw_tui.store.file import connect, prepare
from wrkflw_tui.tui.known import HISTORY, Catalog, Change, ScheduleState

if TYPE_CHECKING:
    from pathlib import Path

    from textual.message_pump import MessagePump

    from wrkflw_tui.engine.models import RunStatus

LOOKS = 1 / 15
"""Seconds between two looks at the record."""

PAUSE = 0.1
"""The least seconds between two messages: more often nobody can read."""

PAGE = 100
"""How many runs are read at first."""


class RecordChanged(Message):
    """The record has changed since the last look."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change


class Feed:
    """Looks at the record and posts what changed, until it is stopped."""

    def __init__(self, path: Path, target: MessagePump) -> None:
        self._path = path
        self._target = target
        self._ended = threading.Event()
        # A daemon: a look that hangs on a locked file must not hold the process at exit.
        self._thread = threading.Thread(target=self._watch, name="wrkflw-feed", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1)

    def _watch(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except (WrkflwError, sqlite3.Error, OSError) as error:
                self._post(Change(problem=str(error)))
                self._ended.wait(2)

    def _follow(self) -> None:
        prepare(self._path)
        connection = connect(self._path, read_only=True)
        try:
            look = _Look(connection)
            self._post(look.first())
            version = -1
            while not self._ended.is_set():
                seen: int = connection.execute("PRAGMA data_version").fetchone()[0]
                if seen == version:
                    self._ended.wait(LOOKS)
                    continue
                version = seen
                began = time.monotonic()
                self._post(look.again())
                self._ended.wait(max(LOOKS, PAUSE - (time.monotonic() - began)))
        finally:
            connection.close()

    def _post(self, change: Change) -> None:
        if not self._ended.is_set():
            self._target.post_message(RecordChanged(change))


class _Look:
    """Remembers how far the record has been read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._revision = 0
        self._catalog: tuple[int, int] | None = None
        self._schedules: tuple[ScheduleState, ...] | None = None

    def first(self) -> Change:
        """Read what the lists show at first: not every run that ever was."""
        self._connection.execute("BEGIN")  # one moment of the record
        try:
            self._revision = runs.revision_now(self._connection)
            found = self._read_catalog() or Catalog((), ())
            latest = {run.run_id: run for run in runs.list_runs(self._connection, limit=PAGE)}
            for status in ("running", "queued"):
                for run in runs.list_runs(self._connection, status=status, limit=PAGE):
                    latest[run.run_id] = run
            for entry in found.workflows:
                for run in runs.list_runs(self._connection, entry.workflow_id, limit=HISTORY):
                    latest[run.run_id] = run
            planned = self._read_schedules() or ()
        finally:
            self._connection.execute("COMMIT")
        return Change(tuple(latest.values()), found, planned, problem="")

    def again(self) -> Change:
        """Read what is newer than the last look."""
        changed = runs.runs_since(self._connection, self._revision)
        if changed:
            self._revision = changed[-1].revision
        return Change(tuple(changed), self._read_catalog(), self._read_schedules())

    def _read_catalog(self) -> Catalog | None:
        revision = catalog.catalog_revision(self._connection)
        if revision == self._catalog:
            return None
        self._catalog = revision
        return Catalog(
            tuple(catalog.list_files(self._connection)),
            tuple(catalog.list_workflows(self._connection)),
        )

    def _read_schedules(self) -> tuple[ScheduleState, ...] | None:
        states = tuple(self._state(row) for row in schedules.list_schedules(self._connection))
        if states == self._schedules:
            return None
        self._schedules = states
        return states

    def _state(self, row: schedules.ScheduleRow) -> ScheduleState:
        fires = schedules.list_fires(self._connection, row.schedule_id, limit=1)
        last = fires[0] if fires else None
        status: RunStatus | None = None
        if last is not None and last.run_id is not None:
            found = self._connection.execute(
                "SELECT status FROM wrkflw_workflow_runs WHERE run_id = ?", (last.run_id,)
            ).fetchone()
            status = None if found is None else found[0]
        return ScheduleState(row, last, status, _in_words(row.cron))


@lru_cache(maxsize=256)
def _in_words(expression: str) -> str:
    # Imported here: a record without schedules need not pay for it.
    from wrkflw_tui.schedules.describe import describe
    from wrkflw_tui.schedules.parser import parse_cron

    try:
        return describe(parse_cron(expression))
    except ValueError as error:
        return str(error)
