"""Whether anything was committed since the last look, for microseconds a look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.store.file import Place, connect

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


class Changes:
    """Looks at the file's `data_version`, which moves with every commit of anyone else.

    Used by one thread: it opens its connection at the first look.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._place = Place(path)

    def seen(self) -> bool:
        """Tell whether there was a commit since the last look. Raises `StorageError`."""
        self._place.check()
        if self._connection is None:
            self._connection = connect(self._path, read_only=True)
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        changed = version != self._version
        self._version = version
        return changed

    def forget(self) -> None:
        """Take the next look as one that saw a commit."""
        self._version = -1

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
