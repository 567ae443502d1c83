"""The journal of one run in the file: what the walk puts, in one transaction a commit."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, TypeAlias, cast

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.journal import Entry, Fenced
from wrkflw_tui.engine.models import CONTAINERS, ENDED
from wrkflw_tui.store.file import next_run_revision

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from wrkflw_tui.engine.models import NodeKind, Progress, RunStatus, StepStatus
    from wrkflw_tui.store.database import Database

Opening: TypeAlias = "Callable[[sqlite3.Connection, int], int]"
"""Puts a new run on record in the journal's first transaction; returns its key."""

PROGRESS_INTERVAL = 0.1
"""Seconds between two writes of how far the steps are."""
SHOWN_PATHS = 20
"""How many of the paths at work are kept on the run's own row."""

_INSERT = (
    "INSERT INTO wrkflw_step_results (run, revision, n, path, step_id, kind, attempt, status,"
    " input, output, error, progress, started_at, finished_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE = (
    "UPDATE wrkflw_step_results SET revision = ?, status = ?, output = ?, error = ?,"
    " progress = coalesce(?, progress), finished_at = ? WHERE run = ? AND n = ?"
)


class _Row:
    """A step's row that the next transaction inserts or updates."""

    __slots__ = ("entry", "input", "is_new", "kind", "started_at", "step_id")

    def __init__(
        self, entry: Entry, step_id: str, kind: NodeKind, input: str | None, started_at: int
    ) -> None:
        self.entry = entry
        self.step_id = step_id
        self.kind = kind
        self.input = input
        self.started_at = started_at
        self.is_new = True


class SqliteJournal:
    """A run's record in the file, under one claim."""

    def __init__(
        self,
        database: Database,
        run_id: str,
        epoch: int,
        *,
        key: int | None = None,
        opening: Opening | None = None,
        entries: dict[str, Entry] | None = None,
    ) -> None:
        self._database = database
        self._run_id = run_id
        self._epoch = epoch
        self._key = key
        self._opening = opening
        self._entries = entries if entries is not None else {}
        self._order = max((entry.order for entry in self._entries.values()), default=0)
        self._done = sum(map(_counts, self._entries.values()))
        self._rows: dict[int, _Row] = {}
        self._active: dict[str, _Row] = {}
        self._progress: dict[int, Progress] = {}
        self._progress_lock = threading.Lock()
        self._ending: tuple[RunStatus, str | None, str | None] | None = None
        self._has_ended = False
        self._waiters: list[asyncio.Future[None]] | None = None
        self._in_flight: list[list[asyncio.Future[None]]] = []
        self._loop = asyncio.get_running_loop()

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run_id

    @property
    def is_on_record(self) -> bool:
        """Whether anything of this run was ever committed."""
        return self._key is not None

    def find(self, path: str) -> Entry | None:
        """Return the latest attempt at `path`, or `None` if it was never started."""
        return self._entries.get(path)

    def start(self, path: str, step_id: str, kind: NodeKind, input: str | None) -> Entry:
        """Put the start of an attempt at `path`."""
        before = self._entries.get(path)
        self._order += 1
        entry = Entry(path, self._order, 1, "running", kind=kind)
        if before is not None:
            entry.attempt = before.attempt + 1
            entry.failures = before.failures
            entry.crashes = before.crashes
        self._entries[path] = entry
        row = _Row(entry, step_id, kind, input, micros_now())
        self._rows[entry.order] = row
        self._active[path] = row
        return entry

    def end(
        self,
        entry: Entry,
        status: StepStatus,
        output: str | None = None,
        error: str | None = None,
    ) -> None:
        """Put the end of an attempt."""
        entry.status = status
        entry.output = output
        entry.error = error
        entry.finished_at = micros_now()
        entry.crashes = 0
        if status == "failed":
            entry.failures += 1
        row = self._active.pop(entry.path)
        self._rows[entry.order] = row
        self._done += _counts(entry)

    def progress(self, entry: Entry, progress: Progress) -> None:
        """Put how far an attempt is; written a few times a second. Called from any thread."""
        with self._progress_lock:
            is_first = not self._progress
            self._progress[entry.order] = progress
        if is_first:
            self._loop.call_soon_threadsafe(
                self._loop.call_later, PROGRESS_INTERVAL, self._flush_progress
            )

    def finish(
        self, status: RunStatus, result: str | None = None, error: str | None = None
    ) -> None:
        """Put the run's end."""
        self._ending = (status, result, error)
        self._has_ended = True

    async def commit(self) -> None:
        """Return once all that was put is on disk. Raises `Fenced` and `StorageError`."""
        if self._rows or self._ending is not None or self._opening is not None:
            waiters = self._next_round()
        elif self._in_flight:
            waiters = self._in_flight[-1]
        else:
            return
        # A future for each waiter: one that is cancelled must not take the others with it.
        waiter = self._loop.create_future()
        waiters.append(waiter)
        await waiter

    def _next_round(self) -> list[asyncio.Future[None]]:
        """Send at the end of this turn of the loop, with what the other arms put in it."""
        if self._waiters is None:
            waiters: list[asyncio.Future[None]] = []
            self._waiters = waiters
            self._database.submit_soon(
                self._take, self._loop, lambda error: self._settle(waiters, error)
            )
        return self._waiters

    def _flush_progress(self) -> None:
        if self._progress and not self._has_ended:
            self._next_round()

    def _take(self) -> Callable[[sqlite3.Connection], None]:
        if self._waiters is not None:
            self._in_flight.append(self._waiters)
            self._waiters = None
        return self._transaction()

    def _settle(self, waiters: list[asyncio.Future[None]], error: BaseException | None) -> None:
        self._in_flight.pop(0)  # they are settled in the order in which they were sent
        for waiter in waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

    def _transaction(self) -> Callable[[sqlite3.Connection], None]:
        """Take all that was put; return the work that writes it."""
        with self._progress_lock:
            progress, self._progress = self._progress, {}
        rows, self._rows = self._rows, {}
        for order in progress:
            row = next((r for r in self._active.values() if r.entry.order == order), None)
            if row is not None:
                rows.setdefault(order, row)
        inserts: list[tuple[object, ...]] = []
        updates: list[tuple[object, ...]] = []
        for order, row in rows.items():
            if row.is_new:
                row.is_new = False
                inserts.append(_insert(row, progress.get(order)))
            else:
                updates.append(_update(row, progress.get(order)))
        paths = [row.entry.path for row in self._active.values() if row.kind not in CONTAINERS]
        # As JSON by hand: a path holds nothing that would need an escape.
        at_work = '["' + '","'.join(paths[:SHOWN_PATHS]) + '"]' if paths else "[]"
        done = self._done
        ending, self._ending = self._ending, None
        opening, self._opening = self._opening, None
        epoch = self._epoch

        def work(connection: sqlite3.Connection) -> None:
            revision = next_run_revision(connection)
            if opening is not None:
                self._key = opening(connection, revision)
            mine = cast("int", self._key)
            _fence(connection, mine, epoch, at_work, done, revision)
            for values in inserts:
                connection.execute(_INSERT, (mine, revision, *values))
            for values in updates:
                connection.execute(_UPDATE, (revision, *values[:-1], mine, values[-1]))
            if ending is not None:
                _finish(connection, mine, *ending)

        return work


def _counts(entry: Entry) -> bool:
    """Tell whether this is one more of the steps that a run gets done.

    A foreach and a loop count once, their items and iterations do not.
    """
    if entry.status != "success" or entry.kind in ("workflow", "parallel"):
        return False
    return "[" not in entry.path


def _insert(row: _Row, progress: Progress | None) -> tuple[object, ...]:
    entry = row.entry
    return (
        entry.order,
        entry.path,
        row.step_id,
        row.kind,
        entry.attempt,
        entry.status,
        row.input,
        entry.output,
        entry.error,
        _progress_json(progress),
        row.started_at,
        entry.finished_at,
    )


def _update(row: _Row, progress: Progress | None) -> tuple[object, ...]:
    entry = row.entry
    return (
        entry.status,
        entry.output,
        entry.error,
        _progress_json(progress),
        entry.finished_at,
        entry.order,
    )


def _progress_json(progress: Progress | None) -> str | None:
    if progress is None:
        return None
    parts = [progress.done, progress.total, progress.message, progress.failed]
    return json.dumps(parts, ensure_ascii=False)


def _fence(
    connection: sqlite3.Connection, key: int, epoch: int, at_work: str, done: int, revision: int
) -> None:
    changed = connection.execute(
        "UPDATE wrkflw_workflow_runs SET execution_path = ?, steps_done = ?, updated_at = ?,"
        " revision = ? WHERE id = ? AND epoch = ? AND status = 'running'",
        (at_work, done, micros_now(), revision, key, epoch),
    )
    if changed.rowcount == 0:
        raise Fenced("another claim on this run is newer")


def _finish(
    connection: sqlite3.Connection,
    key: int,
    status: RunStatus,
    result: str | None,
    error: str | None,
) -> None:
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET status = ?, result = ?, error = ?, owner = NULL,"
        " execution_path = '[]', finished_at = ? WHERE id = ?",
        (status, result, error, micros_now() if status in ENDED else None, key),
    )


def load_entries(
    connection: sqlite3.Connection, key: int, budget_from: int = 0
) -> dict[str, Entry]:
    """Read the latest attempt at every path, with what came of those before it.

    Failures and crashes up to the order `budget_from` are on record but no longer count.
    """
    entries: dict[str, Entry] = {}
    rows = connection.execute(
        "SELECT path, n, attempt, status, output, error, finished_at, kind FROM wrkflw_step_results"
        " WHERE run = ? ORDER BY n",
        (key,),
    )
    for path, n, attempt, status, output, error, finished_at, kind in rows:
        before = entries.get(path)
        entry = Entry(path, n, attempt, status, 0, 0, output, error, finished_at, kind)
        if before is not None:
            entry.failures = before.failures
        if n > budget_from:
            entry.failures += status == "failed"
            if status == "crashed":
                entry.crashes = 1 + (before.crashes if before is not None else 0)
        entries[path] = entry
    return entries
