"""What the lanes of a walk wait for, and when there is nothing left to do but wait."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from wrkflw_tui.engine.models import from_micros
from wrkflw_tui.engine.values import Parked, Withdrawn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from wrkflw_tui.engine.clock import Clock
    from wrkflw_tui.engine.frames import Frame
    from wrkflw_tui.engine.journal import Entry, Journal

T = TypeVar("T")

STAYS = timedelta(seconds=5)
"""A walk whose next instant is nearer than this waits for it; else it ends and is walked again."""


class _Wait:
    """One lane that waits."""

    __slots__ = ("due", "frame", "future", "order", "ready")

    def __init__(
        self,
        frame: Frame,
        order: int,
        due: int | None,
        ready: Callable[[], object] | None,
        future: asyncio.Future[object],
    ) -> None:
        self.frame = frame
        self.order = order
        self.due = due
        self.ready = ready
        """Returns what it was told, or `None` where that has not come; a sleep is told nothing."""
        self.future = future


class Waits:
    """All waiting lanes of one walk.

    Once no lane is at work and no instant is near, each wait is ended with `Parked`: the walk
    unwinds, the run rests without a process, and is walked again when there is something to do.
    """

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._busy = 1
        self._open: list[_Wait] = []
        self._limits: list[_Limit] = []
        self.wake_at: int | None = None
        """Once parked: the next instant at which there is something to do, in microseconds."""

    def begin_lanes(self, width: int) -> None:
        """Count the lanes that a lane at work begins and then waits for."""
        self._busy += width - 1

    def end_lane(self) -> None:
        """Count a lane less; the last one of its kind hands over to the lane that began it."""
        self._busy -= 1
        self._journal.write_soon()  # the others may be at work for hours
        self._park_if_idle()

    async def until(self, entry: Entry, due: int, frame: Frame) -> None:
        """Wait until an instant, in microseconds. Raises `Parked` and `Withdrawn`."""
        await self._wait(entry.order, due, frame, None)

    async def told(
        self, entry: Entry, due: int | None, frame: Frame, ready: Callable[[], T | None]
    ) -> T | None:
        """Wait for what `ready` returns; return `None` where that did not come until `due`.

        Raises `Parked` and `Withdrawn`.
        """
        try:
            return await self._wait(entry.order, due, frame, ready)
        except Withdrawn:
            self._journal.end(entry, "interrupted")
            self.hear()  # an event may be another wait's now
            await self._journal.commit()  # nobody is to answer what is not asked any more
            raise

    async def _wait(
        self, order: int, due: int | None, frame: Frame, ready: Callable[[], T | None] | None
    ) -> T | None:
        await self._journal.commit()  # what is waited for is on record before anybody waits
        if ready is not None:
            if frame.is_withdrawn:
                raise Withdrawn
            if (answer := ready()) is not None:
                return answer
        left = None if due is None else from_micros(due) - self._clock.now()
        if left is not None and left <= timedelta(0):
            return None
        future: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        wait = _Wait(frame, order, due, ready, future)  # type: ignore[arg-type] - a future is invariant
        timer = None if left is None else asyncio.create_task(self._ring(wait, left))
        self._open.append(wait)
        self._busy -= 1
        self._park_if_idle()
        try:
            return await future
        finally:
            self._busy += 1
            self._open.remove(wait)
            if timer is not None:
                timer.cancel()

    async def _ring(self, wait: _Wait, left: timedelta) -> None:
        await self._clock.sleep(left)
        if not wait.future.done():
            wait.future.set_result(None)

    def hear(self) -> None:
        """Give what the run was told to those who wait for it, the earliest opened first."""
        for wait in sorted(self._open, key=lambda wait: wait.order):
            if wait.ready is None or wait.future.done():
                continue
            if (answer := wait.ready()) is not None:
                wait.future.set_result(answer)

    def withdraw(self) -> None:
        """End the waits for an answer or an event where an arm beside them has failed."""
        for wait in self._open:
            if wait.ready is not None and wait.frame.is_withdrawn and not wait.future.done():
                wait.future.set_exception(Withdrawn())

    @asynccontextmanager
    async def deadline(
        self, at: int | None, expired: Callable[[], Exception]
    ) -> AsyncGenerator[None]:
        """Cancel what runs in it at an instant, and raise what `expired` returns instead."""
        if at is None:
            yield
            return
        limit = _Limit(at, self._clock)
        self._limits.append(limit)
        try:
            yield
        except asyncio.CancelledError:
            if limit.takes_back():
                raise expired() from None
            raise
        finally:
            self._limits.remove(limit)
            limit.close()

    def has_expired(self) -> bool:
        """Tell whether the time of a workflow that this task walks is up."""
        task = asyncio.current_task()
        return any(limit.is_expired_in(task) for limit in self._limits)

    def _park_if_idle(self) -> None:
        if self._busy > 0 or not self._open or any(wait.future.done() for wait in self._open):
            return
        asks = any(wait.ready is not None for wait in self._open)
        instants = [wait.due for wait in self._open if wait.due is not None]
        if not asks:
            # A run that waits for a person has its time held.
            instants += [limit.at for limit in self._limits]
        soonest = min(instants, default=None)
        if soonest is not None and from_micros(soonest) - self._clock.now() <= STAYS:
            return
        self.wake_at = soonest
        self._journal.unlisten()
        for wait in self._open:
            wait.future.set_exception(Parked())


class _Limit:
    """A timer that cancels the task it was made in."""

    def __init__(self, at: int, clock: Clock) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.at = at
        self._task = task
        self._cancelling = task.cancelling()
        self._expired = False
        self._timer = asyncio.create_task(self._ring(at, clock))

    async def _ring(self, at: int, clock: Clock) -> None:
        await clock.sleep(max(timedelta(0), from_micros(at) - clock.now()))
        self._expired = True
        self._task.cancel()

    def is_expired_in(self, task: asyncio.Task[object] | None) -> bool:
        """Tell whether it has cancelled that task."""
        return self._expired and task is self._task

    def takes_back(self) -> bool:
        """Tell whether it was this timer alone that cancelled the task."""
        return self._expired and self._task.uncancel() <= self._cancelling

    def close(self) -> None:
        """Ring no more."""
        self._timer.cancel()
