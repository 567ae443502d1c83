"""A poke for the worker: whoever queues a run wakes it, by a named pipe beside the file.

It carries nothing, and may be lost: the record is the truth, and the worker looks at it anyway.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def _place(database: Path) -> Path:
    return database.with_name(f"{database.name}-poke")


def poke(database: Path) -> None:
    """Wake the file's worker, if it has one."""
    with suppress(OSError):  # no worker, or one that has more pokes than it needs
        pipe = os.open(_place(database), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if stat.S_ISFIFO(os.fstat(pipe).st_mode):
                os.write(pipe, b".")
        finally:
            os.close(pipe)


class Pokes:
    """The worker's end. Where there can be no such pipe, nothing is ever heard."""

    def __init__(self, database: Path) -> None:
        self._path = _place(database)
        self._pipe: int | None = None

    def open(self) -> int | None:
        """Make the pipe; return what becomes readable with a poke."""
        with suppress(OSError, AttributeError):
            with suppress(FileExistsError):
                os.mkfifo(self._path, 0o600)
            # Open for writing too, so that it never ends; it does not wait for a writer then.
            pipe = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            if stat.S_ISFIFO(os.fstat(pipe).st_mode):
                self._pipe = pipe
            else:
                os.close(pipe)
        return self._pipe

    def take(self) -> None:
        """Take all pokes that have come."""
        if self._pipe is not None:
            with suppress(OSError):
                os.read(self._pipe, 65536)

    def close(self, *, remove: bool) -> None:
        """Close the pipe; remove it where no other worker can listen yet."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
            if remove:
                with suppress(OSError):
                    self._path.unlink()
