"""The line from a worker to a process it started: standard input, which breaks with the worker."""

from __future__ import annotations

import os
import signal
from typing import BinaryIO


def take_line() -> BinaryIO:
    """Keep standard input for ourselves; an automation and its children get an empty one."""
    line = os.fdopen(os.dup(0), "rb", buffering=0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return line


def end_group() -> None:
    """End this process and all that it started, as far as it is in its group."""
    os.killpg(os.getpgrp(), signal.SIGKILL)
