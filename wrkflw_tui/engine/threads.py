"""Synchronous functions, called beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
STEP_THREAD = "wrkflw-step"
"""The name of the threads that synchronous steps are called on."""


async def call_on_thread(function: Callable[..., T], *arguments: object) -> T:
    """Call `function` on a thread of its own and return what it returns.

    A daemon thread, not a pool's: one that never ends holds neither a place nor the process. When
    the caller is cancelled the thread is left behind and its result is discarded.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type] - T itself where there is no error
        else:
            done.set_exception(error)

    def run() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = context.run(function, *arguments)
        except StopIteration as error:
            failure = RuntimeError("the step raised StopIteration")  # a future cannot carry it
            failure.__cause__ = error
        except (KeyboardInterrupt, GeneratorExit) as error:
            # On this thread it is the step's own doing, and not meant for the loop.
            failure = RuntimeError(f"the step raised {type(error).__name__}")
            failure.__cause__ = error
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits for the result any more
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name=STEP_THREAD, daemon=True).start()
    return await done
