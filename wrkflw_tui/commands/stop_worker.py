"""`wrkflw-tui worker --stop`: the worker that there is ends, gently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.commands.printing import say
from wrkflw_tui.commands.record import reading
from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.store import leases
from wrkflw_tui.worker.ending import end_holder

if TYPE_CHECKING:
    from wrkflw_tui.config import Config


def stop_worker(config: Config) -> int:
    """End it and return 0; 1 where there is none. Raises `WorkerStays`."""
    with reading(config) as connection:
        lease = leases.find(connection, leases.WORKER)
    if lease is None or not lease.holds(micros_now()):
        say(f"no worker is there for {config.database}")
        return 1
    end_holder(lease)
    say(f"worker {lease.pid} has ended; its unfinished runs go on with the next one")
    return 0
