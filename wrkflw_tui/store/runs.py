"""Runs as they are read: snapshots, lists, and what changed since a revision."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import RunAlreadyStarted, RunNotFound, StorageError
from wrkflw_tui.engine.models import (
    ErrorInfo,
    Progress,
    RunStatus,
    RunSummary,
    StepResult,
    WorkflowSnapshot,
    from_micros,
    to_micros,
)
from wrkflw_tui.store import leases
from wrkflw_tui.store.database import Database
from wrkflw_tui.store.heartbeat import Heartbeat
from wrkflw_tui.store.journal import SqliteJournal, load_entries

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from wrkflw_tui.engine.journal import Entry
    from wrkflw_tui.store.claims import Claim

SUMMARY = (
    "id, run_id, workflow_id, status, trigger, execution_path, steps_done, steps_total,"
    " created_at, updated_at, started_at, finished_at, error, cancel_requested, revision"
)
STEP = (
    "n, path, step_id, kind, attempt, status, input, output, error, progress, started_at,"
    " finished_at, revision"
)


class WorkflowStorage:
    """The record of all runs in one SQLite file."""

    def __init__(self, path: str | Path) -> None:
        self.database = Database(Path(path))
        self._process: _ProcessLease | None = None

    def begin(
        self,
        run_id: str,
        workflow_id: str,
        input: str,
        graph: str,
        definition_hash: str,
        steps_total: int,
    ) -> SqliteJournal:
        """Return the journal of a new run; its first commit puts the run on record.

        That commit raises `RunAlreadyStarted` where the id is taken.
        """
        if self._process is None:
            self._process = _ProcessLease(self.database.path)
        lease = self._process
        now = micros_now()

        def opening(connection: sqlite3.Connection, revision: int) -> int:
            lease.ensure(connection)
            row = connection.execute(
                "INSERT INTO wrkflw_workflow_runs (run_id, workflow_id, status, trigger, input,"
                " graph, definition_hash, steps_total, epoch, owner, created_at, updated_at,"
                " started_at, revision)"
                " VALUES (?, ?, 'running', 'library', ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)"
                " ON CONFLICT (run_id) DO NOTHING RETURNING id",
                (
                    run_id,
                    workflow_id,
                    input,
                    graph,
                    definition_hash,
                    steps_total,
                    lease.holder,
                    now,
                    now,
                    now,
                    revision,
                ),
            ).fetchone()
            if row is None:
                raise RunAlreadyStarted(f"a run {run_id} is on record already: nothing was changed")
            return cast("int", row["id"])

        return SqliteJournal(self.database, run_id, 1, opening=opening)

    async def reopen(self, claim: Claim) -> SqliteJournal:
        """Return the journal of a run on record, under a claim on it."""

        def load(connection: sqlite3.Connection) -> dict[str, Entry]:
            row = connection.execute(
                "SELECT budget_from FROM wrkflw_workflow_runs WHERE id = ?", (claim.key,)
            ).fetchone()
            return load_entries(connection, claim.key, cast("int", row["budget_from"]))

        entries = await self.database.read(load)
        return SqliteJournal(
            self.database, claim.run_id, claim.epoch, key=claim.key, entries=entries
        )

    async def load_snapshot(self, run_id: str) -> WorkflowSnapshot:
        """Return a run as it stands. Raises `RunNotFound`."""
        return await self.database.read(lambda c: read_snapshot(c, run_id))

    async def list_runs(
        self,
        workflow_id: str | None = None,
        status: RunStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> list[RunSummary]:
        """Return runs, newest first; `before` is the id of the last one of the page before."""
        return await self.database.read(
            lambda c: list_runs(c, workflow_id, status, since, until, limit, before)
        )

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        if self._process is not None:
            process, self._process = self._process, None
            await process.give_up(self.database)
        await self.database.close()


class _ProcessLease:
    """The lease of a process that walks runs by itself, taken with its first run."""

    def __init__(self, path: Path) -> None:
        identity = leases.Identity()
        self.holder = identity.holder
        self._identity = identity
        self._name = f"process:{identity.holder}"
        self._path = path
        self._heartbeat: Heartbeat | None = None

    def ensure(self, connection: sqlite3.Connection) -> None:
        """Put the lease on record; called on the writer's thread, in its transaction."""
        # Looked up each time: the transaction that took it may have been undone.
        if leases.find(connection, self._name) is not None:
            return
        leases.take(connection, self._name, self._identity, micros_now())
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self._heartbeat = Heartbeat(self._path, self._name, self.holder)
        self._heartbeat.start()

    async def give_up(self, database: Database) -> None:
        """End the heartbeat and the lease."""
        if self._heartbeat is None:
            return
        self._heartbeat.stop()
        with suppress(StorageError):  # a lease that nobody renews expires by itself
            await database.write(lambda c: leases.give_up(c, self.holder))


@cache
def shared_storage(path: Path) -> WorkflowStorage:
    """Return this process's one storage for a file."""
    return WorkflowStorage(path)


def list_runs(
    connection: sqlite3.Connection,
    workflow_id: str | None = None,
    status: RunStatus | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    before: str | None = None,
) -> list[RunSummary]:
    """Return runs, newest first, by key: never by offset."""
    conditions: list[str] = []
    values: list[object] = []
    for condition, value in (
        ("workflow_id = ?", workflow_id),
        ("status = ?", status),
        ("created_at >= ?", None if since is None else to_micros(since)),
        ("created_at < ?", None if until is None else to_micros(until)),
        ("id < (SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?)", before),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = connection.execute(
        f"SELECT {SUMMARY} FROM wrkflw_workflow_runs{where} ORDER BY id DESC LIMIT ?",
        (*values, limit),
    )
    return [summary(row) for row in rows]


def runs_since(
    connection: sqlite3.Connection, revision: int, limit: int = 1000
) -> list[RunSummary]:
    """Return the runs that changed after `revision`, in the order of their changes."""
    rows = connection.execute(
        f"SELECT {SUMMARY} FROM wrkflw_workflow_runs WHERE revision > ? ORDER BY revision LIMIT ?",
        (revision, limit),
    )
    return [summary(row) for row in rows]


def steps_since(
    connection: sqlite3.Connection, run_id: str, revision: int, from_order: int = 1
) -> tuple[list[StepResult], int]:
    """Return a run's attempts that changed after `revision`, and the newest revision among them.

    An attempt that has ended never changes again: `from_order` is the order of the oldest one that
    was still open at the last look, so that none before it is read.
    """
    rows = connection.execute(
        f"SELECT {STEP} FROM wrkflw_step_results"
        " WHERE run = (SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?) AND n >= ?"
        " AND revision > ? ORDER BY n",
        (run_id, from_order, revision),
    ).fetchall()
    newest = max((cast("int", row["revision"]) for row in rows), default=revision)
    return [step_result(row) for row in rows], newest


def read_summary(connection: sqlite3.Connection, run_id: str) -> RunSummary:
    """Return a run without its steps. Raises `RunNotFound`."""
    return summary(_run_row(connection, run_id, SUMMARY))


def read_snapshot(connection: sqlite3.Connection, run_id: str) -> WorkflowSnapshot:
    """Return a run as it stands. Raises `RunNotFound`."""
    connection.execute("BEGIN")  # one moment of the record for the run and its steps
    try:
        row = _run_row(connection, run_id, f"{SUMMARY}, graph, input, result")
        rows = connection.execute(
            f"SELECT {STEP} FROM wrkflw_step_results WHERE run = ? ORDER BY n", (row["id"],)
        )
        attempts = tuple(step_result(step) for step in rows)
    finally:
        connection.execute("COMMIT")
    return WorkflowSnapshot(
        run=summary(row),
        step_results={attempt.path: attempt for attempt in attempts},
        all_attempts=attempts,
        graph_json=row["graph"],
        input_json=row["input"],
        result_json=row["result"],
    )


def summary(row: sqlite3.Row) -> RunSummary:
    """Make a summary of a row that has the columns of `SUMMARY`."""
    return RunSummary(
        run_id=row["run_id"],
        workflow_id=row["workflow_id"],
        status=row["status"],
        trigger=row["trigger"],
        execution_path=tuple(cast("list[str]", json.loads(row["execution_path"]))),
        steps_done=row["steps_done"],
        steps_total=row["steps_total"],
        created_at=from_micros(row["created_at"]),
        updated_at=from_micros(row["updated_at"]),
        started_at=_instant(row["started_at"]),
        finished_at=_instant(row["finished_at"]),
        error=_error(row["error"]),
        cancel_requested=bool(row["cancel_requested"]),
        revision=row["revision"],
    )


def step_result(row: sqlite3.Row) -> StepResult:
    """Make a step's result of a row that has the columns of `STEP`."""
    return StepResult(
        path=row["path"],
        step_id=row["step_id"],
        kind=row["kind"],
        status=row["status"],
        attempt=row["attempt"],
        order=row["n"],
        started_at=from_micros(row["started_at"]),
        finished_at=_instant(row["finished_at"]),
        error=_error(row["error"]),
        progress=_progress(row["progress"]),
        input_json=row["input"],
        output_json=row["output"],
    )


def _run_row(connection: sqlite3.Connection, run_id: str, columns: str) -> sqlite3.Row:
    row = connection.execute(
        f"SELECT {columns} FROM wrkflw_workflow_runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    if row is None:
        raise RunNotFound(f"no run {run_id} is on record")
    return cast("sqlite3.Row", row)


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def _error(text: str | None) -> ErrorInfo | None:
    return None if text is None else ErrorInfo.from_json(text)


def _progress(text: str | None) -> Progress | None:
    if text is None:
        return None
    return Progress(*cast("tuple[float, float | None, str, int]", tuple(json.loads(text))))
