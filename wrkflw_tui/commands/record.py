"""The record as commands read and write it: at once, in this thread."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from wrkflw_tui.store.file import BUSY_TIMEOUT, Turn, connect, migrate, prepare, transaction
from wrkflw_tui.store.trouble import UNREADABLE, named

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from wrkflw_tui.config import Config

T = TypeVar("T")


@contextmanager
def reading(config: Config, *, as_it_is: bool = False) -> Generator[sqlite3.Connection]:
    """Open the record to read; where there is none yet, an empty one that is no file.

    With `as_it_is` a file of another format, or a damaged one, is not changed. Raises
    `StorageError`.
    """
    with naming(config.database), closing(_open(config, as_it_is)) as connection:
        yield connection


def _open(config: Config, as_it_is: bool) -> sqlite3.Connection:
    if not config.database.exists():
        return empty()
    if not as_it_is:
        prepare(config.database)
    return connect(config.database, read_only=True)


def empty() -> sqlite3.Connection:
    """Return a record without anything in it, in memory: a look leaves no file behind."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    migrate(connection, Path(":memory:"))
    return connection


def write(config: Config, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run `work` in a transaction and return what it returns, once that is on disk.

    Raises what it raises, and `StorageError`.
    """
    with naming(config.database):
        prepare(config.database)
        with (
            closing(Turn(config.database, BUSY_TIMEOUT)) as turn,
            closing(connect(config.database)) as connection,
            turn,
            transaction(connection),
        ):
            return work(connection)


@contextmanager
def naming(path: Path) -> Generator[None]:
    """Turn SQLite's and the system's errors into one that says which file and what to do."""
    try:
        yield
    except (*UNREADABLE, OSError) as error:
        told = named(error, path)
        if told is error:
            raise
        raise told from error
