"""The file: opening it, migrating it, and the writer that groups commits."""

from __future__ import annotations

import asyncio
import errno
import importlib.resources
import os
import queue
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from wrkflw_tui.engine.errors import StorageError

try:
    import fcntl
except ImportError:  # no advisory locks here: SQLite's own waiting must do
    fcntl = None

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

T = TypeVar("T")

BUSY_TIMEOUT = 10.0
"""Seconds that a connection waits for another's lock."""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file for one thread, with every setting that its users rely on.

    Raises `StorageError` where it cannot be opened.
    """
    mode = "ro" if read_only else "rwc"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise StorageError(f"cannot open {path}: {error}") from error
    return connection


def prepare(path: Path) -> None:
    """Create or migrate the file. Raises `StorageError`; a newer file is left untouched."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Made by us first, so that it is never readable by others, not even for a moment.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise StorageError(f"cannot make {path}: {error.strerror or error}") from error
    turn = Turn(path)
    try:
        with turn, closing_connection(path) as connection:
            _migrate(connection, path)
    except sqlite3.Error as error:
        raise StorageError(f"cannot prepare {path}: {error}") from error
    finally:
        turn.close()


@contextmanager
def closing_connection(path: Path) -> Generator[sqlite3.Connection]:
    """Open a connection and close it at the end."""
    connection = connect(path)
    try:
        yield connection
    finally:
        connection.close()


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    scripts = _migrations()
    version = cast("int", connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(scripts):
        raise StorageError(
            f"{path} was written by a newer version (its format is {version}, this one knows "
            f"{len(scripts)}): update wrkflw-tui, or choose another file with --database"
        )
    if version == len(scripts):
        return
    connection.execute("PRAGMA journal_mode = WAL")
    for number, script in enumerate(scripts[version:], start=version + 1):
        # executescript would commit by itself: the script's own BEGIN and COMMIT hold it together.
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;"
        )


def _migrations() -> list[str]:
    folder = importlib.resources.files("wrkflw_tui.store") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(folder / name).read_text("utf-8") for name in names]


class Turn:
    """A lock beside the file that gives each writer its turn.

    SQLite's own waiting starves some writers while others pass; an advisory lock is fair.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + "-turn")
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        if fcntl is None:
            return
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            except OSError as error:
                reason = error.strerror or error
                raise StorageError(f"cannot write beside {self._path}: {reason}") from error
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        if fcntl is not None and self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give up the lock's file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


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


class Database:
    """The file, for one process: one thread that writes, one that reads.

    Work is a function of a connection. Writes that wait at the same moment share one transaction;
    one that raises is undone alone and does not disturb the others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = Turn(path)
        self._writes: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

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
        self._start()
        self._writes.put(_Job(work, loop, done))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a connection that only reads, and return what it returns."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._start()
        self._reads.put(_Job(work, loop, _settling(future)))
        return await future

    async def close(self) -> None:
        """Finish what was submitted and close the file."""
        with self._lock:
            threads, self._threads = self._threads, []
        if threads:
            self._writes.put(None)
            self._reads.put(None)
            for thread in threads:
                await asyncio.to_thread(thread.join)
        self._turn.close()

    def _start(self) -> None:
        if self._threads:
            return
        with self._lock:
            if self._threads:
                return
            prepare(self.path)
            self._threads = [
                threading.Thread(target=self._write_loop, name="wrkflw-writer", daemon=True),
                threading.Thread(target=self._read_loop, name="wrkflw-reader", daemon=True),
            ]
            for thread in self._threads:
                thread.start()

    def _read_loop(self) -> None:
        connection: sqlite3.Connection | None = None
        while (job := self._reads.get()) is not None:
            try:
                if connection is None:
                    connection = connect(self.path, read_only=True)
                job.result = job.work(connection)
            except BaseException as error:
                job.error = _named(error, self.path)
            _settle([job])
        if connection is not None:
            connection.close()

    def _write_loop(self) -> None:
        connection: sqlite3.Connection | None = None
        ended = False
        while not ended:
            first = self._writes.get()
            if first is None:
                break
            jobs = [first]
            while not self._writes.empty():
                following = self._writes.get()
                if following is None:
                    ended = True
                    break
                jobs.append(following)
            try:
                if connection is None:
                    connection = connect(self.path)
                self._commit(connection, jobs)
            except BaseException as error:
                for job in jobs:
                    job.error = _named(error, self.path)
            _settle(jobs)
        if connection is not None:
            connection.close()

    def _commit(self, connection: sqlite3.Connection, jobs: list[_Job[Any]]) -> None:
        try:
            with self._turn, transaction(connection):
                for job in jobs:
                    job.result = job.work(connection)
        except BaseException:
            if len(jobs) == 1:
                raise
            # One of them failed and all were undone: each gets a transaction of its own.
            for job in jobs:
                try:
                    with self._turn, transaction(connection):
                        job.result = job.work(connection)
                except BaseException as error:
                    job.error = _named(error, self.path)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Hold the write lock; commit at the end, undo if the block raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def next_revision(connection: sqlite3.Connection) -> int:
    """Take the next revision number of what is on record beside the runs."""
    row = connection.execute(
        "UPDATE wrkflw_revision SET revision = revision + 1 RETURNING revision"
    ).fetchone()
    return cast("int", row[0])


def next_run_revision(connection: sqlite3.Connection) -> int:
    """Return the revision number for what this transaction changes of runs and their steps.

    Read off the index, not kept in a row of its own: one page less to write with every step.
    """
    row = connection.execute(
        "SELECT coalesce(max(revision), 0) + 1 FROM wrkflw_workflow_runs"
    ).fetchone()
    return cast("int", row[0])


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


def _named(error: BaseException, path: Path) -> BaseException:
    """Turn SQLite's and the system's errors into one that says which file and what to do."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorname", "") or ""
        hint = {
            "SQLITE_FULL": ": the disk is full; free some room, the run can go on later",
            "SQLITE_READONLY": ": the file or its folder cannot be written",
            "SQLITE_BUSY": ": another process holds it locked",
            "SQLITE_CORRUPT": ": the file is damaged",
        }.get(code, "")
        named = StorageError(f"{path}: {error}{hint}")
        named.__cause__ = error
        return named
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES):
        named = StorageError(f"{path}: {error.strerror}")
        named.__cause__ = error
        return named
    return error
