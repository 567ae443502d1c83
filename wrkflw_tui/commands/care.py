"""A worker for the run that a command has queued: found, or started in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from wrkflw_tui.commands.printing import say
from wrkflw_tui.commands.record import write
from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.store import leases
from wrkflw_tui.worker.spawn import WorkerNotStarted, log_file, spawn

if TYPE_CHECKING:
    import sqlite3
    import subprocess
    from collections.abc import Callable

    from wrkflw_tui.config import Config

T = TypeVar("T")

TRIES = 3
"""How many workers may end badly in a row before no other is started."""


def has_worker(connection: sqlite3.Connection) -> bool:
    """Tell whether a worker is there."""
    lease = leases.find(connection, leases.WORKER)
    return lease is not None and lease.holds(micros_now())


class Care:
    """Sees to it that a worker is there: one that is started ends when nothing is left to do."""

    def __init__(self, config: Config, *, quiet: bool = False) -> None:
        self._config = config
        self._quiet = quiet
        self._started: subprocess.Popen[bytes] | None = None
        self._failures = 0

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Put work for a worker on record, and start one if there is none.

        Whether there is one is asked in the same transaction: a worker that is about to end has
        either seen the work, or is seen to be gone. Raises what `work` raises.
        """
        result, is_there = write(self._config, lambda c: (work(c), has_worker(c)))
        if not is_there:
            self._start()
        return result

    def look(self, connection: sqlite3.Connection) -> None:
        """Start a worker where the last one is gone. Raises `WorkerNotStarted`."""
        if has_worker(connection):
            self._failures = 0
            return
        if self._started is not None:
            code = self._started.poll()
            if code is None:
                return  # it is on its way
            self._failures += code != 0
        if self._failures >= TRIES:
            raise WorkerNotStarted(
                f"no worker could begin, the run is queued: see {log_file(self._config)}"
            )
        self._start()

    def _start(self) -> None:
        if not self._quiet:
            say("starting a worker in the background")
        self._started = spawn(self._config, "--until-idle")
