"""What only Linux can do for the end of a run: adopt orphans, die with the worker, be found again.

Elsewhere these say that they cannot, and the plainer ways must do.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.worker.line import end_group

if TYPE_CHECKING:
    from collections.abc import Iterable

IS_LINUX = sys.platform == "linux"
TOKEN_VARIABLE = "WRKFLW_RUN_TOKEN"
NO_TOKEN = "0" * 32
"""Stands in the environment until there is a run: as long as a token, which takes its place."""

_ARENA_MAX = -8
_SET_NAME = 15
_SET_CHILD_SUBREAPER = 36
_QUIET = 0.005
"""Seconds without a new process after which nobody is taken to start any as fast as they can."""
_CHASE = 0.5
"""Seconds that they are chased for at a time."""
_CLEAN = 5
"""How many looks in a row must find none of them where somebody does start processes."""
_NEAR = 6
"""How many of the newest numbers are tried: several may be at it."""
_PASSES = 20
"""How often the processes are looked through for more: one may start another meanwhile."""


def _prctl(option: int, argument: int | bytes) -> bool:
    if not IS_LINUX:
        return False
    with suppress(OSError, AttributeError):
        return ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0) == 0
    return False


def adopt_orphans() -> bool:
    """Become the parent of what is orphaned below this process. Returns whether that is so."""
    return _prctl(_SET_CHILD_SUBREAPER, 1)


def name_process(name: str) -> None:
    """Give this process its name in lists of processes."""
    _prctl(_SET_NAME, name.encode())


def die_with(life: int) -> None:
    """End this process and its group as soon as the other end of the pipe `life` is closed.

    The kernel sends the signal by itself: no step can hold it up. Whoever leads no group of its
    own is not meant, and nothing happens.
    """
    if not IS_LINUX or os.getpgrp() != os.getpid():
        return
    fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(life, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    look = select.poll()
    look.register(life, 0)
    if look.poll(0):
        end_group()  # it was closed before the kernel was asked


def outlive(life: int) -> None:
    """Undo `die_with`, for what this process leaves behind."""
    if IS_LINUX:
        with suppress(OSError):
            fcntl.fcntl(life, fcntl.F_SETFL, os.O_NONBLOCK)


def few_arenas() -> None:
    """Let all threads share one heap: else each keeps 64 MB of addresses for one of its own."""
    with suppress(OSError, AttributeError):  # not the C library that has this
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def size_of_self() -> int:
    """Return how many bytes of addresses this process has, or 0 where that is not known."""
    with suppress(OSError, ValueError), open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
    return 0


def token_of(run_id: str) -> str:
    """Return what marks the processes of a run."""
    return hashlib.sha256(run_id.encode()).hexdigest()[: len(NO_TOKEN)]


def bear(token: str) -> None:
    """Mark this process, and all that it starts from now on, as belonging to a run.

    Written over the environment that the process was started with: that is what others can read,
    and what a child has that was only forked.
    """
    os.environ[TOKEN_VARIABLE] = token
    if not IS_LINUX:
        return
    old = f"{TOKEN_VARIABLE}={NO_TOKEN}".encode()
    with suppress(OSError, ValueError):
        start, end = _environment_place()
        place = ctypes.string_at(start, end - start).find(old)
        if place >= 0:
            ctypes.memmove(start + place, f"{TOKEN_VARIABLE}={token}".encode(), len(old))


def _environment_place() -> tuple[int, int]:
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()
    return int(fields[47]), int(fields[48])  # env_start and env_end, counted from the third


def end_all(token: str) -> int:
    """End every process that bears the token, with all below it. Returns how many those were."""
    ended, clean, first = 0, 0, _newest()
    for _ in range(_PASSES):
        found = _bearers(token)
        ended += sum(_end(pid, token_of) for pid, token_of in found.items())
        chased = _chase(token)
        ended += chased
        clean = 0 if found or chased else clean + 1
        # Where somebody does start processes, one of ours may have been missed.
        if clean >= (2 if _newest() == first else _CLEAN):
            break
    return ended


def _chase(token: str) -> int:
    """End what starts its like and ends before a list of all is read, by the newest numbers.

    Returns how many those were.
    """
    ended = 0
    begun = moved = time.monotonic()
    newest = _newest()
    while (now := time.monotonic()) - moved < _QUIET and now - begun < _CHASE:
        before, newest = newest, _newest()
        if newest == before:
            continue
        moved = now
        for pid in range(newest, max(newest - _NEAR, 1), -1):
            if pid != os.getpid():
                ended += _end(pid, token)
    return ended


def _newest() -> int:
    """Return the number that was given to a process last, or -1."""
    with suppress(OSError, ValueError), open("/proc/loadavg", "rb") as file:
        return int(file.read().split()[-1])
    return -1


def end_below() -> None:
    """End every process below this one: some may bear no token, having cleared its environment."""
    for _ in range(_PASSES):
        found = _with_all_below({os.getpid(): None}, _parents())
        if not found:
            break
        for pid in found:
            _end(pid, None)


def _bearers(token: str) -> dict[int, str | None]:
    """Return the processes to be ended; those without the token are below one that has it."""
    mark = f"{TOKEN_VARIABLE}={token}\0".encode()
    parents = _parents()
    return _with_all_below({pid: token for pid in parents if _has(pid, mark)}, parents)


def _parents() -> dict[int, int]:
    """Return the processes that have not ended, with their parents."""
    parents: dict[int, int] = {}
    for pid in _processes():
        with suppress(OSError, ValueError, IndexError):
            state, parent = _state(pid)
            if state not in "ZX":
                parents[pid] = parent
    return parents


def _with_all_below(found: dict[int, str | None], parents: dict[int, int]) -> dict[int, str | None]:
    """Add what is below the processes found; this one itself is never among them."""
    added = True
    while added:
        below = [pid for pid, parent in parents.items() if parent in found and pid not in found]
        found.update(dict.fromkeys(below))
        added = bool(below)
    found.pop(os.getpid(), None)
    return found


def _processes() -> Iterable[int]:
    if not IS_LINUX:
        return []
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _state(pid: int) -> tuple[str, int]:
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()
    return fields[0].decode(), int(fields[1])


def _has(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read() + b"\0"
    except OSError:  # another person's
        return False


def _end(pid: int, token: str | None) -> bool:
    """Kill one process; a number that was given to another since is told by the token."""
    with suppress(OSError):
        handle = os.pidfd_open(pid)
        try:
            if token is not None and not _has(pid, f"{TOKEN_VARIABLE}={token}\0".encode()):
                return False
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            return True
        finally:
            os.close(handle)
    return False


def reap_strangers(known: set[int], seen: set[int]) -> set[int]:
    """Reap adopted processes that have ended; return those to be reaped at the next call.

    One that has only just ended may be somebody's who is about to ask for it: those in `seen` were
    here the last time too.
    """
    mine = os.getpid()
    ended: set[int] = set()
    if not IS_LINUX or not _some_ended():
        return ended
    for pid in _processes():
        with suppress(OSError, ValueError, IndexError):
            state, parent = _state(pid)
            if parent == mine and state == "Z" and pid not in known:
                ended.add(pid)
    for pid in ended & seen:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return ended - seen


def _some_ended() -> bool:
    with suppress(ChildProcessError):
        ways = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_ALL, 0, ways) is not None
    return False
