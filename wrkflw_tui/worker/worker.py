"""The worker: holds the lease, keeps the catalogue, fires schedules, starts and watches runners."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.engine.models import ErrorInfo
from wrkflw_tui.schedules import following, scheduler
from wrkflw_tui.store import catalog, claims, leases, schedules
from wrkflw_tui.store.changes import Changes
from wrkflw_tui.store.database import Database
from wrkflw_tui.store.fires import has_news
from wrkflw_tui.store.heartbeat import Heartbeat
from wrkflw_tui.store.poke import Pokes
from wrkflw_tui.worker.catalogue import Catalogue
from wrkflw_tui.worker.children import Children
from wrkflw_tui.worker.linux import end_all, reap_strangers, token_of
from wrkflw_tui.worker.process import RunnerProcess, describe_exit

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from wrkflw_tui.config import Config
    from wrkflw_tui.store.claims import Claim

LOOK = 0.05
"""Seconds between two looks at the record."""
FOLDER_LOOK = 1.0
"""Seconds between two looks at the folder."""
STANDBY_LOOK = 0.5
"""Seconds between two tries to take the lease while another worker holds it."""
SCHEDULE_LOOK = 0.5
"""Seconds between two looks whether the clock has jumped; what is due is looked at when it is."""
ZONE_LOOK = 30.0
"""Seconds between two looks at the machine's time zone."""
SETTLE_LOOK = 1.0
"""Seconds between two tries to record what became of a run while the file cannot be written."""
NO_ROOM = 1.0
"""Seconds until the next try where the system has no room for a process."""
WARM_LOOK = 0.1
"""Seconds between two looks whether an idle runner is there."""
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
        self._identity = leases.Identity()
        self._database = Database(config.database)
        self._changes = Changes(config.database)
        self._catalogue = Catalogue(config.folder, self._database)
        self._running: dict[str, _Walked] = {}
        self._cancelling: set[str] = set()
        self._failed_starts: dict[str, int] = {}
        self._taken_over: list[str] = []
        self._children = Children(config.folder, config.database, may_fork=may_fork)
        self._warm: deque[RunnerProcess] = deque()
        self._warm_wanted = warm
        self._pokes = Pokes(config.database)
        self._news = asyncio.Event()
        self._next_due: int | None = None
        self._due_known = asyncio.Event()
        self._jumps = following.Jumps()
        self._next_wake: int | None = None
        self._looked = asyncio.Event()
        self._stopped = asyncio.Event()
        self._when_idle = False
        self._lost = False

    def stop(self) -> None:
        """End gently: runs are interrupted and queued for the next worker."""
        self._stopped.set()
        self._news.set()
        self._due_known.set()

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
            pipe = self._pokes.open()
            if pipe is not None:
                loop.add_reader(pipe, self._hear_poke)
            try:
                await self._work()
            finally:
                heartbeat.stop()
                if pipe is not None:
                    loop.remove_reader(pipe)
                self._pokes.close(remove=not self._lost)
                self._children.close()
        finally:
            self._changes.close()
            if not self._lost:
                with suppress(StorageError):
                    holder = self._identity.holder
                    await self._database.write(lambda c: leases.give_up(c, holder))
            await self._database.close()

    async def _take_lease(self) -> bool:
        told = False
        while not self._stopped.is_set():
            if await self._database.write(self._take_over):
                return True
            if self._when_idle:
                self._tell("another worker holds the lease: ending")
                return False
            if not told:
                self._tell("another worker holds the lease: standing by")
                told = True
            await self._wait(STANDBY_LOOK)
        return False

    def _take_over(self, connection: sqlite3.Connection) -> bool:
        taken = leases.take(connection, leases.WORKER, self._identity, micros_now())
        if taken:
            self._taken_over = claims.take_over(connection)
        return taken

    def _lose_lease(self) -> None:
        self._lost = True
        self._tell("the lease was taken by another worker: ending")
        self.stop()

    def _hear_poke(self) -> None:
        self._pokes.take()
        self._changes.forget()
        self._news.set()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._watch_folder())
            group.create_task(self._keep_warm())
            group.create_task(self._reap_strangers())
            group.create_task(self._watch_zone())
            group.create_task(self._watch_schedules())
            try:
                await self._watch_record(group)
            finally:
                self.stop()
                looking.cancel()  # a file may hang on import
                await self._end_runs()

    async def _watch_record(self, group: asyncio.TaskGroup) -> None:
        # What the folder holds now counts, not what the worker before found in it.
        while not (self._looked.is_set() or self._stopped.is_set()):
            await self._wait(LOOK)
        # The first look comes at once: what waits from before must not wait for a change.
        changed = True
        while not self._stopped.is_set():
            try:
                if changed:
                    self._next_due = await self._database.read(schedules.next_due)
                    self._due_known.set()
                    await self._start_queued(group)
                    await self._pass_on_cancels(group)
                    self._next_wake = await self._database.read(claims.next_wake)
                if self._next_wake is not None and self._next_wake <= micros_now():
                    await self._database.write(lambda c: claims.wake_due(c, micros_now()))
                    self._changes.forget()
                is_idle = not self._running and self._next_wake is None
                if self._when_idle and is_idle and await self._database.write(self._retire):
                    return
            except StorageError as error:
                self._tell(str(error))
                await self._wait(1.0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), LOOK)
            self._news.clear()
            changed = self._changes.seen()

    def _retire(self, connection: sqlite3.Connection) -> bool:
        """Give up the lease if nothing is left to do.

        In one transaction: who queues a run in the next one sees that no worker will take it.
        """
        if claims.has_queued(connection) or claims.next_wake(connection) is not None:
            return False
        if has_news(connection):
            return False  # a fire waits for its turn
        leases.give_up(connection, self._identity.holder)
        return True

    async def _start_queued(self, group: asyncio.TaskGroup) -> None:
        while len(self._running) < self._max_runs and not self._stopped.is_set():
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
            runner = self._take_warm() or await self._start_runner()
            if runner is None:
                await self._database.write(lambda c, it=claim: claims.release(c, it, "interrupted"))
                await self._wait(NO_ROOM)
                return
            runner.give(self._config.folder / file, claim, self._config.max_result_bytes)
            task = group.create_task(self._watch_run(runner, claim))
            self._running[claim.run_id] = _Walked(claim.key, runner, task)

    def _busy_keys(self) -> frozenset[int]:
        """Return the runs whose process has not ended yet, though they may be queued again."""
        return frozenset(walked.key for walked in self._running.values())

    def _claim(
        self, connection: sqlite3.Connection, busy: frozenset[int]
    ) -> tuple[Claim, str | None] | None:
        claim = claims.claim_next(connection, self._identity.holder, busy)
        return None if claim is None else (claim, catalog.file_of(connection, claim.workflow_id))

    async def _start_runner(self) -> RunnerProcess | None:
        try:
            return RunnerProcess(await self._children.start())
        except OSError as error:
            self._tell(f"no process could be started: {error}")
            return None

    def _take_warm(self) -> RunnerProcess | None:
        while self._warm:
            runner = self._warm.popleft()
            if runner.is_alive:
                return runner
        return None

    async def _refuse(self, claim: Claim) -> None:
        error = ErrorInfo(
            "WorkflowNotFound",
            f"no file in {self._config.folder} holds a workflow {claim.workflow_id!r} that loads:"
            " put it back, or mend its file, and run it again",
        )
        await self._database.write(lambda c: claims.finish(c, claim, "failed", error))

    async def _watch_run(self, runner: RunnerProcess, claim: Claim) -> None:
        try:
            code = await runner.listen(self._database, claim.key, self._config.max_log_bytes)
            while not await self._has_settled(runner, claim, code) and not self._stopped.is_set():
                await self._wait(SETTLE_LOOK)
        finally:
            await runner.reap()
            self._running.pop(claim.run_id, None)
            self._cancelling.discard(claim.run_id)
            self._changes.forget()
            self._news.set()

    async def _has_settled(self, runner: RunnerProcess, claim: Claim, code: int) -> bool:
        """Settle a run; return whether the record could be written."""
        try:
            await self._settle(runner, claim, code)
        except StorageError as error:
            # Left as it is on record: there may be room later, or the next worker takes it over.
            self._tell(f"run {claim.run_id}: {error}")
            return False
        return True

    async def _settle(self, runner: RunnerProcess, claim: Claim, code: int) -> None:
        """Record the end of a run whose process ended without recording it."""
        if code != 0:
            await runner.kill()  # what it started must not go on beside the next attempt
        still_open = await self._database.read(lambda c: claims.is_good(c, claim))
        if not still_open:
            self._failed_starts.pop(claim.run_id, None)
            return
        error = ErrorInfo("ProcessDied", describe_exit(code))
        if claim.run_id in self._cancelling:
            await self._database.write(lambda c: claims.finish(c, claim, "cancelled"))
        elif self._stopped.is_set():
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

    async def _watch_schedules(self) -> None:
        """Fire what is due. On its own, since a fire must not wait until a process has started."""
        while not (self._looked.is_set() or self._stopped.is_set()):
            await self._wait(LOOK)
        jumped = True  # as after a jump: who knows what the clock and the zone were before
        while not self._stopped.is_set():
            try:
                if jumped:
                    await self._follow_zones()
                    await self._fire()
                elif self._next_due is not None and self._next_due <= time.time():
                    await self._fire()
                jumped = self._jumps.seen()
            except StorageError as error:
                self._tell(str(error))
                await self._wait(1.0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due_known.wait(), self._until_next_due())
            self._due_known.clear()

    def _until_next_due(self) -> float:
        """Return how long to sleep: a laptop's clock may jump meanwhile, so it is never long."""
        if self._next_due is None:
            return SCHEDULE_LOOK
        return min(max(self._next_due - time.time(), 0.001), SCHEDULE_LOOK)

    async def _fire(self) -> None:
        """Do what is due, in as many short transactions as that takes."""
        more = True
        while more and not self._stopped.is_set():
            done = await self._database.write(lambda c: scheduler.tick(c, int(time.time())))
            more = done.more
        self._next_due = await self._database.read(schedules.next_due)
        self._changes.forget()

    async def _watch_folder(self) -> None:
        while not self._stopped.is_set():
            try:
                await self._catalogue.refresh()
                self._looked.set()
            except StorageError as error:
                self._tell(str(error))
            await self._wait(FOLDER_LOOK)

    async def _watch_zone(self) -> None:
        while not self._stopped.is_set():
            with suppress(StorageError):
                await self._follow_zones()
            await self._wait(ZONE_LOOK)

    async def _follow_zones(self) -> None:
        """Compute pointers anew where the machine is in another zone, or a zone's data is new."""
        local = await asyncio.to_thread(following.refreshed_local_zone)
        if await self._database.read(lambda c: following.is_astray(c, local)):
            now = int(time.time())
            await self._database.write(lambda c: following.follow_zones(c, now, local))

    async def _keep_warm(self) -> None:
        """Keep an idle runner ready: a run then starts in milliseconds."""
        while not self._stopped.is_set():
            while self._warm and not self._warm[0].is_alive:
                await self._warm.popleft().reap()
            if len(self._warm) < self._warm_wanted and self._has_free_core():
                runner = await self._start_runner()
                if runner is None:
                    await self._wait(NO_ROOM)
                    continue
                self._warm.append(runner)
            await self._wait(WARM_LOOK)

    def _has_free_core(self) -> bool:
        # Refilling in the middle of a burst would only slow down the runs that are there.
        return len(self._running) < (os.cpu_count() or 1)

    async def _reap_strangers(self) -> None:
        """Reap what runs have left behind, and what has ended since."""
        seen: set[int] = set()
        while not self._stopped.is_set():
            seen = reap_strangers(self._children.pids, seen)
            await self._wait(FOLDER_LOOK)

    async def _end_runs(self) -> None:
        for runner in self._warm:
            runner.dismiss()
        held = list(self._running.values())
        for walked in held:
            walked.runner.stop()
        await asyncio.gather(*[walked.runner.end() for walked in held])
        await asyncio.gather(*[walked.task for walked in held], return_exceptions=True)

    async def _wait(self, seconds: float) -> None:
        """Wait, but no longer than until this worker is stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)
