"""Several walks side by side: a few tasks that take the next piece of work when they are free."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias

from wrkflw_tui.engine.context import is_side_by_side
from wrkflw_tui.engine.values import Parked, Withdrawn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from wrkflw_tui.engine.waits import Waits

Work: TypeAlias = "Callable[[int], Awaitable[bool]]"
"""Does one piece; returns whether the next may be begun."""


async def run_lanes(waiting: Sequence[int], width: int, work: Work, waits: Waits) -> None:
    """Do all pieces in their order, at most `width` at once.

    Once `work` returns false no more begin, and those in flight finish. What it raises, and a
    cancel, reaches all that are in flight; they are waited for. `Parked` does not: it is raised
    when all lanes have come to it or to their ends; so is `Withdrawn`.
    """
    lanes = _Lanes(waiting, work, waits)
    width = min(width, len(waiting))
    if width <= 1:
        await lanes.take()
    else:
        await lanes.side_by_side(width)
    if lanes.parked:
        raise Parked
    if lanes.withdrawn:
        raise Withdrawn


_current: ContextVar[_Lanes | None] = ContextVar("wrkflw_current_lanes", default=None)


def is_lane_ending() -> bool:
    """Tell whether the lane that this is called in was told to end, with all beside it."""
    lanes = _current.get()
    while lanes is not None:
        if lanes.is_ending():
            return True
        lanes = lanes.outer
    return False


class _Lanes:
    def __init__(self, waiting: Sequence[int], work: Work, waits: Waits) -> None:
        self._waiting = iter(waiting)
        self._work = work
        self._waits = waits
        self._may_begin = True
        self._left = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._raised: BaseException | None = None
        self._parent = asyncio.current_task()
        self._cancels = self._parent.cancelling() if self._parent is not None else 0
        self.outer = _current.get()
        self.parked = False
        self.withdrawn = False

    async def side_by_side(self, width: int) -> None:
        """Let that many tasks take the pieces."""
        self._left = width
        self._waits.begin_lanes(width)
        try:
            async with asyncio.TaskGroup() as group:
                self._tasks = [group.create_task(self._lane()) for _ in range(width)]
        finally:
            # Of a lane that was cancelled before it began nothing is counted but this.
            for _ in range(self._left - 1):
                self._waits.end_lane()
        if self._raised is not None:
            raise self._raised

    def is_ending(self) -> bool:
        """Tell whether a lane has raised, or the task that waits for them was cancelled."""
        if self._raised is not None:
            return True
        return self._parent is not None and self._parent.cancelling() > self._cancels

    async def _lane(self) -> None:
        _current.set(self)
        is_side_by_side.set(True)  # in this task's own context
        try:
            await self.take(is_task=True)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # A group that is told cancels the task around it too, which stays marked as cancelled.
            self._stop(error)
        finally:
            if self._left > 1:
                self._left -= 1
                self._waits.end_lane()

    def _stop(self, error: BaseException) -> None:
        """Keep the first error, and cancel the other lanes: what comes of that is not looked at."""
        if self._raised is not None:
            return
        self._raised = error
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def take(self, *, is_task: bool = False) -> None:
        """Do one piece after another."""
        try:
            for index in self._waiting:
                if not self._may_begin or (is_task and _is_cancelled()):
                    return
                self._may_begin &= await self._work(index)
        except Parked:
            self.parked = True
        except Withdrawn:
            self.withdrawn = True


def _is_cancelled() -> bool:
    """Tell whether this task was cancelled, though a step swallowed that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
