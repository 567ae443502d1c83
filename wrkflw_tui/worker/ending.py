"""Ending the worker that holds the record, whoever has started it."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import WrkflwError

if TYPE_CHECKING:
    from wrkflw_tui.store.leases import Lease

STOP_TIME = 12.0
"""Seconds that a worker may take to end gently."""
LOOK = 0.05
"""Seconds between two looks whether it has ended."""


class WorkerStays(WrkflwError):
    """The worker could not be ended; says why, and what to do."""


def end_holder(lease: Lease) -> None:
    """Tell the process that holds a lease to end gently, and wait until it is gone.

    Its unfinished runs are queued and go on with the next worker. Raises `WorkerStays`.
    """
    if lease.host != socket.gethostname():
        raise WorkerStays(f"the worker runs on {lease.host} (process {lease.pid}): stop it there")
    try:
        os.kill(lease.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise WorkerStays(
            f"the worker (process {lease.pid}) belongs to another user: it goes on"
        ) from None
    deadline = time.monotonic() + STOP_TIME
    while time.monotonic() < deadline:
        if not _is_there(lease):
            return
        time.sleep(LOOK)
    raise WorkerStays(f"the worker (process {lease.pid}) was told to end and has not yet")


def _is_there(lease: Lease) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(lease.pid, os.WNOHANG)  # where it is a child of this process
    return lease.holds(min(micros_now(), lease.expires_at - 1))
