"""Who may act: one lease for the worker, one for each process that walks runs by itself."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import sqlite3

WORKER = "worker"
LEASE_MICROS = 15_000_000
"""How long a lease holds without a sign of life, in microseconds."""
HEARTBEAT = 3.0
"""Seconds between signs of life."""


@cache
def _own_start() -> float:
    import psutil

    return psutil.Process().create_time()


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that holds leases; its start tells a reused pid apart."""

    holder: str = field(default_factory=lambda: uuid.uuid4().hex)
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    process_started: float = field(default_factory=lambda: _own_start())


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease on record."""

    name: str
    holder: str
    host: str
    pid: int
    process_started: float
    acquired_at: int
    expires_at: int

    def holds(self, now: int) -> bool:
        """Tell whether its holder may still act: not expired, and not known to be gone."""
        return self.expires_at > now and not self._process_is_gone()

    def _process_is_gone(self) -> bool:
        if self.host != socket.gethostname():
            return False
        import psutil

        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.process_started) < 1.0
            return not same or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False


def find(connection: sqlite3.Connection, name: str) -> Lease | None:
    """Return the lease of that name."""
    row = connection.execute("SELECT * FROM wrkflw_leases WHERE name = ?", (name,)).fetchone()
    return None if row is None else _lease(row)


def of_holder(connection: sqlite3.Connection, holder: str | None) -> Lease | None:
    """Return a holder's lease."""
    row = connection.execute("SELECT * FROM wrkflw_leases WHERE holder = ?", (holder,)).fetchone()
    return None if row is None else _lease(row)


def take(connection: sqlite3.Connection, name: str, identity: Identity, now: int) -> bool:
    """Take the lease if it is free. Returns whether it was."""
    held = find(connection, name)
    if held is not None and held.holder != identity.holder and held.holds(now):
        return False
    connection.execute(
        "INSERT OR REPLACE INTO wrkflw_leases VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            name,
            identity.holder,
            identity.host,
            identity.pid,
            identity.process_started,
            now,
            now + LEASE_MICROS,
        ),
    )
    return True


def renew(connection: sqlite3.Connection, name: str, holder: str, now: int) -> bool:
    """Give a sign of life. Returns whether the lease is still this holder's."""
    changed = connection.execute(
        "UPDATE wrkflw_leases SET expires_at = ? WHERE name = ? AND holder = ?",
        (now + LEASE_MICROS, name, holder),
    )
    return changed.rowcount == 1


def give_up(connection: sqlite3.Connection, holder: str) -> None:
    """Let go of whatever the holder holds."""
    connection.execute("DELETE FROM wrkflw_leases WHERE holder = ?", (holder,))


def _lease(row: sqlite3.Row) -> Lease:
    return Lease(*cast("tuple[str, str, str, int, float, int, int]", tuple(row)))
