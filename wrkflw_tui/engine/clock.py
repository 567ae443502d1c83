"""The clock that the walk asks: the system's, or one that a test turns."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Return once `duration` has gone by."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, duration: timedelta) -> None:
        """Return once `duration` has gone by."""
        import asyncio  # who only asks what time it is needs no event loop

        await asyncio.sleep(duration.total_seconds())


def micros_now() -> int:
    """Return the present instant in microseconds since the epoch, as it is recorded."""
    return time.time_ns() // 1000
