"""What goes wrong with the file, in words: which file, why, and what to do."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path

UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""Raised where a file cannot be read: what SQLite says of a damaged one may be no text."""

_WRITABLE = ": make its folder writable, or choose another file with --database"
HINTS = {
    errno.ENOSPC: ": free some room, the run can go on later",
    errno.EROFS: _WRITABLE,
    errno.EACCES: _WRITABLE,
}
"""What to do about the system's errors, by their numbers."""


class RecordReplaced(StorageError):
    """Another file is in the record's place."""


def named(error: BaseException, path: Path) -> BaseException:
    """Turn SQLite's and the system's errors into one that says which file and what to do."""
    if isinstance(error, UNREADABLE):
        told = StorageError(f"{path}: {error}{hint(error, path)}")
        told.__cause__ = error
        return told
    if isinstance(error, OSError) and error.errno in HINTS:
        told = StorageError(f"{path}: {error.strerror}{HINTS[error.errno]}")
        told.__cause__ = error
        return told
    return error


def hint(error: BaseException, path: Path) -> str:
    """Say what to do about an error, to be put behind it; nothing where nothing is known."""
    code = getattr(error, "sqlite_errorname", "") or ""
    if isinstance(error, UnicodeDecodeError):
        code = "SQLITE_CORRUPT"
    hints = {
        "SQLITE_FULL": "the disk is full; free some room, the run can go on later",
        "SQLITE_READONLY": f"the file or its folder cannot be written{_WRITABLE}",
        "SQLITE_CANTOPEN": f"{_refusal(path)}{_WRITABLE}",
        "SQLITE_BUSY": "another process holds it locked",
        "SQLITE_CORRUPT": f"the file is damaged; {how_to_mend(path)}",
        "SQLITE_NOTADB": "it is damaged, or never was a record: choose another with --database",
    }
    # Some come with more behind them, such as SQLITE_CORRUPT_INDEX.
    found = [hint for name, hint in hints.items() if code == name or code.startswith(f"{name}_")]
    return f": {found[0]}" if found else ""


def _refusal(path: Path) -> str:
    """Say why a file cannot be written."""
    with suppress(OSError, AttributeError):
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return os.strerror(errno.EROFS)
    return os.strerror(errno.EACCES)


def how_to_mend(path: Path) -> str:
    """Say what to do with a damaged record."""
    return (
        "`wrkflw-tui backup FILE` copies it as it is,"
        f" `sqlite3 {path} .recover | sqlite3 NEW` saves what can be read"
    )
