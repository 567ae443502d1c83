"""Several walks side by side: a few tasks that take the next piece of work when they are free."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Work: TypeAlias = "Callable[[int], Awaitable[bool]]"
"""Does one piece; returns whether the next may be begun."""


async def run_lanes(waiting: Sequence[int], width: int, work: Work) -> None:
    """Do all pieces in their order, at most `width` at once.

    Once `work` returns false no more begin, and those in flight finish. What it raises, and a
    cancel, reaches all that are in flight; they are waited for.
    """
    lanes = _Lanes(waiting, work)
    width = min(width, len(waiting))
    if width <= 1:
        await lanes.go(is_task=False)
        return
    raised: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(width):
                group.create_task(lanes.go(is_task=True))
    except BaseExceptionGroup as errors:
        raised = errors.exceptions[0]  # the others are what came of cancelling their lanes
    if raised is not None:
        raise raised


class _Lanes:
    def __init__(self, waiting: Sequence[int], work: Work) -> None:
        self._waiting = iter(waiting)
        self._work = work
        self._may_begin = True

    async def go(self, *, is_task: bool) -> None:
        for index in self._waiting:
            if not self._may_begin or (is_task and _is_cancelled()):
                return
            self._may_begin &= await self._work(index)


def _is_cancelled() -> bool:
    """Tell whether this task was cancelled, though a step swallowed that."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
