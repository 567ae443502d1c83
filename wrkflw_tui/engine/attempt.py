"""One attempt of a step: the call itself, its timeout, and how it is stopped."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.context import Bail, Suspend
from wrkflw_tui.engine.errors import StepTimeout
from wrkflw_tui.engine.threads import call_on_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from wrkflw_tui.engine.clock import Clock
    from wrkflw_tui.engine.context import StopFlag
    from wrkflw_tui.engine.step import Step

GRACE = timedelta(seconds=2)
"""How long a step that was told to stop may take to do so before it is left behind."""


class AttemptFailed(Exception):
    """The step's function raised, or its time was up."""

    def __init__(self, original: BaseException, *, left_behind: bool = False) -> None:
        super().__init__(original)
        self.original = original
        self.left_behind = left_behind
        """Whether the call is still going on: it did not stop when told to."""


def cancels() -> int:
    """Count how often this task was cancelled, and did not end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def call(step: Step[object, object], arguments: tuple[object, ...]) -> object:
    """Call the step's function and return what it returns. Raises `AttemptFailed`."""
    try:
        if step.is_async:
            return await cast("Awaitable[object]", step.function(*arguments))
        return await call_on_thread(step.function, *arguments)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise AttemptFailed(error) from error  # the step's own doing: nobody cancelled it
    except BaseExceptionGroup as group:
        # A task group of the step's own wraps what its tasks raise.
        asked = group.subgroup((Suspend, Bail))
        if asked is not None:
            raise _first(asked) from None
        raise AttemptFailed(group) from group
    except (Exception, SystemExit) as error:
        # sys.exit() in a step ends the step, not the process that walks the run.
        raise AttemptFailed(error) from error


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner  # pyright: ignore[reportUnknownArgumentType] - a group's parameter is not narrowed


async def call_in_time(
    step: Step[object, object],
    arguments: tuple[object, ...],
    limit: timedelta,
    cancelled: StopFlag,
    clock: Clock,
) -> object:
    """Like `call`, for `limit` at most; `cancelled` is set when the step should stop."""
    calling = asyncio.create_task(call(step, arguments))
    timer = asyncio.create_task(clock.sleep(limit))
    try:
        await asyncio.wait({calling, timer}, return_when=asyncio.FIRST_COMPLETED)
        if calling.done():
            return calling.result()
        cancelled.set()
        left_behind = await _stop(step, calling, wait=True)
    except asyncio.CancelledError:
        cancelled.set()
        await _stop(step, calling, wait=step.is_async)
        raise
    finally:
        timer.cancel()
    late = StepTimeout(f"{step.id} took longer than its timeout of {limit.total_seconds():g} s")
    raise AttemptFailed(late, left_behind=left_behind)


async def _stop(step: Step[object, object], call: asyncio.Task[object], *, wait: bool) -> bool:
    """Tell a call to stop; return whether it goes on all the same."""
    if step.is_async:
        call.cancel()
    if wait:
        await asyncio.wait({call}, timeout=GRACE.total_seconds())
    if call.done():
        if not call.cancelled():
            call.exception()  # looked at, so that the loop does not report it as lost
        return False
    call.cancel()
    return True
