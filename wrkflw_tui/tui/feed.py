"""The record, as changes: a thread of its own looks what is new and tells whoever listens.

It knows no Textual, so that it can look while that is still being loaded.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.store.file import Place, connect, is_over, prepare
from wrkflw_tui.store.trouble import UNREADABLE, RecordReplaced, named
from wrkflw_tui.tui.known import Change
from wrkflw_tui.tui.look import Look

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

LOOKS = 1 / 15
"""Seconds between two looks at the record."""

PAUSE = 0.1
"""The least seconds between two messages: more often nobody can read."""


class Feed:
    """Looks at the record and tells what changed, until it is stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended = threading.Event()
        # A daemon: a look that hangs on a locked file must not hold the process at exit.
        self._thread = threading.Thread(target=self._watch, name="wrkflw-feed", daemon=True)
        self._news = threading.Condition()
        self._untold: list[Change] = []
        self._listener: Callable[[Change], object] | None = None
        self._place = Place(path)
        self._has_begun = False

    def start(self) -> None:
        """Begin to look, if it has not begun yet; what is found waits for a listener."""
        if self._thread.ident is None:
            self._thread.start()

    def first(self, patience: float) -> Change | None:
        """Return what the first look found, if it is there within so many seconds.

        What went wrong is left to the listener.
        """
        with self._news:
            self._news.wait_for(lambda: self._untold, patience)
            if self._untold and not self._untold[0].problem:
                return self._untold.pop(0)
        return None

    def listen(self, listener: Callable[[Change], object]) -> None:
        """Tell `listener`, on the feed's thread, what was found so far and whatever follows."""
        with self._news:
            untold, self._untold = self._untold, []
            for change in untold:
                listener(change)
            self._listener = listener

    def stop(self) -> None:
        """End it."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1)

    def _watch(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except (WrkflwError, *UNREADABLE, OSError) as error:
                if isinstance(error, RecordReplaced):
                    self._has_begun = False  # that one is shown from here on
                self._tell(Change(problem=str(named(error, self._path))))
                self._ended.wait(2)

    def _follow(self) -> None:
        if self._has_begun:
            self._place.check()  # one that was taken away is waited for, not made anew
        prepare(self._path)
        self._place = Place(self._path)
        self._place.check()
        self._has_begun = True
        connection = connect(self._path, read_only=True)
        try:
            look = Look(connection, self._path)
            version = _version(connection)  # before the look: what comes amid it is seen again
            self._tell(look.first())
            while not self._ended.is_set():
                self._place.check()
                if is_over(connection, self._path):
                    return
                seen = _version(connection)
                if seen == version:
                    self._ended.wait(LOOKS)
                    continue
                version = seen
                began = time.monotonic()
                self._tell(look.again())
                self._ended.wait(max(LOOKS, PAUSE - (time.monotonic() - began)))
        finally:
            connection.close()

    def _tell(self, change: Change) -> None:
        with self._news:
            if self._ended.is_set():
                return
            if self._listener is not None:
                self._listener(change)
            else:
                self._untold.append(change)
                self._news.notify_all()


def _version(connection: sqlite3.Connection) -> int:
    """Return what moves with every commit of anyone else."""
    return connection.execute("PRAGMA data_version").fetchone()[0]
