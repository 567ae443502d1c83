"""The runs that a server has started: whether they have ended, and whether a worker is there."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.worker.spawn import WorkerNotStarted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable

    from wrkflw_tui.commands.care import Care
    from wrkflw_tui.store.database import Database

LOOK = 0.05
"""Seconds between two looks at runs that somebody waits for."""
CARE = 1.0
"""Seconds between two looks whether a worker is there."""

_RESTS = "status IN ('success', 'failed', 'cancelled', 'suspended')"
_AT_WORK = "status IN ('queued', 'running', 'sleeping') AND trigger <> 'library'"


def unfinished(connection: sqlite3.Connection) -> list[str]:
    """Return the ids of the runs started by HTTP that a worker has something to do for."""
    sql = f"SELECT run_id FROM wrkflw_workflow_runs WHERE {_AT_WORK} AND trigger = 'http'"
    return [row["run_id"] for row in connection.execute(sql)]


def _those(connection: sqlite3.Connection, run_ids: Collection[str], condition: str) -> set[str]:
    rows = connection.execute(
        "SELECT run_id FROM wrkflw_workflow_runs"
        f" WHERE run_id IN (SELECT value FROM json_each(?)) AND {condition}",
        (json.dumps(list(run_ids)),),
    )
    return {row["run_id"] for row in rows}


class Ends:
    """Tells whoever waits for a run that it has ended, or waits to be told something.

    One look for all of them, and none while nobody waits.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[asyncio.Future[None], str] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def wait(self, run_id: str, seconds: float) -> None:
        """Return once the run rests, after that time, or when the server ends.

        Raises `StorageError`.
        """
        if self._closed:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = run_id
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(future, seconds)
        finally:
            self._waiting.pop(future, None)

    async def _look(self) -> None:
        while self._waiting:
            asked = set(self._waiting.values())
            try:
                rested = await self._database.read(lambda c, asked=asked: _those(c, asked, _RESTS))
            except StorageError as error:
                self._settle(asked, error)
            else:
                self._settle(rested, None)
            await asyncio.sleep(LOOK)

    def _settle(self, run_ids: Collection[str], error: StorageError | None) -> None:
        for future, run_id in list(self._waiting.items()):
            if run_id in run_ids and not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)

    def close(self) -> None:
        """Let everybody wait no longer."""
        self._closed = True
        self._settle(set(self._waiting.values()), None)


class Keeper:
    """Sees to it that a worker is there as long as one of the server's runs needs it."""

    def __init__(
        self, database: Database, make_care: Callable[[], Care], tell: Callable[[str], object]
    ) -> None:
        self._database = database
        self._make_care = make_care
        self._care = make_care()
        self._tell = tell
        self._runs: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def keep(self, run_ids: Iterable[str]) -> None:
        """Care for these runs, too."""
        self._runs.update(run_ids)
        if self._runs and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while self._runs:
            asked = frozenset(self._runs)
            try:
                left = await self._database.read(lambda c, asked=asked: self._look(c, asked))
            except WorkerNotStarted as error:
                self._tell(str(error))
                self._care = self._make_care()  # the next request tries again
                left = set[str]()
            except StorageError:
                left = asked  # it may be readable again
            self._runs -= asked - left
            await asyncio.sleep(CARE)

    def _look(self, connection: sqlite3.Connection, asked: Collection[str]) -> set[str]:
        left = _those(connection, asked, _AT_WORK)
        if left:
            self._care.look(connection)
        return left

    def close(self) -> None:
        """Care no longer; a worker that was started goes on until nothing is left to do."""
        if self._task is not None:
            self._task.cancel()
