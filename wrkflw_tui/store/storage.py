"""The record of all runs, as an author's code and the runner see it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.clock import Clock, SystemClock, TurnedClock, micros_now
from wrkflw_tui.engine.errors import RunAlreadyStarted, StorageError, WrkflwError
from wrkflw_tui.engine.models import to_micros
from wrkflw_tui.store import claims, forks, leases, messages, snapshots, taking
from wrkflw_tui.store.database import Database
from wrkflw_tui.store.file import NEXT_RUN, place_of
from wrkflw_tui.store.following import follow
from wrkflw_tui.store.heartbeat import Heartbeat
from wrkflw_tui.store.journal import Opening, SqliteJournal
from wrkflw_tui.store.listener import Listener
from wrkflw_tui.store.record import Record
from wrkflw_tui.store.runs import list_runs, read_snapshot

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator
    from datetime import datetime
    from pathlib import Path

    from wrkflw_tui.engine.events import Event
    from wrkflw_tui.engine.models import ErrorInfo, RunStatus, RunSummary, WorkflowSnapshot
    from wrkflw_tui.engine.workflow import Workflow
    from wrkflw_tui.store.claims import Claim

MAX_RESULT_BYTES = 64 * 1024 * 1024
"""How long the JSON of a result may be, unless it is configured."""
LEASE_LOOK = 1.0
"""Seconds between two looks whether a process that walks a run still lives."""


class WorkflowStorage:
    """The record of all runs in one SQLite file.

    With `:memory:` as its path it is in no file, and gone once it is closed.

    `clock` is what its runs go by. A result whose JSON takes more than `max_result_bytes` fails
    the step that returned it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Clock | None = None,
        max_result_bytes: int = MAX_RESULT_BYTES,
    ) -> None:
        self.database = Database(place_of(path))
        self.clock: Clock = clock or SystemClock()
        self.max_result_bytes = max_result_bytes
        self._listener = Listener(self.database)
        self._process: _ProcessLease | None = None
        turned = None if clock is None else clock.now
        self.now = micros_now if turned is None else lambda: to_micros(turned())
        """Returns the clock's present instant in microseconds since the epoch."""
        if isinstance(self.clock, TurnedClock):
            self.clock.watch(self)
        self._left: dict[str, int] = {}
        """Runs whose walk here could not record its end, with the epochs of their claims."""

    @property
    def is_busy(self) -> bool:
        """Whether the record is being read or written."""
        return self.database.is_busy

    def steps_at_work(self) -> list[tuple[str, str, int]]:
        """Return run, path and attempt of the steps that this event loop has called."""
        return [
            (journal.run_id, entry.path, entry.attempt)
            for journal in self._listener.journals()
            for entry in journal.at_work()
            if entry.kind == "step"
        ]

    def begin(self, run_id: str, workflow: Workflow[object, object], input: str) -> SqliteJournal:
        """Return the journal of a new run; its first commit puts the run on record.

        That commit raises `RunAlreadyStarted` where the id is taken.
        """
        lease = self._own_lease()
        now = self.now()
        timeout = workflow.timeout
        record = Record()
        if timeout is not None:
            record.deadline = now + round(timeout.total_seconds() * 1_000_000)

        def opening(connection: sqlite3.Connection, revision: int) -> int:
            lease.ensure(connection)
            row = connection.execute(
                "INSERT INTO wrkflw_workflow_runs (id, run_id, workflow_id, status, trigger, input,"
                " graph, definition_hash, steps_total, epoch, owner, created_at, updated_at,"
                " started_at, deadline, revision)"
                f" VALUES ({NEXT_RUN}, ?, ?, 'running', 'library', ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (run_id) DO NOTHING RETURNING id",
                (
                    run_id,
                    workflow.id,
                    input,
                    workflow.graph,
                    workflow.definition_hash,
                    workflow.leaf_count,
                    lease.holder,
                    now,
                    now,
                    now,
                    record.deadline,
                    revision,
                ),
            ).fetchone()
            if row is None:
                raise RunAlreadyStarted(f"a run {run_id} is on record already: nothing was changed")
            return cast("int", row["id"])

        return self._journal(run_id, 1, opening=opening, record=record)

    async def take_up(
        self, run_id: str, workflow: Workflow[object, object]
    ) -> tuple[SqliteJournal, str]:
        """Claim a run on record for this process; return its journal and its input.

        Raises `RunNotFound`, `RunEnded`, `RunAlreadyClaimed`, `DefinitionChanged`, `InvalidInput`.
        """
        lease = self._own_lease()

        def take(connection: sqlite3.Connection) -> tuple[Claim, Record, str]:
            lease.ensure(connection)
            left = (lease.holder, self._left.get(run_id))
            claim = taking.take_up(connection, run_id, workflow, lease.holder, self.now(), left)
            return claim, *taking.open_record(connection, claim, workflow, self.now())

        taking_it = asyncio.ensure_future(self.database.write(take))
        try:
            claim, record, input = await asyncio.shield(taking_it)
        except asyncio.CancelledError:
            with suppress(WrkflwError):
                claim, *_ = await taking_it  # it is claimed all the same, and nobody will walk it
                await self.database.write(lambda c: claims.release(c, claim, "interrupted"))
            raise
        return self._journal(run_id, claim.epoch, key=claim.key, record=record), input

    async def reopen(
        self, claim: Claim, workflow: Workflow[object, object]
    ) -> tuple[SqliteJournal, str]:
        """Return the journal of a run that somebody has claimed for this process, and its input.

        Raises `DefinitionChanged` and `InvalidInput`.
        """
        record, input = await self.database.write(
            lambda c: taking.open_record(c, claim, workflow, self.now())
        )
        return self._journal(claim.run_id, claim.epoch, key=claim.key, record=record), input

    async def fail(self, claim: Claim, error: ErrorInfo) -> None:
        """End a claimed run that cannot be walked, and record why."""
        await self.database.write(lambda c: claims.finish(c, claim, "failed", error))

    def _journal(
        self,
        run_id: str,
        epoch: int,
        *,
        key: int | None = None,
        opening: Opening | None = None,
        record: Record | None = None,
    ) -> SqliteJournal:
        return SqliteJournal(
            self.database,
            self._listener,
            run_id,
            epoch,
            now=self.now,
            max_result_bytes=self.max_result_bytes,
            key=key,
            opening=opening,
            record=record,
            on_left=self._left.__setitem__,
        )

    def _own_lease(self) -> _ProcessLease:
        if self._process is None:
            self._process = _ProcessLease(self.database.path)
        return self._process

    async def answer(self, run_id: str, path: str | None, key: str | None, payload: str) -> None:
        """Put an answer, as JSON, on record.

        Raises `RunNotFound`, `RunEnded`, `NotSuspended`, `AmbiguousAnswer`, `UnknownPath` and
        `InvalidAnswer`.
        """
        await self.database.write(
            lambda c: messages.answer(c, run_id, path, key, payload, self.now())
        )
        await self._listener.look_now()

    async def send_event(self, run_id: str, name: str, payload: str) -> None:
        """Put an event, with its payload as JSON, on record.

        Raises `RunNotFound`, `RunEnded`, `NotSuspended` and `InvalidAnswer`.
        """
        await self.database.write(
            lambda c: messages.send_event(c, run_id, name, payload, self.now())
        )
        await self._listener.look_now()

    async def cancel(self, run_id: str) -> RunStatus:
        """Cancel a run, at once or by asking whoever walks it; return its status then.

        Raises `RunNotFound` and `RunEnded`.
        """
        status: RunStatus = await self.database.write(lambda c: claims.request_cancel(c, run_id))
        await self._listener.look_now()
        return status

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
        definition = forks.Definition(
            workflow.id, workflow.graph, workflow.definition_hash, workflow.leaf_count
        )
        await self.database.write(
            lambda c: forks.fork(c, run_id, at, definition, new_id, input, "library", self.now())
        )

    async def rest(self, run_id: str, until: datetime) -> None:
        """Return at that instant, or sooner where the run does not sleep any more."""

        async def disturbed() -> None:
            with self._listener.watch() as watch:
                while await self.database.read(lambda c: taking.is_asleep(c, run_id)):
                    await watch.change()

        sleeping = asyncio.create_task(self.clock.sleep(until - self.clock.now()))
        looking = asyncio.create_task(disturbed())
        try:
            await asyncio.wait({sleeping, looking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            looking.cancel()
            await asyncio.gather(sleeping, looking, return_exceptions=True)

    async def settled(self, run_id: str) -> WorkflowSnapshot:
        """Return a run once nobody walks it any more."""

        def is_settled(connection: sqlite3.Connection) -> bool:
            return taking.is_settled(connection, run_id)

        with self._listener.watch() as watch:
            while not await self.database.read(is_settled):
                # A process that dies commits nothing: its lease is looked at now and then.
                with suppress(TimeoutError):
                    await asyncio.wait_for(watch.change(), LEASE_LOOK)
        return await self.load_snapshot(run_id)

    def events(self, run_id: str, since: int) -> AsyncIterator[Event]:
        """Yield a run's events after the one numbered `since`, until it ends."""
        return follow(self.database, self._listener, run_id, since)

    async def save_snapshot(self, snapshot: WorkflowSnapshot) -> None:
        """Put a run on record as a snapshot has it, from another file for example.

        Raises `RunAlreadyStarted` where its id is taken.
        """
        await self.database.write(lambda c: snapshots.save(c, snapshot))

    async def load_snapshot(self, run_id: str) -> WorkflowSnapshot:
        """Return a run as it stands. Raises `RunNotFound`."""
        return await self.database.read(lambda c: read_snapshot(c, run_id))

    async def list_runs(
        self,
        workflow_id: str | None = None,
        status: RunStatus | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> list[RunSummary]:
        """Return runs, newest first; `before` is the id of the last one of the page before.

        `text` is looked for in what went into a run and came out of it: inputs, outputs, errors.
        """
        return await self.database.read(
            lambda c: list_runs(c, workflow_id, status, since, until, text, limit, before)
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
def shared_storage(path: Path, max_result_bytes: int = MAX_RESULT_BYTES) -> WorkflowStorage:
    """Return this process's one storage for a file."""
    return WorkflowStorage(path, max_result_bytes=max_result_bytes)
