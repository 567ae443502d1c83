"""Timeouts that a process cannot keep by itself: it is stopped, or one call holds all of it up.

Its steps' timeouts are kept by the runner. It tells the worker of them too, over the socket that
brings the pipes of its children; where a step is still there some seconds after it should have
been stopped, the worker ends the process.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

TIMED = b"t"
"""Begins a message about a step's time: it tells them from those that bring a pipe."""
PATIENCE = 5.0
"""Seconds after its timeout that a step, and its process, have to end by themselves."""


class Overseer:
    """The runner's end."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def watch(self, path: str, limit: timedelta | None) -> None:
        """Say that a step has so much time from now, or with `None` that it has ended."""
        seconds = "" if limit is None else f"{limit.total_seconds():g}"
        message = TIMED + f"{seconds}:{path}".encode("utf-8", "backslashreplace")[:4000]
        with suppress(OSError):  # a worker that does not listen is not waited for
            self._line.send(message, socket.MSG_DONTWAIT)


class Times:
    """The worker's end, for one runner."""

    def __init__(self, overdue: Callable[[str], object]) -> None:
        self._overdue = overdue
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def hear(self, message: bytes) -> None:
        """Take what the runner has said; `overdue` is called with what is wrong, if ever."""
        seconds, _, path = message[len(TIMED) :].decode("utf-8", "replace").partition(":")
        timer = self._timers.pop(path, None)
        if timer is not None:
            timer.cancel()
        if seconds:
            why = (
                f"the process was killed: {path} did not end with its timeout of {seconds} s,"
                " and held up the whole process"
            )
            later = asyncio.get_running_loop().call_later
            self._timers[path] = later(float(seconds) + PATIENCE, self._overdue, why)

    def forget(self) -> None:
        """Wait for nothing any more."""
        while self._timers:
            self._timers.popitem()[1].cancel()
