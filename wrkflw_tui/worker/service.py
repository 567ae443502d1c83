"""The worker as a process: its signals, its log, and its line to the app that started it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from wrkflw_tui.worker.link import LEAVE_WORD, STOP_WORD
from wrkflw_tui.worker.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrkflw_tui.config import Config


def serve(config: Config, *, max_runs: int, for_app: bool, until_idle: bool = False) -> int:
    """Run a worker until it is told to stop, or is idle; return the exit code."""
    # The thread that commits holds everybody up while it waits for one that reads much output.
    sys.setswitchinterval(0.0005)
    asyncio.run(_serve(config, max_runs, for_app, until_idle))
    return 0


async def _serve(config: Config, max_runs: int, for_app: bool, until_idle: bool) -> None:
    worker = Worker(config, max_runs=max_runs, tell=_say)
    if until_idle:
        worker.stop_when_idle()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, worker.stop)
    if for_app:
        threading.Thread(
            target=_follow_app, args=(loop, worker), name="wrkflw-line", daemon=True
        ).start()
    await worker.run()


def _follow_app(loop: asyncio.AbstractEventLoop, worker: Worker) -> None:
    """Do what the app says on standard input. Without a word it crashed: finish and end."""
    with os.fdopen(os.dup(0), "rb", buffering=0) as line:
        word = line.readline()
    react: Callable[[], object] = worker.stop_when_idle
    if word == STOP_WORD:
        react = worker.stop
    elif word == LEAVE_WORD:
        return
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(react)


def _say(text: str) -> None:
    now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    with suppress(OSError, ValueError):  # the log may lie on the disk that is full
        print(f"{now}  {text}", file=sys.stderr, flush=True)
