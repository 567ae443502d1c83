"""A run's lines on their way to the record: written a few times a second, in small commits."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.store import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wrkflw_tui.store.database import Database
    from wrkflw_tui.store.logs import Stretch

FLUSH = 0.1
"""Seconds that a line waits at most before it is put on record."""
HELD = 1 << 22
"""Characters that wait for the file before the run has to."""
COMMIT = 1 << 17
"""Characters in one commit at most, about: others wait while it is made."""


class Log:
    """What one run says, from its pipes to the file."""

    def __init__(self, database: Database, key: int, limit: int) -> None:
        self._database = database
        self._key = key
        self._limit = limit
        self._pending: list[Stretch] = []
        self._size = 0
        self._some = asyncio.Event()
        self._waiting: list[Callable[[], object]] = []
        self._has_room = asyncio.Event()
        self._has_room.set()

    def add(self, stretches: list[Stretch]) -> None:
        """Add stretches."""
        if not stretches:
            return
        self._pending += stretches
        self._size += sum(stretch.size for stretch in stretches)
        self._some.set()
        if self._size > HELD:
            self._has_room.clear()

    def when_room(self, go_on: Callable[[], object]) -> None:
        """Call `go_on` once the file has kept up, so that a run which is quicker has to wait."""
        if self._has_room.is_set():
            go_on()
        else:
            self._waiting.append(go_on)

    async def room(self) -> None:
        """Wait until the file has kept up."""
        await self._has_room.wait()

    async def keep(self) -> None:
        """Write what was added, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(FLUSH)
            await self.flush()

    async def flush(self) -> None:
        """Write what was added so far."""
        batch, self._pending, self._size = self._pending, [], 0
        self._some.clear()
        batch.sort(key=lambda stretch: stretch.at)  # each stream's are in order already
        parts = deque(_parts(batch))
        try:
            while parts:
                # Submitted is as good as written: writes are done in order, also after a cancel.
                await self._write(parts.popleft())
        finally:
            self._pending[:0] = [stretch for part in parts for stretch in part]
        self._has_room.set()
        waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            go_on()

    async def _write(self, part: list[Stretch]) -> None:
        self._database.wrote(sum(stretch.size for stretch in part))
        with suppress(StorageError):
            await self._database.write(lambda c: logs.append(c, self._key, part, self._limit))


def _parts(stretches: list[Stretch]) -> Iterable[list[Stretch]]:
    part: list[Stretch] = []
    size = 0
    for stretch in stretches:
        part.append(stretch)
        size += stretch.size
        if size >= COMMIT:
            yield part
            part, size = [], 0
    if part:
        yield part
