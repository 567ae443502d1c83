"""What runs of this process are told, from whichever process: looked for while any is walked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from wrkflw_tui.store.database import Database
    from wrkflw_tui.store.journal import SqliteJournal

LOOK = 0.05
"""Seconds between two looks at the record."""


class Listener:
    """Hands new messages to the journals of the runs that they are for.

    One for each storage. While journals listen it looks at the file's `data_version`, and reads
    the messages only where somebody has committed since.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._journals: dict[asyncio.AbstractEventLoop, set[SqliteJournal]] = {}
        self._timers: dict[asyncio.AbstractEventLoop, asyncio.TimerHandle] = {}
        self._versions: dict[asyncio.AbstractEventLoop, int] = {}

    def add(self, journal: SqliteJournal) -> None:
        """Begin to listen for a run."""
        loop = asyncio.get_running_loop()
        journals = self._journals.setdefault(loop, set())
        journals.add(journal)
        if loop not in self._timers:
            self._timers[loop] = loop.call_later(LOOK, self._look, loop)

    def remove(self, journal: SqliteJournal) -> None:
        """Listen for a run no longer."""
        loop = asyncio.get_running_loop()
        journals = self._journals.get(loop, set())
        journals.discard(journal)
        if not journals:
            self._journals.pop(loop, None)
            self._versions.pop(loop, None)
            timer = self._timers.pop(loop, None)
            if timer is not None:
                timer.cancel()

    def journals(self) -> list[SqliteJournal]:
        """Return the journals of this event loop that listen."""
        return list(self._journals.get(asyncio.get_running_loop(), ()))

    async def look_now(self) -> None:
        """Look at once: this process itself has told a run something."""
        loop = asyncio.get_running_loop()
        if loop in self._journals:
            self._versions.pop(loop, None)
            journals = self._listening(loop)
            self._dispatch(loop, journals, await self._database.read(self._reading(loop, journals)))

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        journals = self._listening(loop)

        def done(rows: list[sqlite3.Row] | None, _: BaseException | None) -> None:
            if loop in self._journals:  # else nobody listens any more
                self._timers[loop] = loop.call_later(LOOK, self._look, loop)
            self._dispatch(loop, journals, rows or [])

        self._database.submit_read(self._reading(loop, journals), loop, done)

    def _listening(self, loop: asyncio.AbstractEventLoop) -> list[SqliteJournal]:
        return [journal for journal in self._journals.get(loop, ()) if journal.key is not None]

    def _reading(
        self, loop: asyncio.AbstractEventLoop, journals: list[SqliteJournal]
    ) -> Callable[[sqlite3.Connection], list[sqlite3.Row]]:
        """Return the work that reads what none of the journals has heard of yet."""
        since = min((journal.record.last_message for journal in journals), default=0)

        def read(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if not journals or version == self._versions.get(loop):
                return []
            self._versions[loop] = version
            return connection.execute(
                "SELECT id, run, kind, path, name, payload, refused, taken_by"
                " FROM wrkflw_messages WHERE id > ? ORDER BY id",
                (since,),
            ).fetchall()

        return read

    def _dispatch(
        self,
        loop: asyncio.AbstractEventLoop,
        journals: list[SqliteJournal],
        rows: list[sqlite3.Row],
    ) -> None:
        for journal in journals if rows else ():
            if journal in self._journals.get(loop, ()):
                journal.heard(rows)
