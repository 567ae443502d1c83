"""Runs taken off the record and room given back, in steps so small that nobody waits for them.

A run goes in one moment: its row is deleted, and nobody sees it any more. What belonged to it is
cleared away after that, bit by bit; its key is never used again, so nobody else is given it.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.store import retention
from wrkflw_tui.store.file import Turn, connect, transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wrkflw_tui.store.retention import Surplus

T = TypeVar("T")

STEP = 0.002
"""Seconds of work in one transaction, after which it is committed."""
REMEMBERED = 10_000
"""How many removed runs are known by their ids."""
FEW = 8
"""Rows that are cleared away, or pages given back, between two looks at the clock."""
LISTED = 200
"""Runs that are looked up at a time."""
CHECKPOINT = 4
"""Steps after which their pages are moved into the file: else the next who commits would do it."""

_LONG = ("wrkflw_step_results", "wrkflw_run_logs")
"""Tables that may have many or large rows of one run."""


@dataclass(frozen=True, slots=True)
class Space:
    """How much room the file takes."""

    page: int
    pages: int
    free: int
    """Pages that hold nothing."""
    gives_back: bool
    """Whether it can be made smaller in steps."""

    @property
    def size(self) -> int:
        """The file's bytes."""
        return self.page * self.pages


def space(connection: sqlite3.Connection) -> Space:
    """Measure the file."""

    def ask(name: str) -> int:
        return cast("int", connection.execute(f"PRAGMA {name}").fetchone()[0])

    pages, free = ask("page_count"), ask("freelist_count")
    return Space(ask("page_size"), pages, free, ask("auto_vacuum") == 2)


class Stopped(Exception):
    """There is no time for more; what was done so far holds."""


class Housekeeper:
    """Works on the file in one thread, on a connection of its own.

    `rest` is called between two steps, with the seconds that the last one took; it waits, so that
    others get on, and returns whether to stop.
    """

    def __init__(self, path: Path, rest: Callable[[float], bool]) -> None:
        self._rest = rest
        self._turn = Turn(path)
        self.connection = connect(path)
        # Else a run could only go together with all that belongs to it.
        self.connection.execute("PRAGMA foreign_keys = OFF")
        # What is freed is not overwritten where that would mean to write more.
        self.connection.execute("PRAGMA secure_delete = FAST")
        self.connection.execute("PRAGMA wal_autocheckpoint = 0")  # not within anyone's turn
        self._steps = 0

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
        self._turn.close()

    # -- runs

    def remove(self, surplus: Surplus) -> int:
        """Take its runs off the record; return how many. Raises `Stopped`."""
        removed, last = 0, (-1, -1)
        while found := retention.ended(self.connection, surplus, LISTED, last):
            last = found[-1]  # some may stay: none is looked up twice
            keys = [key for _, key in found]
            while keys:
                removed += self._step(lambda ends, keys=keys: self._remove_some(keys, ends))
        return removed

    def _remove_some(self, keys: list[int], ends: float) -> int:
        """Remove the first of the runs, as far as the time goes; take them from the list."""
        connection, now, removed = self.connection, micros_now(), 0
        connection.execute(
            "UPDATE wrkflw_keeping SET removed_revision = max(removed_revision,"
            " (SELECT coalesce(max(revision), 0) FROM wrkflw_workflow_runs)),"
            " removed_run = max(removed_run, (SELECT max(id) FROM wrkflw_workflow_runs))"
        )
        while keys:
            key = keys.pop(0)
            row = connection.execute(
                # Somebody may have taken it up again meanwhile.
                "DELETE FROM wrkflw_workflow_runs WHERE id = ?"
                " AND status IN ('success', 'failed', 'cancelled')"
                f" AND {retention.SETTLED} RETURNING run_id",
                (key,),
            ).fetchone()
            if row is not None:
                removed += 1
                connection.execute(
                    "INSERT INTO wrkflw_removed_runs (run, run_id, removed_at) VALUES (?, ?, ?)",
                    (key, row["run_id"], now),
                )
            if time.monotonic() >= ends:
                break
        connection.execute(
            "DELETE FROM wrkflw_removed_runs WHERE is_cleared = 1 AND n <="
            " (SELECT max(n) FROM wrkflw_removed_runs) - ?",
            (REMEMBERED,),
        )
        return removed

    def clear(self) -> None:
        """Clear away what belonged to runs that are gone. Raises `Stopped`."""
        tables = self._belonging()
        while self._is_left():
            self._step(lambda ends: self._clear_some(tables, ends))

    def _is_left(self) -> bool:
        left = "SELECT 1 FROM wrkflw_removed_runs WHERE is_cleared = 0 LIMIT 1"
        return self.connection.execute(left).fetchone() is not None

    def _belonging(self) -> list[str]:
        """Return the tables whose rows belong to a run: each names it in the column `run`."""
        rows = self.connection.execute(
            "SELECT name FROM sqlite_master AS made WHERE type = 'table' AND EXISTS (SELECT 1"
            " FROM pragma_foreign_key_list(made.name) WHERE \"table\" = 'wrkflw_workflow_runs')"
        )
        return [cast("str", row[0]) for row in rows]

    def _clear_some(self, tables: list[str], ends: float) -> None:
        while True:
            row = self.connection.execute(
                "SELECT n, run FROM wrkflw_removed_runs WHERE is_cleared = 0 ORDER BY n LIMIT 1"
            ).fetchone()
            if row is None or not self._is_cleared(tables, row["run"], ends):
                return
            self.connection.execute(
                "UPDATE wrkflw_removed_runs SET is_cleared = 1 WHERE n = ?", (row["n"],)
            )
            if time.monotonic() >= ends:
                return

    def _is_cleared(self, tables: list[str], key: int, ends: float) -> bool:
        """Delete what belongs to a run; return whether there was the time for all of it."""
        for table in tables:
            if table not in _LONG:
                self.connection.execute(f"DELETE FROM {table} WHERE run = ?", (key,))
                continue
            while self._delete_few(table, key):
                if time.monotonic() >= ends:
                    return False
        return True

    def _delete_few(self, table: str, key: int) -> bool:
        """Delete a run's first rows; return whether there may be more."""
        found = self.connection.execute(
            f"SELECT n FROM {table} WHERE run = ? ORDER BY n LIMIT {FEW}", (key,)
        ).fetchall()
        if found:
            self.connection.execute(
                f"DELETE FROM {table} WHERE run = ? AND n <= ?", (key, found[-1][0])
            )
        return len(found) == FEW

    # -- room

    def give_back(self, kept: int = 0) -> None:
        """Make the file smaller, until it has `kept` free pages. Raises `Stopped`."""
        while (now := space(self.connection)).gives_back and now.free > kept:
            self._step(lambda ends, most=now.free - kept: self._give_back_some(most, ends))
        self.checkpoint()

    def _give_back_some(self, most: int, ends: float) -> None:
        given = 0
        while given < most:
            pages = min(FEW, most - given)
            # Each row that is fetched is a page.
            self.connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
            given += pages
            if time.monotonic() >= ends:
                return

    def rebuild(self) -> bool:
        """Write the file anew without free pages, so that later it can give back in steps.

        All others wait for it. Returns whether it was done: not while a run is going.
        """
        with self._turn:
            if self.has_running():
                return False
            self.connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self.connection.execute("VACUUM")
        self.checkpoint()
        return True

    def has_running(self) -> bool:
        """Tell whether a run is going."""
        running = "SELECT 1 FROM wrkflw_workflow_runs WHERE status = 'running' LIMIT 1"
        return self.connection.execute(running).fetchone() is not None

    def checkpoint(self) -> None:
        """Move what was committed into the file; nobody waits for it."""
        with suppress(sqlite3.OperationalError):  # it can wait: somebody does it later
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def empty_log(self) -> None:
        """Let the log of writes take no room, if nobody reads or writes just now."""
        self.checkpoint()
        # It would keep writers out for as long as it waits for a reader: so it does not wait.
        self.connection.execute("PRAGMA busy_timeout = 0")
        try:
            with suppress(sqlite3.OperationalError):
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self.connection.execute("PRAGMA busy_timeout = 10000")

    def _step(self, work: Callable[[float], T]) -> T:
        with self._turn:
            began = time.monotonic()
            with transaction(self.connection):
                result = work(began + STEP)
            took = time.monotonic() - began
        self._steps += 1
        if self._steps % CHECKPOINT == 0:
            self.checkpoint()
        if self._rest(took):
            raise Stopped
        return result
