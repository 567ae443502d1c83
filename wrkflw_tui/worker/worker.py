"""The worker: holds the lease, keeps the catalogue, fires schedules, starts and watches runners."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.engine.models import ErrorInfo
from wrkflw_tui.envfile import EnvFileError, read_env_file
from wrkflw_tui.store import catalog, claims, deliveries, leases
from wrkflw_tui.store.changes import Changes
from wrkflw_tui.store.database import Database
from wrkflw_tui.store.fires import has_news
from wrkflw_tui.store.heartbeat import Heartbeat
from wrkflw_tui.store.poke import Pokes
from wrkflw_tui.store.trouble import named
from wrkflw_tui.worker.complaints import Complaints
from wrkflw_tui.worker.deliverer import Deliverer
from wrkflw_tui.worker.housekeeping import Housekeeping
from wrkflw_tui.worker.linux import end_all, token_of
from wrkflw_tui.worker.pool import NO_ROOM, Pool
from wrkflw_tui.worker.process import describe_exit
from wrkflw_tui.worker.stopping import Stopping
from wrkflw_tui.worker.timekeeper import TROUBLE_LOOK, Timekeeper
from wrkflw_tui.worker.watching import FolderWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from wrkflw_tui.config import Config
    from wrkflw_tui.envfile import EnvFile
    from wrkflw_tui.store.claims import Claim
    from wrkflw_tui.worker.process import RunnerProcess

LOOK = 0.05
"""Seconds between two looks at the record."""
STANDBY_LOOK = 0.5
"""Seconds between two tries to take the lease while another worker holds it."""
SETTLE_LOOK = 1.0
"""Seconds between two tries to record what became of a run while the file cannot be written."""
STARTS = 3
"""How often in a row a run's process may die before a step began."""


@dataclass(frozen=True, slots=True)
class _Walked:
    """A run and the process that walks it."""

    key: int
    runner: RunnerProcess
    task: asyncio.Task[None]


class Worker:
    """One worker; acts only while it holds the lease."""

    def __init__(
        self,
        config: Config,
        *,
        max_runs: int,
        tell: Callable[[str], object],
        warm: int = 1,
        may_fork: bool = True,
    ) -> None:
        self._config = config
        self._max_runs = max_runs
        self._tell = tell
        self._complain = Complaints(tell)
        self._identity = leases.Identity()
        self._database = Database(config.database)
        self._changes = Changes(config.database)
        self._stopping = Stopping()
        self._folder = FolderWatch(
            config.folder, self._database, self._stopping, tell, self._complain
        )
        self._pool = Pool(config, self._stopping, self._complain, wanted=warm, may_fork=may_fork)
        self._timekeeper = Timekeeper(
            self._database, self._stopping, self._complain, self._changes.forget
        )
        self._deliverer = Deliverer(config, self._database, tell)
        self._running: dict[str, _Walked] = {}
        self._cancelling: set[str] = set()
        self._failed_starts: dict[str, int] = {}
        self._taken_over: list[str] = []
        self._pokes = Pokes(config.database)
        self._news = asyncio.Event()
        self._next_wake: int | None = None
        self._when_idle = False
        self._lost = False

    def stop(self) -> None:
        """End gently: runs are interrupted and queued for the next worker."""
        self._stopping.set()
        self._news.set()
        self._timekeeper.wake()

    def stop_when_idle(self) -> None:
        """End once nothing runs, is queued or sleeps: nobody waits for this worker any more."""
        self._when_idle = True
        self._news.set()

    async def run(self) -> None:
        """Take the lease, waiting for it if need be, and work until stopped."""
        try:
            if not await self._take_lease():
                return
            # What the worker before has left of those runs must not go on beside them.
            for run_id in self._taken_over:
                await asyncio.to_thread(end_all, token_of(run_id))
            self._tell(f"worker {self._identity.pid} holds {self._config.database}")
            loop = asyncio.get_running_loop()
            heartbeat = Heartbeat(
                self._config.database,
                leases.WORKER,
                self._identity.holder,
                lambda: loop.call_soon_threadsafe(self._lose_lease),
            )
            heartbeat.start()
            housekeeping = Housekeeping(self._config, self._tell)
            housekeeping.start()
            pipe = self._pokes.open()
            if pipe is not None:
                loop.add_reader(pipe, self._hear_poke)
            try:
                await self._work()
            finally:
                await asyncio.to_thread(housekeeping.stop)
                heartbeat.stop()
                if pipe is not None:
                    loop.remove_reader(pipe)
                self._pokes.close(remove=not self._lost)
                self._pool.close()
        finally:
            self._changes.close()
            if not self._lost:
                with suppress(StorageError):
                    holder = self._identity.holder
                    await self._database.write(lambda c: leases.give_up(c, holder))
            await self._database.close()

    async def _take_lease(self) -> bool:
        told = False
        while not self._stopping.is_set:
            if await self._database.write(self._take_over):
                return True
            if self._when_idle:
                self._tell("another worker holds the lease: ending")
                return False
            if not told:
                self._tell("another worker holds the lease: standing by")
                told = True
            await self._stopping.wait(STANDBY_LOOK)
        return False

    def _take_over(self, connection: sqlite3.Connection) -> bool:
        taken = leases.take(connection, leases.WORKER, self._identity, micros_now())
        if taken:
            self._taken_over = claims.take_over(connection)
            deliveries.take_over(connection, micros_now())
        return taken

    def _lose_lease(self) -> None:
        self._lost = True
        self._tell("the lease was taken by another worker, or the record is another: ending")
        self.stop()

    def _hear_poke(self) -> None:
        self._pokes.take()
        self._changes.forget()
        self._news.set()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._folder.run())
            group.create_task(self._pool.keep(self._has_free_core))
            group.create_task(self._pool.reap_strangers())
            group.create_task(self._deliverer.run())
            group.create_task(self._timekeeper.watch_zone())
            group.create_task(self._fire())
            try:
                await self._watch_record(group)
            finally:
                self.stop()
                self._deliverer.stop()
                looking.cancel()  # a file may hang on import
                await self._end_runs()

    async def _watch_record(self, group: asyncio.TaskGroup) -> None:
        # What the folder holds now counts, not what the worker before found in it.
        await self._stopping.first(self._folder.looked, LOOK)
        # The first look comes at once: what waits from before must not wait for a change.
        changed = True
        while not self._stopping.is_set:
            try:
                if changed:
                    self._deliverer.wake()
                    await self._timekeeper.look()
                    await self._start_queued(group)
                    await self._pass_on_cancels(group)
                    self._next_wake = await self._database.read(claims.next_wake)
                if self._next_wake is not None and self._next_wake <= micros_now():
                    await self._database.write(lambda c: claims.wake_due(c, micros_now()))
                    self._changes.forget()
                waits = self._next_wake is not None or not self._deliverer.is_idle
                is_idle = not self._running and not waits
                if self._when_idle and is_idle and await self._database.write(self._retire):
                    return
            except StorageError as error:
                self._complain(str(error))
                await self._stopping.wait(TROUBLE_LOOK)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), LOOK)
            self._news.clear()
            changed = await self._has_changed()

    async def _fire(self) -> None:
        # A schedule that stands in a file that is gone must not fire once more.
        await self._stopping.first(self._folder.looked, LOOK)
        await self._timekeeper.fire()

    def _has_free_core(self) -> bool:
        return len(self._running) < (os.cpu_count() or 1)

    async def _has_changed(self) -> bool:
        try:
            return self._changes.seen()
        except (StorageError, sqlite3.Error) as error:
            self._complain(str(named(error, self._config.database)))
            self._changes.close()
            await self._stopping.wait(TROUBLE_LOOK)
            return False

    def _retire(self, connection: sqlite3.Connection) -> bool:
        """Give up the lease if nothing is left to do.

        In one transaction: who queues a run in the next one sees that no worker will take it.
        """
        if claims.has_queued(connection) or claims.next_wake(connection) is not None:
            return False
        if deliveries.has_pending(connection):
            return False
        if has_news(connection):
            return False  # a fire waits for its turn
        leases.give_up(connection, self._identity.holder)
        return True

    async def _start_queued(self, group: asyncio.TaskGroup) -> None:
        while len(self._running) < self._max_runs and not self._stopping.is_set:
            busy = self._busy_keys()
            if not await self._database.read(lambda c, busy=busy: claims.has_queued(c, busy)):
                return
            found = await self._database.write(lambda c, busy=busy: self._claim(c, busy))
            if found is None:
                return
            claim, file = found
            if file is None:
                await self._refuse(claim)
                continue
            env = await self._read_env_for(claim)
            if env is None:
                continue
            runner = await self._pool.take()
            if runner is None:
                await self._until_recorded(claim, lambda _, it=claim: self._release(it))
                await self._stopping.wait(NO_ROOM)
                return
            config = self._config
            limits = (config.max_result_bytes, config.max_memory_bytes)
            runner.give(config.folder / file, claim, *limits, env)
            task = group.create_task(self._watch_run(runner, claim))
            self._running[claim.run_id] = _Walked(claim.key, runner, task)

    async def _read_env_for(self, claim: Claim) -> EnvFile | None:
        """Return what `.env` gives to a run that starts now; fail the run where it is broken."""
        try:
            return await asyncio.to_thread(read_env_file, self._config.folder)
        except EnvFileError as error:
            info = ErrorInfo(type(error).__name__, str(error))
        await self._until_recorded(claim, lambda _: self._fail(claim, info))
        return None

    async def _release(self, claim: Claim) -> None:
        await self._database.write(lambda c: claims.release(c, claim, "interrupted"))

    async def _fail(self, claim: Claim, error: ErrorInfo) -> None:
        await self._database.write(lambda c: claims.finish(c, claim, "failed", error))

    def _busy_keys(self) -> frozenset[int]:
        """Return the runs whose process has not ended yet, though they may be queued again."""
        return frozenset(walked.key for walked in self._running.values())

    def _claim(
        self, connection: sqlite3.Connection, busy: frozenset[int]
    ) -> tuple[Claim, str | None] | None:
        claim = claims.claim_next(connection, self._identity.holder, busy)
        return None if claim is None else (claim, catalog.file_of(connection, claim.workflow_id))

    async def _refuse(self, claim: Claim) -> None:
        error = ErrorInfo(
            "WorkflowNotFound",
            f"no file in {self._config.folder} holds a workflow {claim.workflow_id!r} that loads:"
            " put it back, or mend its file, and run it again",
        )
        await self._until_recorded(claim, lambda _: self._fail(claim, error))

    async def _watch_run(self, runner: RunnerProcess, claim: Claim) -> None:
        try:
            code = await runner.listen(self._database, claim.key, self._config.max_log_bytes)
            await self._until_recorded(
                claim, lambda trouble: self._settle(runner, claim, code, trouble)
            )
        finally:
            await runner.reap()
            self._running.pop(claim.run_id, None)
            self._cancelling.discard(claim.run_id)
            self._changes.forget()
            self._news.set()

    async def _until_recorded(
        self, claim: Claim, work: Callable[[str], Coroutine[None, None, object]]
    ) -> None:
        """Do what must be put on record, again until it is, or this worker is stopped.

        There may be room later; else the next worker takes the run over. `work` is given why the
        last try went wrong.
        """
        trouble = ""
        while True:
            try:
                await work(trouble)
                return
            except StorageError as error:
                if str(error) != trouble:
                    trouble = str(error)
                    self._tell(f"run {claim.run_id}: {trouble}")
            if self._stopping.is_set:
                return
            await self._stopping.wait(SETTLE_LOOK)

    async def _settle(self, runner: RunnerProcess, claim: Claim, code: int, trouble: str) -> None:
        """Record the end of a run whose process ended without recording it."""
        if code != 0:
            await runner.kill()  # what it started must not go on beside the next attempt
        still_open = await self._database.read(lambda c: claims.is_good(c, claim))
        if not still_open:
            self._failed_starts.pop(claim.run_id, None)
            return
        if code == 0:
            await runner.kill()  # it did not end as a run does: a step has left with it
        why = runner.overdue or describe_exit(code)
        error = ErrorInfo("ProcessDied", f"{why} ({trouble})" if trouble else why)
        if claim.run_id in self._cancelling:
            await self._database.write(lambda c: claims.finish(c, claim, "cancelled"))
        elif self._stopping.is_set:
            await self._database.write(lambda c: claims.release(c, claim, "interrupted"))
        elif await self._failed_to_start(claim):
            await self._database.write(lambda c: claims.finish(c, claim, "failed", error))
        else:
            await self._database.write(lambda c: claims.release(c, claim, "crashed", error))

    async def _failed_to_start(self, claim: Claim) -> bool:
        """Count a death that no step can be blamed for; tell whether that is enough."""
        if await self._database.read(lambda c: claims.is_in_step(c, claim)):
            self._failed_starts.pop(claim.run_id, None)
            return False
        times = self._failed_starts.get(claim.run_id, 0) + 1
        self._failed_starts[claim.run_id] = times
        return times >= STARTS

    async def _pass_on_cancels(self, group: asyncio.TaskGroup) -> None:
        holder = self._identity.holder
        for run_id in await self._database.read(lambda c: claims.cancels_for(c, holder)):
            held = self._running.get(run_id)
            if held is None or run_id in self._cancelling:
                continue
            self._cancelling.add(run_id)
            group.create_task(
                held.runner.end()
            )  # it has heard of it itself: here it is made certain

    async def _end_runs(self) -> None:
        self._pool.dismiss()
        held = list(self._running.values())
        for walked in held:
            walked.runner.stop()
        await asyncio.gather(*[walked.runner.end() for walked in held])
        await asyncio.gather(*[walked.task for walked in held], return_exceptions=True)
