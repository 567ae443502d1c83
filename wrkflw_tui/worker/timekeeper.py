"""The worker's clock: fires what is due, and follows the clock and the zones."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.schedules import following, scheduler
from wrkflw_tui.store import schedules

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrkflw_tui.store.database import Database
    from wrkflw_tui.worker.stopping import Stopping

LOOK = 0.5
"""Seconds between two looks whether the clock has jumped; what is due is looked at when it is."""
ZONE_LOOK = 30.0
"""Seconds between two looks at the machine's time zone."""
TROUBLE_LOOK = 1.0
"""Seconds until the next try where the record cannot be read or written."""


class Timekeeper:
    """Fires schedules, apart from all else: a fire must not wait until a process has started."""

    def __init__(
        self,
        database: Database,
        stopping: Stopping,
        complain: Callable[[str], object],
        on_fired: Callable[[], object],
    ) -> None:
        self._database = database
        self._stopping = stopping
        self._complain = complain
        self._on_fired = on_fired
        self._next_due: int | None = None
        self._due_known = asyncio.Event()
        self._jumps = following.Jumps()

    async def look(self) -> None:
        """Look when the next schedule is due: the record has changed."""
        self._next_due = await self._database.read(schedules.next_due)
        self.wake()

    def wake(self) -> None:
        """Look at the clock now."""
        self._due_known.set()

    async def fire(self) -> None:
        """Fire what is due until the worker ends."""
        jumped = True  # as after a jump: who knows what the clock and the zone were before
        while not self._stopping.is_set:
            try:
                if jumped:
                    await self._follow_zones()
                    await self._fire()
                elif self._next_due is not None and self._next_due <= time.time():
                    await self._fire()
                jumped = self._jumps.seen()
            except StorageError as error:
                self._complain(str(error))
                await self._stopping.wait(TROUBLE_LOOK)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due_known.wait(), self._until_next_due())
            self._due_known.clear()

    def _until_next_due(self) -> float:
        """Return how long to sleep: a laptop's clock may jump meanwhile, so it is never long."""
        if self._next_due is None:
            return LOOK
        return min(max(self._next_due - time.time(), 0.001), LOOK)

    async def _fire(self) -> None:
        """Do what is due, in as many short transactions as that takes."""
        more = True
        while more and not self._stopping.is_set:
            done = await self._database.write(lambda c: scheduler.tick(c, int(time.time())))
            more = done.more
        self._next_due = await self._database.read(schedules.next_due)
        self._on_fired()

    async def watch_zone(self) -> None:
        """Follow the machine's zone until the worker ends."""
        while not self._stopping.is_set:
            with suppress(StorageError):
                await self._follow_zones()
            await self._stopping.wait(ZONE_LOOK)

    async def _follow_zones(self) -> None:
        """Compute pointers anew where the machine is in another zone, or a zone's data is new."""
        local = await asyncio.to_thread(following.refreshed_local_zone)
        if await self._database.read(lambda c: following.is_astray(c, local)):
            now = int(time.time())
            await self._database.write(lambda c: following.follow_zones(c, now, local))
