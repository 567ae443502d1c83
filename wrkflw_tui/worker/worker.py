"""The worker: holds the lease, keeps the catalogue, fires schedules, starts and watches runners."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.engine.models import ErrorInfo
from wrkflw_tui.schedules import scheduler
from wrkflw_tui.store import catalog, claims, leases, runs, schedules
from wrkflw_tui.store.changes import Changes
from wrkflw_tui.store.database import Database
from wrkflw_tui.store.heartbeat import Heartbeat
from wrkflw_tui.worker.catalogue import Catalogue
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
ZONE_LOOK = 30.0
"""Seconds between two looks at the machine's time zone."""
STARTS = 3
"""How often in a row a run's process may die before a step began."""


class Worker:
    """One worker; acts only while it holds the lease."""

    def __init__(self, config: Config, *, max_runs: int, tell: Callable[[str], object]) -> None:
        self._config = config
        self._max_runs = max_runs
        self._tell = tell
        self._identity = leases.Identity()
        self._database = Database(config.database)
        self._changes = Changes(config.database)
        self._catalogue = Catalogue(config.folder, self._database)
        self._running: dict[str, tuple[RunnerProcess, asyncio.Task[None]]] = {}
        self._cancelling: set[str] = set()
        self._failed_starts: dict[str, int] = {}
        self._warm: RunnerProcess | None = None
        self._next_due: int | None = None
        self._next_wake: int | None = None
        self._looked = asyncio.Event()
        self._stopped = asyncio.Event()
        self._when_idle = False
        self._lost = False

    def stop(self) -> None:
        """End gently: runs are interrupted and queued for the next worker."""
        self._stopped.set()

    def stop_when_idle(self) -> None:
        """End once nothing runs: whoever started this worker is gone."""
        self._when_idle = True

    async def run(self) -> None:
        """Take the lease, waiting for it if need be, and work until stopped."""
        try:
            if not await self._take_lease():
                return
            self._tell(f"worker {self._identity.pid} holds {self._config.database}")
            loop = asyncio.get_running_loop()
            heartbeat = Heartbeat(
                self._config.database,
                leases.WORKER,
                self._identity.holder,
                lambda: loop.call_soon_threadsafe(self._lose_lease),
            )
            heartbeat.start()
            try:
                await self._work()
            finally:
                heartbeat.stop()
        finally:
            self._changes.close()
            if not self._lost:
                with suppress(StorageError):
                    holder = self._identity.holder
                    await self._database.write(lambda c: leases.give_up(c, holder))
            await self._database.close()

    async def _take_lease(self) -> bool:
        told = False
        while not self._stopped.is_set() and not self._when_idle:
            if await self._database.write(self._take_over):
                return True
            if not told:
                self._tell("another worker holds the lease: standing by")
                told = True
            await self._wait(STANDBY_LOOK)
        return False

    def _take_over(self, connection: sqlite3.Connection) -> bool:
        taken = leases.take(connection, leases.WORKER, self._identity, micros_now())
        if taken:
            claims.take_over(connection)
        return taken

    def _lose_lease(self) -> None:
        self._lost = True
        self._tell("the lease was taken by another worker: ending")
        self._stopped.set()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._watch_folder())
            group.create_task(self._keep_warm())
            group.create_task(self._watch_zone())
            try:
                await self._watch_record(group)
            finally:
                self._stopped.set()
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
                    await self._start_queued(group)
                    await self._pass_on_cancels(group)
                    self._next_due = await self._database.read(schedules.next_due)
                    self._next_wake = await self._database.read(claims.next_wake)
                if self._next_due is not None and self._next_due <= time.time():
                    await self._fire()
                if self._next_wake is not None and self._next_wake <= micros_now():
                    await self._database.write(lambda c: claims.wake_due(c, micros_now()))
                    self._changes.forget()
            except StorageError as error:
                self._tell(str(error))
                await self._wait(1.0)
            if self._when_idle and not self._running:
                return
            await self._wait(LOOK)
            changed = self._changes.seen()

    async def _start_queued(self, group: asyncio.TaskGroup) -> None:
        holder = self._identity.holder
        while len(self._running) < self._max_runs and not self._stopped.is_set():
            if not await self._database.read(claims.has_queued):
                return
            claim = await self._database.write(lambda c: claims.claim_next(c, holder))
            if claim is None:
                return
            entry = await self._database.read(
                lambda c, id=claim.workflow_id: catalog.find_workflow(c, id)
            )
            if entry is None:
                await self._refuse(claim)
                continue
            runner, self._warm = self._warm, None
            if runner is None or not runner.is_alive:
                runner = await RunnerProcess.start(self._config.folder)
            file = self._config.folder / entry.file
            runner.give(self._config.database, file, claim, self._config.max_result_bytes)
            task = group.create_task(self._watch_run(runner, claim))
            self._running[claim.run_id] = (runner, task)

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
            await self._settle(runner, claim, code)
        except StorageError as error:
            # Left as it is on record; the next worker takes it over with the lease.
            self._tell(f"run {claim.run_id}: {error}")
        finally:
            self._running.pop(claim.run_id, None)
            self._cancelling.discard(claim.run_id)
            self._changes.forget()

    async def _settle(self, runner: RunnerProcess, claim: Claim, code: int) -> None:
        """Record the end of a run whose process ended without recording it."""
        still_open = await self._database.read(lambda c: claims.is_good(c, claim))
        if not still_open:
            self._failed_starts.pop(claim.run_id, None)
            run = await self._database.read(lambda c: runs.read_summary(c, claim.run_id))
            if run.status == "cancelled":
                runner.kill()  # it may have been quicker than we, and have left children
            return
        runner.kill()  # what it started must not go on beside the next attempt
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
            group.create_task(held[0].end())  # it has heard of it itself: here it is made certain

    async def _fire(self) -> None:
        now = int(time.time())
        for due in await self._database.read(lambda c: schedules.due(c, now)):
            await self._database.write(lambda c, id=due.schedule_id: scheduler.fire(c, id, now))
        self._next_due = await self._database.read(schedules.next_due)

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
                await self._database.write(scheduler.follow_zone)
            await self._wait(ZONE_LOOK)

    async def _keep_warm(self) -> None:
        """Keep one idle runner ready: a run then starts in milliseconds."""
        while not self._stopped.is_set():
            if self._warm is None or not self._warm.is_alive:
                self._warm = await RunnerProcess.start(self._config.folder)
            await self._wait(FOLDER_LOOK)

    async def _end_runs(self) -> None:
        if self._warm is not None:
            self._warm.dismiss()
        held = list(self._running.values())
        for runner, _ in held:
            runner.stop()
        await asyncio.gather(*[runner.end() for runner, _ in held])
        await asyncio.gather(*[task for _, task in held], return_exceptions=True)

    async def _wait(self, seconds: float) -> None:
        """Wait, but no longer than until this worker is stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)
