"""The file itself: opening it, migrating it, each writer's turn, and revision numbers."""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.store.poke import poke
from wrkflw_tui.store.trouble import HINTS, UNREADABLE, RecordReplaced, hint

try:
    import fcntl
except ImportError:  # no advisory locks here: SQLite's own waiting must do
    fcntl = None

if TYPE_CHECKING:
    from collections.abc import Generator

MIGRATIONS = Path(__file__).with_name("migrations")
"""The scripts that bring a file from one format to the next, in the order of their names."""
BUSY_TIMEOUT = 10.0
"""Seconds that a connection waits for another's lock."""

MEMORY = Path(":memory:")
"""What is named in it is no file: it lies in this process's memory while it is open."""


def place_of(path: str | Path) -> Path:
    """Return where a record lies; each one that is `:memory:` has a place of its own."""
    path = Path(path)
    return MEMORY / uuid.uuid4().hex if path == MEMORY else path


def is_in_memory(path: Path) -> bool:
    """Tell whether a record lies in memory."""
    return path.parent == MEMORY


class Connection(sqlite3.Connection):
    """A connection that wakes the worker after a commit that gave it something to do."""

    file: Path | None = None
    has_work = False
    is_fixed = False
    """Whether it shows the file as it was when it was opened: nobody could write it then."""


def tell_worker(connection: sqlite3.Connection) -> None:
    """Wake the worker once the transaction at hand is committed."""
    if isinstance(connection, Connection):
        connection.has_work = True


def connect(
    path: Path, *, read_only: bool = False, timeout: float = BUSY_TIMEOUT
) -> sqlite3.Connection:
    """Open the file for one thread, with every setting that its users rely on.

    Raises `StorageError` where it cannot be opened.
    """
    try:
        connection = sqlite3.connect(
            _uri(path, read_only=read_only),
            uri=True,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=Connection,
        )
        connection.file = None if is_in_memory(path) else path
        connection.is_fixed = read_only and _is_fixed(path)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
    except UNREADABLE as error:
        raise StorageError(f"cannot open {path}: {error}{hint(error, path)}") from error
    return connection


def _uri(path: Path, *, read_only: bool) -> str:
    if is_in_memory(path):
        # Not `cache=shared`, whose locks are of another kind: this one locks as a file does.
        return f"file:/wrkflw-{path.name}?vfs=memdb"
    uri = path.absolute().as_uri()
    if read_only and _is_fixed(path):
        return f"{uri}?mode=ro&immutable=1"  # else SQLite would have to write beside it
    return f"{uri}?mode={'ro' if read_only else 'rwc'}"


def _is_fixed(path: Path) -> bool:
    """Tell whether the file can be written by nobody here, and is whole without its log."""
    if is_in_memory(path) or os.access(path.parent, os.W_OK):
        return False
    return not path.with_name(f"{path.name}-wal").exists()


def is_over(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell whether a connection to a file that nobody could write is to be opened anew."""
    return isinstance(connection, Connection) and connection.is_fixed and not _is_fixed(path)


def prepare(path: Path) -> None:
    """Create or migrate the file. Raises `StorageError`; a newer file is left untouched."""
    if not is_in_memory(path):
        _make(path)
        if _is_current(path):
            return  # most often: then nobody who holds the turn is waited for
    turn = Turn(path)
    try:
        with turn, closing_connection(path) as connection:
            migrate(connection, path)
    except UNREADABLE as error:
        raise StorageError(f"cannot prepare {path}: {error}{hint(error, path)}") from error
    finally:
        turn.close()


def _is_current(path: Path) -> bool:
    with (
        suppress(sqlite3.Error, StorageError),
        closing(connect(path, read_only=True)) as connection,
    ):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        return version == len(list(MIGRATIONS.glob("*.sql")))
    return False


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Made by us first, so that it is never readable by others, not even for a moment.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise StorageError(f"cannot make {path}: {error.strerror or error}") from error


@contextmanager
def closing_connection(path: Path) -> Generator[sqlite3.Connection]:
    """Open a connection and close it at the end."""
    connection = connect(path)
    try:
        yield connection
    finally:
        connection.close()


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring an open file to the newest format; of an older one that holds runs a copy is kept.

    Raises `StorageError` for a newer one and for one that is no record.
    """
    scripts = sorted(MIGRATIONS.glob("*.sql"))
    version = cast("int", connection.execute("PRAGMA user_version").fetchone()[0])
    if version == len(scripts):
        return
    _check_is_record(connection, path)
    if version > len(scripts):
        raise StorageError(
            f"{path} was written by a newer version (its format is {version}, this one knows "
            f"{len(scripts)}): update wrkflw-tui, or choose another file with --database"
        )
    if version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before there is any page
    elif not is_in_memory(path):
        from wrkflw_tui.store.copying import keep_copy  # few have an older file

        keep_copy(connection, path, version)
    connection.execute("PRAGMA journal_mode = WAL")
    # A table that is made anew must not take with it what refers to its rows.
    connection.execute("PRAGMA foreign_keys = OFF")
    for number, script in enumerate(scripts[version:], start=version + 1):
        statements = f"{script.read_text('utf-8')}\nPRAGMA user_version = {number}"
        # executescript would commit by itself: the script's own BEGIN and COMMIT hold it together.
        connection.executescript(f"BEGIN IMMEDIATE;\n{statements};\nCOMMIT;")
    connection.execute("PRAGMA foreign_keys = ON")


def _check_is_record(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that another program has made."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if names and "wrkflw_workflow_runs" not in names:
        raise StorageError(
            f"{path} is a database of another program: choose another file with --database"
        )


class Place:
    """Where the record was when it was first looked at: it may be taken away under a process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: tuple[int, int] | None = None

    def check(self) -> None:
        """Raise `StorageError` where the record is there no more, or is another."""
        if is_in_memory(self._path):
            return
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise StorageError(
                f"{self._path}: the record is not there any more ({error.strerror}):"
                " put it back where it was, and all goes on"
            ) from error
        file = (found.st_dev, found.st_ino)
        self._file = self._file or file
        if file != self._file:
            raise RecordReplaced(
                f"{self._path}: another file is in the place of the record: what this process"
                " knows is of the one before; end it and start it again"
            )


class Turn:
    """A lock beside the file that gives each writer its turn.

    SQLite's own waiting starves some writers while others pass; an advisory lock is fair. In
    memory there are only this process's few writers, and nothing to lock.
    """

    def __init__(self, path: Path, patience: float | None = None) -> None:
        """Lock beside the file; `patience` is how many seconds `with` waits at most."""
        self._path = path.with_name(path.name + "-turn")
        self._patience = patience
        self._place = Place(path)
        self._is_needed = not is_in_memory(path)
        self._descriptor: int | None = None
        self._file: tuple[int, int] | None = None

    def __enter__(self) -> None:
        if fcntl is None or not self._is_needed:
            return
        if self._patience is None:
            fcntl.flock(self._open(), fcntl.LOCK_EX)
        elif not self.try_enter():
            self._wait(self._patience)

    def _wait(self, seconds: float) -> None:
        """Wait in turn, on a thread: there is no other way to give up. Raises `StorageError`."""
        waiting = _Waiting(self._open())
        if not waiting.has_come(seconds):
            self._descriptor = None  # the thread's now
            raise StorageError(
                f"{self._path}: another process holds it locked, for more than {seconds:g} s:"
                " nothing was written; try again when that one goes on or has ended"
            )

    def try_enter(self) -> bool:
        """Take the turn if nobody has it, without waiting. Returns whether it was taken."""
        if fcntl is None or not self._is_needed:
            return True
        try:
            fcntl.flock(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def leave(self) -> None:
        """Give the turn to the next."""
        if fcntl is not None and self._descriptor is not None:
            with suppress(OSError):  # closed meanwhile, and the lock with it
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _open(self) -> int:
        self._place.check()
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            except OSError as error:
                reason = f"{error.strerror or error}{HINTS.get(error.errno or 0, '')}"
                raise StorageError(f"cannot write {self._path}: {reason}") from error
            self._file = _file_at(self._descriptor)
        elif _file_at(self._descriptor) != self._file:
            # Whoever closed this one closed SQLite's too: what it writes would go anywhere.
            raise StorageError(
                f"{self._path}: this process has closed its open files, the record's too:"
                " nothing more is written from here"
            )
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        self.leave()

    def close(self) -> None:
        """Give up the lock's file."""
        if self._descriptor is not None:
            if _file_at(self._descriptor) == self._file:
                os.close(self._descriptor)
            self._descriptor = None


class _Waiting:
    """A thread that waits for a lock, and gives it back where nobody wants it any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._deciding = threading.Lock()
        self._has_come = self._is_given_up = False
        self._thread = threading.Thread(target=self._wait, name="wrkflw-turn", daemon=True)
        self._thread.start()

    def has_come(self, seconds: float) -> bool:
        """Wait so long for the lock at most; return whether it is ours."""
        self._thread.join(seconds)
        with self._deciding:
            self._is_given_up = not self._has_come
        return self._has_come

    def _wait(self) -> None:
        if fcntl is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        with self._deciding:
            self._has_come = not self._is_given_up
        if self._is_given_up:
            os.close(self._descriptor)


def _file_at(descriptor: int) -> tuple[int, int] | None:
    """Say which file is open under a number."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


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
        _take_work(connection)
        raise
    if (file := _take_work(connection)) is not None:
        poke(file)


def _take_work(connection: sqlite3.Connection) -> Path | None:
    """Return the file whose worker is to be woken, if there is something for it to do."""
    if not (isinstance(connection, Connection) and connection.has_work):
        return None
    connection.has_work = False
    return connection.file


def next_revision(connection: sqlite3.Connection) -> int:
    """Take the next revision number of what is on record beside the runs."""
    row = connection.execute(
        "UPDATE wrkflw_revision SET revision = revision + 1 RETURNING revision"
    ).fetchone()
    return cast("int", row[0])


def next_run_revision(connection: sqlite3.Connection) -> int:
    """Return the revision number for what this transaction changes of runs and their steps.

    Read off the index, not kept in a row of its own: one page less to write with every step. Only
    what runs that are gone have used up is kept.
    """
    row = connection.execute(
        "SELECT 1 + max(removed_revision,"
        " (SELECT coalesce(max(revision), 0) FROM wrkflw_workflow_runs)) FROM wrkflw_keeping"
    ).fetchone()
    return cast("int", row[0])


def next_run(connection: sqlite3.Connection) -> int:
    """Return the key of the next run that is put on record; those after it are free, too."""
    return cast("int", connection.execute(f"SELECT {NEXT_RUN}").fetchone()[0])


NEXT_RUN = (
    "(SELECT 1 + max(removed_run, (SELECT coalesce(max(id), 0) FROM wrkflw_workflow_runs))"
    " FROM wrkflw_keeping)"
)
"""In SQL, the key of a run that is put on record: never that of a run which was there before."""
