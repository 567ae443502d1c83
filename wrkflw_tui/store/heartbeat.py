"""Signs of life, given by a thread of its own: a step that blocks its loop keeps its claim."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.store import leases
from wrkflw_tui.store.file import Turn, connect, transaction
from wrkflw_tui.store.trouble import RecordReplaced

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Heartbeat:
    """Renews one lease until it is stopped, and says so once if the lease is lost."""

    def __init__(
        self, path: Path, name: str, holder: str, on_lost: Callable[[], object] | None = None
    ) -> None:
        self._path = path
        self._name = name
        self._holder = holder
        self._on_lost = on_lost
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="wrkflw-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; the lease itself stays until it expires or is given up."""
        self._stopped.set()

    def _beat(self) -> None:
        connection: sqlite3.Connection | None = None
        turn = Turn(self._path)
        while not self._stopped.wait(leases.HEARTBEAT):
            try:
                if connection is None:
                    connection = connect(self._path)
                with turn, transaction(connection):
                    held = leases.renew(connection, self._name, self._holder, micros_now())
            except RecordReplaced:
                held = False
            except (sqlite3.Error, StorageError, OSError):
                continue  # a full or locked disk: the next beat may get through in time
            if not held:
                if self._on_lost is not None:
                    self._on_lost()
                break
        turn.close()
        if connection is not None:
            connection.close()
