"""The clock that the walk asks: the system's, or one that a test turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import time_ns  # bound here: an automation may put another in its place
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Return once `duration` has gone by."""
        ...


class Activity(Protocol):
    """What goes on where runs are kept."""

    @property
    def is_busy(self) -> bool:
        """Whether the record is being read or written."""
        ...

    def steps_at_work(self) -> Sequence[tuple[str, str, int]]:
        """Return run, path and attempt of the steps that this event loop has called."""
        ...


@runtime_checkable
class TurnedClock(Clock, Protocol):
    """A clock that somebody turns: it lets what it woke come to rest before it is turned on."""

    def watch(self, activity: Activity) -> None:
        """Go by what goes on there."""
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
    return time_ns() // 1000
