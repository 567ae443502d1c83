"""One attempt of a step: the call itself, its timeout, and how it is stopped."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.context import Bail, Suspend
from wrkflw_tui.engine.errors import StepTimeout
from wrkflw_tui.engine.threads import call_on_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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


async def attempt(
    step: Step[object, object],
    arguments: tuple[object, ...],
    cancelled: StopFlag,
    clock: Clock,
    is_ending: Callable[[], bool],
) -> object:
    """Call the step's function and return what it returns. Raises `AttemptFailed`.

    `cancelled` is set when the step should stop: its time is up, or the caller is cancelled.
    `is_ending` tells whether this task was told to end.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        if step.timeout is not None:
            result = await _call_in_time(step, arguments, step.timeout, cancelled, clock)
        else:
            result = await _called(step, arguments)
    except BaseException as error:
        raised = _outcome(error, task, before)
        if isinstance(raised, asyncio.CancelledError):
            cancelled.set()
        else:
            _settle(task, before, is_ending)
        if raised is error:
            raise
        raise raised from error
    _settle(task, before, is_ending)
    return result


def _settle(task: asyncio.Task[object] | None, before: int, is_ending: Callable[[], bool]) -> None:
    """Take back the marks of a cancel that a step leaves on its task.

    Task groups of Python 3.11 leave theirs where a child has failed. One that is meant for the run
    was swallowed by the step: then nothing may come after it.
    """
    if task is None or task.cancelling() <= before:
        return
    if is_ending():
        raise asyncio.CancelledError
    while task.cancelling() > before:
        task.uncancel()


def _called(step: Step[object, object], arguments: tuple[object, ...]) -> Awaitable[object]:
    if step.is_async:
        return cast("Awaitable[object]", step.function(*arguments))
    return call_on_thread(step.function, *arguments)


def _outcome(error: BaseException, task: asyncio.Task[object] | None, before: int) -> BaseException:
    """Return what is raised where a step's function has raised something."""
    if isinstance(error, asyncio.CancelledError):
        if task is not None and task.cancelling() > before:
            return error
        return AttemptFailed(error)  # the step's own doing: nobody cancelled it
    if isinstance(error, BaseExceptionGroup):
        # A task group of the step's own wraps what its tasks raise.
        group = cast("BaseExceptionGroup[BaseException]", error)
        asked = group.subgroup((Suspend, Bail))
        return AttemptFailed(group) if asked is None else _first(asked)
    if isinstance(error, AttemptFailed | Suspend | Bail | GeneratorExit | KeyboardInterrupt):
        return error
    # sys.exit() in a step ends the step, not the process that walks the run.
    return AttemptFailed(error)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner  # pyright: ignore[reportUnknownArgumentType] - a group's parameter is not narrowed


async def _call(step: Step[object, object], arguments: tuple[object, ...]) -> object:
    """Call the function in a task of its own."""
    try:
        return await _called(step, arguments)
    except BaseException as error:
        raised = _outcome(error, asyncio.current_task(), 0)
        if raised is error:
            raise
        raise raised from error


async def _call_in_time(
    step: Step[object, object],
    arguments: tuple[object, ...],
    limit: timedelta,
    cancelled: StopFlag,
    clock: Clock,
) -> object:
    """Like `_call`, for `limit` at most; `cancelled` is set when the step should stop."""
    calling = asyncio.create_task(_call(step, arguments))
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
