"""The floor: what a durable step costs at the least on this machine, without an engine.

Validate, call, validate, serialise, commit with `synchronous=FULL`: in the loop's own thread, or
through one writer thread that groups what waits.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from typing import TYPE_CHECKING

from pydantic import BaseModel, TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Count(BaseModel):
    n: int


async def add_one(count: Count) -> Count:
    return Count(n=count.n + 1)


COUNT = TypeAdapter(Count)


def open_floor(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, status TEXT, done INTEGER)"
    )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS steps (run TEXT, n INTEGER, path TEXT, output TEXT,"
        " PRIMARY KEY (run, n)) WITHOUT ROWID"
    )
    return connection


def write_step(connection: sqlite3.Connection, run: str, n: int, text: str) -> None:
    connection.execute("INSERT INTO steps VALUES (?, ?, ?, ?)", (run, n, f"s-{n}", text))
    connection.execute("UPDATE runs SET done = ? WHERE id = ?", (n, run))


def write_run(connection: sqlite3.Connection, run: str) -> None:
    connection.execute("INSERT OR IGNORE INTO runs VALUES (?, 'running', 0)", (run,))


class InLoop:
    """Commits in the loop's own thread."""

    def __init__(self, path: Path) -> None:
        self._connection = open_floor(path)

    async def commit(self, run: str, n: int, text: str) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        if n == 1:
            write_run(self._connection, run)
        write_step(self._connection, run, n, text)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


class Grouped:
    """Hands its commits to one writer thread, which takes together what waits."""

    def __init__(self, path: Path) -> None:
        self._connection = open_floor(path)
        self._queue: queue.SimpleQueue[tuple[str, int, str, asyncio.Future[None]] | None] = (
            queue.SimpleQueue()
        )
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    async def commit(self, run: str, n: int, text: str) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((run, n, text, done))
        await done

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            self._connection.execute("BEGIN IMMEDIATE")
            for run, n, text, _ in batch:
                if n == 1:
                    write_run(self._connection, run)
                write_step(self._connection, run, n, text)
            self._connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_release, [done for *_, done in batch])

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._connection.close()


def _release(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)


async def bare_run(floor: InLoop | Grouped, run: str, length: int) -> None:
    text = COUNT.dump_json(Count(n=0)).decode()
    for n in range(1, length + 1):
        value = COUNT.validate_json(text)
        output = COUNT.validate_python(await add_one(value))
        text = COUNT.dump_json(output).decode()
        await floor.commit(run, n, text)


async def bare_foreach(floor: Grouped, run: str, items: int, width: int) -> None:
    """Go over that many items, a few at a time, each with a commit of its own."""
    numbers = iter(range(1, items + 1))

    async def lane(numbers: Iterator[int]) -> None:
        for n in numbers:
            value = COUNT.validate_json(f'{{"n":{n}}}')
            output = COUNT.validate_python(await add_one(value))
            await floor.commit(run, n, COUNT.dump_json(output).decode())

    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(lane(numbers))
