"""The file, for one process: a thread that reads, one that writes, and grouped commits."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.store.file import Turn, connect, is_in_memory, prepare, transaction
from wrkflw_tui.store.rows import do_all
from wrkflw_tui.store.trouble import named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

T = TypeVar("T")

FEW = 4
"""Works that the loop's own thread commits at most in one turn."""
SLOW = 0.005
"""Seconds; after two commits in a row that took longer the writer's thread commits for a while.

One alone is a checkpoint, which comes after some hundred commits on any disk.
"""
MUCH = 1 << 21
"""Bytes of large writes after which the log of writes is moved into the file."""
PAUSE = 10
"""How many times as long as that commit such a while lasts."""


class _Job(Generic[T]):
    """A piece of work for one of the threads, and what to do with its outcome."""

    __slots__ = ("done", "error", "loop", "result", "work")

    def __init__(
        self,
        work: Callable[[sqlite3.Connection], T],
        loop: asyncio.AbstractEventLoop,
        done: Callable[[T | None, BaseException | None], object],
    ) -> None:
        self.work = work
        self.loop = loop
        self.done = done
        self.result: T | None = None
        self.error: BaseException | None = None


_Late = tuple[
    "Callable[[], Callable[[sqlite3.Connection], None]]",
    "Callable[[None, BaseException | None], object]",
]


class CommitHere:
    """Commits on the caller's own thread, where nothing has to be waited for.

    Handing a commit to the writer's thread and back takes half as long as the commit itself.
    Whatever does not go smoothly here is undone and left to that thread, which waits and names
    what is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = Turn(path)
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._slow = 0
        self._not_before = 0.0
        self.may_begin = False
        """Set once the writer's thread has opened the file."""

    def commit(self, works: list[Callable[[sqlite3.Connection], None]]) -> bool:
        """Do the works in one transaction. Returns whether they are on disk."""
        began = time.monotonic()
        if not self.may_begin or len(works) > FEW or began < self._not_before:
            return False
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if not self._turn.try_enter():
                return False
            try:
                return self._transact(works)
            finally:
                self._turn.leave()
                took = time.monotonic() - began
                self._slow = self._slow + 1 if took > SLOW else 0
                if self._slow > 1:
                    self._not_before = began + took * PAUSE
        except StorageError:
            return False
        finally:
            self._lock.release()

    def _transact(self, works: list[Callable[[sqlite3.Connection], None]]) -> bool:
        try:
            if self._connection is None:
                self._connection = connect(self._path, timeout=0)
            with transaction(self._connection):
                do_all(self._connection, works)
        except Exception:
            return False  # undone: the writer's thread does it again, and says what is wrong
        return True

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self.may_begin = False
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._turn.close()


class Database:
    """The file, for one process: one thread that writes, one that reads.

    Work is a function of a connection. Writes that wait at the same moment share one transaction;
    one that raises is undone alone and does not disturb the others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = Turn(path)
        self._here = CommitHere(path)
        self._soon: dict[asyncio.AbstractEventLoop, list[_Late]] = {}
        self._writes: queue.SimpleQueue[Sequence[_Job[Any]] | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._written = 0
        self._lock = threading.Lock()
        self._preparing = threading.Lock()
        self._prepared = False
        self._anchor: sqlite3.Connection | None = None
        """What lies in memory is gone once no connection to it is open."""
        self._waiting = 0
        self._pending = 0

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction and return what it returns, once that is on disk.

        `work` may be run a second time, after the first was undone. Raises what it raises, and
        `StorageError` where the file cannot be written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self.submit(work, loop, _settling(future))
        return await future

    def submit(
        self,
        work: Callable[[sqlite3.Connection], T],
        loop: asyncio.AbstractEventLoop,
        done: Callable[[T | None, BaseException | None], object],
    ) -> None:
        """Like `write`, without waiting; `done` is called in `loop` with the result or the error.

        Writes are done in the order of submission.
        """
        self._put([_Job(work, loop, done)])

    def submit_soon(
        self,
        take: Callable[[], Callable[[sqlite3.Connection], None]],
        loop: asyncio.AbstractEventLoop,
        done: Callable[[None, BaseException | None], object],
    ) -> None:
        """Submit at the end of this turn of the loop, when `take` is asked for the work.

        A few that are alone are committed by the loop's own thread, where that is quick; the rest,
        and whatever would have to wait for others, by the writer's.
        """
        batch = self._soon.get(loop)
        if batch is None:
            batch = self._soon[loop] = []
            loop.call_soon(self._flush, loop)
        batch.append((take, done))

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = [_Job(take(), loop, done) for take, done in self._soon.pop(loop)]
        if not self._waiting and self._here.commit([job.work for job in jobs]):
            _call_back(jobs)
        else:
            self._put(jobs)

    def _put(self, jobs: Sequence[_Job[Any]]) -> None:
        self._start()
        with self._lock:
            self._waiting += len(jobs)
            self._pending += len(jobs)
        self._writes.put(jobs)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a connection that only reads, and return what it returns."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self.submit_read(work, loop, _settling(future))
        return await future

    def submit_read(
        self,
        work: Callable[[sqlite3.Connection], T],
        loop: asyncio.AbstractEventLoop,
        done: Callable[[T | None, BaseException | None], object],
    ) -> None:
        """Like `read`, without waiting; `done` is called in `loop`."""
        self._start()
        with self._lock:
            self._pending += 1
        self._reads.put(_Job(work, loop, done))

    def wrote(self, size: int) -> None:
        """Count the bytes of a large write.

        After `MUCH` of them they are moved from the log of writes into the file between two
        commits. Within one, where SQLite would do it by itself, everybody else would wait.
        """
        self._written += size

    @property
    def is_busy(self) -> bool:
        """Whether anything was submitted whose outcome is not known yet."""
        return self._pending > 0 or bool(self._soon)

    def _told(self, jobs: int) -> None:
        """Count jobs whose outcome is on its way to their loop."""
        with self._lock:
            self._pending -= jobs

    async def close(self) -> None:
        """Finish what was submitted and close the file."""
        if self._soon:
            await asyncio.sleep(0)  # to the end of the loop's turn, when what waits is sent
        with self._lock:
            threads, self._threads = self._threads, []
        if threads:
            self._writes.put(None)
            self._reads.put(None)
            for thread in threads:
                await asyncio.to_thread(thread.join)
        self._here.close()
        self._turn.close()
        if self._anchor is not None:
            self._anchor.close()
            self._anchor, self._prepared = None, False

    def _start(self) -> None:
        if self._threads:
            return
        with self._lock:
            if self._threads:
                return
            self._threads = [
                threading.Thread(target=self._write_loop, name="wrkflw-writer", daemon=True),
                threading.Thread(target=self._read_loop, name="wrkflw-reader", daemon=True),
            ]
            for thread in self._threads:
                thread.start()

    def _open(self, *, read_only: bool) -> sqlite3.Connection:
        """Open the file for one of the threads; the first of them prepares it."""
        with self._preparing:
            if not self._prepared:
                if is_in_memory(self.path) and self._anchor is None:
                    self._anchor = connect(self.path)
                prepare(self.path)
                self._prepared = True
        return connect(self.path, read_only=read_only)

    def _read_loop(self) -> None:
        connection: sqlite3.Connection | None = None
        while (job := self._reads.get()) is not None:
            try:
                if connection is None:
                    connection = self._open(read_only=True)
                job.result = job.work(connection)
            except BaseException as error:
                job.error = named(error, self.path)
            _settle([job])
            self._told(1)
        if connection is not None:
            connection.close()

    def _write_loop(self) -> None:
        connection: sqlite3.Connection | None = None
        ended = False
        while not ended:
            first = self._writes.get()
            if first is None:
                break
            jobs = list(first)
            while not self._writes.empty():
                following = self._writes.get()
                if following is None:
                    ended = True
                    break
                jobs += following
            try:
                if connection is None:
                    connection = self._open(read_only=False)
                self._commit(connection, jobs)
            except BaseException as error:
                for job in jobs:
                    job.error = named(error, self.path)
            with self._lock:
                self._waiting -= len(jobs)
                self._here.may_begin = connection is not None
            _settle(jobs)
            self._told(len(jobs))
            if connection is not None and self._written > MUCH:
                self._written = 0
                with suppress(sqlite3.Error):  # it can wait: SQLite does it by itself later
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        if connection is not None:
            connection.close()

    def _commit(self, connection: sqlite3.Connection, jobs: list[_Job[Any]]) -> None:
        try:
            with self._turn, transaction(connection):
                results = do_all(connection, [job.work for job in jobs])
            for job, result in zip(jobs, results, strict=True):
                job.result = result
        except BaseException:
            if len(jobs) == 1:
                raise
            # One of them failed and all were undone: each gets a transaction of its own.
            for job in jobs:
                try:
                    with self._turn, transaction(connection):
                        job.result = job.work(connection)
                except BaseException as error:
                    job.error = named(error, self.path)


def _settling(future: asyncio.Future[T]) -> Callable[[T | None, BaseException | None], None]:
    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast("T", result))

    return settle


def _settle(jobs: list[_Job[Any]]) -> None:
    """Tell each loop of its jobs' outcomes, with one wake-up a loop."""
    for loop in {job.loop for job in jobs}:
        mine = [job for job in jobs if job.loop is loop]
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_call_back, mine)


def _call_back(jobs: list[_Job[Any]]) -> None:
    for job in jobs:
        job.done(None if job.error is not None else job.result, job.error)
