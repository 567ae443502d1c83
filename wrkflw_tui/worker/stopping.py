"""The end of a worker, as all that it does learns of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Stopping:
    """Whether a worker is to end."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Say that it is to end."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """Whether that was said."""
        return self._event.is_set()

    async def wait(self, seconds: float) -> None:
        """Wait, but no longer than until that is said."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)

    async def first(self, event: asyncio.Event, look: float) -> None:
        """Return once `event` is set, or this is."""
        while not (event.is_set() or self.is_set):
            await self.wait(look)
