"""What runs of this process are told, and that anything changed: looked for while anybody waits."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Generator

    from wrkflw_tui.store.database import Database
    from wrkflw_tui.store.journal import SqliteJournal

LOOK = 0.05
"""Seconds between two looks at the record."""


@dataclass(slots=True, eq=False)
class _Ear:
    """Who listens in one event loop."""

    journals: set[SqliteJournal] = field(default_factory=set["SqliteJournal"])
    watches: set[Watch] = field(default_factory=set["Watch"])
    timer: asyncio.TimerHandle | None = None
    version: object = None
    """The file's `data_version` at the last look."""

    @property
    def is_needed(self) -> bool:
        return bool(self.journals or self.watches)


class Watch:
    """Waits for commits, of this process too; misses none from the moment it is made."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def tell(self) -> None:
        """Say that somebody has committed."""
        self._changed.set()

    async def change(self) -> None:
        """Return once somebody has committed since the last call."""
        await self._changed.wait()
        self._changed.clear()


class Listener:
    """Hands new messages to the journals of the runs that they are for.

    One for each storage, however many runs are walked or waited for: it looks at the file's
    `data_version`, and reads the messages only where somebody has committed since.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ears: dict[asyncio.AbstractEventLoop, _Ear] = {}

    def add(self, journal: SqliteJournal) -> None:
        """Begin to listen for a run."""
        self._ear().journals.add(journal)

    def remove(self, journal: SqliteJournal) -> None:
        """Listen for a run no longer."""
        loop = asyncio.get_running_loop()
        ear = self._ears.get(loop)
        if ear is not None:
            ear.journals.discard(journal)
            self._close_if_idle(loop, ear)

    @contextmanager
    def watch(self) -> Generator[Watch]:
        """Give what waits for changes of the record; make it before the record is read."""
        loop = asyncio.get_running_loop()
        ear, watch = self._ear(), Watch()
        ear.watches.add(watch)
        try:
            yield watch
        finally:
            ear.watches.discard(watch)
            self._close_if_idle(loop, ear)

    def journals(self) -> list[SqliteJournal]:
        """Return the journals of this event loop that listen."""
        ear = self._ears.get(asyncio.get_running_loop())
        return [] if ear is None else list(ear.journals)

    async def look_now(self) -> None:
        """Look at once: this process itself has told a run something."""
        ear = self._ears.get(asyncio.get_running_loop())
        if ear is not None:
            ear.version = None
            self._take(ear, await self._database.read(self._reading(ear)))

    def _ear(self) -> _Ear:
        loop = asyncio.get_running_loop()
        ear = self._ears.get(loop)
        if ear is None:
            ear = self._ears[loop] = _Ear()
            ear.timer = loop.call_later(LOOK, self._look, loop, ear)
        return ear

    def _close_if_idle(self, loop: asyncio.AbstractEventLoop, ear: _Ear) -> None:
        if not ear.is_needed and self._ears.get(loop) is ear:
            del self._ears[loop]
            if ear.timer is not None:
                ear.timer.cancel()

    def _look(self, loop: asyncio.AbstractEventLoop, ear: _Ear) -> None:
        def done(rows: list[sqlite3.Row] | None, _: BaseException | None) -> None:
            if self._ears.get(loop) is ear:  # else nobody listens any more
                ear.timer = loop.call_later(LOOK, self._look, loop, ear)
            self._take(ear, rows)

        self._database.submit_read(self._reading(ear), loop, done)

    def _reading(self, ear: _Ear) -> Callable[[sqlite3.Connection], list[sqlite3.Row] | None]:
        """Return the work that reads what none of the journals has heard of yet.

        It returns `None` where nobody has committed since the last look.
        """
        heard = [journal.record.last_message for journal in ear.journals if journal.key is not None]
        since = min(heard, default=None)

        def read(connection: sqlite3.Connection) -> list[sqlite3.Row] | None:
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version == ear.version:
                return None
            ear.version = version
            if since is None:
                return []
            return connection.execute(
                "SELECT id, run, kind, path, name, payload, refused, taken_by"
                " FROM wrkflw_messages WHERE id > ? ORDER BY id",
                (since,),
            ).fetchall()

        return read

    def _take(self, ear: _Ear, rows: list[sqlite3.Row] | None) -> None:
        if rows is None:
            return
        for watch in ear.watches:
            watch.tell()
        if rows:
            for journal in list(ear.journals):
                journal.heard(rows)
