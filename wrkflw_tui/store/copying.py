"""Copies of the record, made while others write to it: of one moment, whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from glob import escape
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.store.trouble import UNREADABLE, named

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    Progress = Callable[[int, int], object]
    """Told how many pages are copied, and of how many."""

PAGES = 256
"""Pages that are copied between two looks around."""
SYNCED = 1024
"""Pages after which they are put on disk."""
FINDINGS = 5
"""How many faults of a damaged file are told at most."""


class DamagedRecord(StorageError):
    """A record, or the copy of one, has been found to be damaged."""


def backup(
    source: sqlite3.Connection, target: Path, *, replace: bool, progress: Progress | None = None
) -> int:
    """Copy the record to `target`, verified and readable by its owner only; return its size.

    Raises `FileExistsError` where there is such a file and it is not to be replaced,
    `DamagedRecord` with the copy in a file beside it, and `StorageError`.
    """
    with _part(target) as part:
        _copy(source, part, target, progress)
        if finding := find_damage(part, is_alone=True):
            damaged = target.with_name(f"{target.name}-damaged")
            _put(part, damaged, replace=True)
            raise DamagedRecord(
                f"the record is damaged ({finding}): its copy, as damaged, is in {damaged};"
                f" `sqlite3 {damaged} .recover | sqlite3 NEW` saves what can be read"
            )
        size = part.stat().st_size
        _put(part, target, replace=replace)
    return size


def keep_copy(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Copy a record, about to be migrated, to a file beside it, unless it holds no run.

    Raises `StorageError`: then it is not to be migrated.
    """
    if connection.execute("SELECT 1 FROM wrkflw_workflow_runs LIMIT 1").fetchone() is None:
        return
    target = path.with_name(f"{path.name}.v{version}-backup")
    try:
        with _part(target) as part:
            _copy(connection, part, target, None)
            _put(part, target, replace=True)
    except StorageError as error:
        raise StorageError(
            f"{path} is of an older format, and is left as it is: {error};"
            " make room for a copy of it there, and start again"
        ) from error


def find_damage(path: Path, *, is_alone: bool = False) -> str:
    """Look through a whole file; return what is wrong with it, or nothing.

    `is_alone` says that nobody else has it open.
    """
    alone = "&immutable=1" if is_alone else ""
    uri = f"{path.absolute().as_uri()}?mode=ro{alone}"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return findings(connection, "integrity_check")


def findings(connection: sqlite3.Connection, check: str) -> str:
    """Return what one of SQLite's own checks finds to be wrong, in one line."""
    try:
        rows = connection.execute(f"PRAGMA {check}({FINDINGS})").fetchall()
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if isinstance(error, sqlite3.OperationalError):
            raise  # locked, or told to stop: that says nothing of the file
        return str(error)
    lines = [line for row in rows for line in str(row[0]).splitlines()]
    return "" if lines == ["ok"] else "; ".join(lines[:FINDINGS])


def log_beside(path: Path) -> Path | None:
    """Return the log of a database that is open, or was left open, under this name."""
    logs = (path.with_name(path.name + end) for end in ("-wal", "-journal"))
    return next((log for log in logs if log.exists()), None)


@contextmanager
def _part(target: Path) -> Generator[Path]:
    """Give a new empty file beside the target, which is gone at the end if it is still there."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    if (log := log_beside(target)) is not None:
        raise StorageError(f"{log} is there, and would be read as a part of {target}")
    try:
        _remove_leftovers(target)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StorageError(f"cannot make {part}: {error.strerror or error}") from error
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _remove_leftovers(target: Path) -> None:
    """Remove what copies have left whose process was killed."""
    for left in target.parent.glob(f".{escape(target.name)}.*.part"):
        pid = left.name.removeprefix(f".{target.name}.").removesuffix(".part")
        if pid.isdecimal() and not _is_alive(int(pid)):
            left.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _copy(source: sqlite3.Connection, part: Path, target: Path, progress: Progress | None) -> None:
    """Copy all pages as they are at one moment, however long that takes."""

    origin = getattr(source, "file", None) or target

    def tell(_status: int, left: int, total: int) -> None:
        done = total - left
        if done % SYNCED == 0:
            _sync(part)  # all of it at the end would hold up everybody who commits then
        if progress is not None:
            progress(done, total)

    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as copy:
            # Nobody reads it before it is complete, and then it is synced as a whole.
            copy.execute("PRAGMA synchronous = OFF")
            copy.execute("PRAGMA journal_mode = OFF")
            # Held to the end: else each commit of anyone would make the copy begin anew.
            source.execute("BEGIN")
            try:
                source.execute("SELECT 1 FROM sqlite_master").fetchone()
                source.backup(copy, pages=PAGES, progress=tell)
            finally:
                source.execute("COMMIT")
        _sync(part)
    except (*UNREADABLE, OSError) as error:
        told = named(error, origin)
        raise StorageError(f"cannot copy to {target}: {told}") from error


def _put(part: Path, target: Path, *, replace: bool) -> None:
    """Give a complete copy its name, at once."""
    try:
        if replace or not _linked(part, target):
            part.replace(target)
        with suppress(OSError):  # not every file system can sync a folder
            _sync(target.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise StorageError(f"cannot make {target}: {error.strerror or error}") from error


def _linked(part: Path, target: Path) -> bool:
    """Name the copy as a rename would, but never in place of another file; tell if that can be."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if target.exists():
            raise FileExistsError(target) from None
        return False
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
