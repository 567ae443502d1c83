"""The app's end by a signal: in order if it can be, for certain in any case."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import FrameType

Handlers: TypeAlias = dict[signal.Signals, Any]
"""What answered each signal before: whatever `signal.signal` gives back."""

PATIENCE = 15.0
"""Seconds after which an end in order has failed."""


def on_signals(loop: asyncio.AbstractEventLoop, end: Callable[[int], object]) -> Handlers:
    """Call `end` in the loop, with the exit code, when told to end; return the handlers before.

    Not the loop's own way: when the terminal goes, the loop may already wait for its writer.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}

    def told(number: int, _frame: FrameType | None) -> None:
        see_to_end(128 + number)
        leave_lost_terminal()
        loop.call_soon_threadsafe(end, 128 + number)

    return {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGHUP)}


def restore_signals(before: Handlers) -> None:
    """Let the signals be answered as before."""
    for number, handler in before.items():
        signal.signal(number, handler)


def see_to_end(code: int) -> None:
    """End the process with `code` even if the app cannot: its writes may wait for ever."""
    timer = threading.Timer(PATIENCE, os._exit, (code,))
    timer.daemon = True
    timer.start()


def leave_lost_terminal() -> None:
    """Let writes go nowhere if the terminal is gone.

    Else Textual's writer dies of the first error, and the app waits for it for ever.
    """
    if _terminal_is_gone():
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _terminal_is_gone() -> bool:
    if sys.platform == "win32":
        return False
    import termios

    try:
        termios.tcgetattr(2)
    except termios.error as error:
        # Anything else, such as ENOTTY, means that there was no terminal to lose.
        return error.args[0] == errno.EIO
    return False
