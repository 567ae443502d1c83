"""Hears at once that something in the folder of automations changes."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from watchfiles import Change

DEBOUNCE = 50
"""Milliseconds in which changes are taken together: editors write a file in several steps."""
STEP = 10
"""Milliseconds without another change after which those before it are told."""
LISTENED = (".py", ".toml", ".env")
"""How the names of files end that anybody wants to hear of."""


class FolderEar:
    """Listens to the folder and to the packages in it.

    What it misses, on a network's disk or where the system has no more watches, a look now and
    then has to find.
    """

    def __init__(self, folder: Path, changed: asyncio.Event) -> None:
        self._folder = folder
        self._changed = changed
        self._deaf = asyncio.Event()
        self._places: frozenset[tuple[str, int]] = frozenset()

    async def listen(self) -> None:
        """Set `changed` at each change, until the folder is another one, or `check` finds so."""
        # 40 ms that only a worker spends; one of its types is another event loop's.
        from watchfiles import awatch  # pyright: ignore[reportUnknownVariableType]

        self._deaf.clear()
        self._places = frozenset(_places(self._folder))
        names = [name for name, _ in self._places]
        if not names:
            return
        with suppress(OSError, RuntimeError):  # gone meanwhile, or no more watches
            async for _ in awatch(
                *names,
                watch_filter=_is_listened,
                debounce=DEBOUNCE,
                step=STEP,
                stop_event=self._deaf,
                recursive=False,  # the record may lie below, and changes with every step
            ):
                self._changed.set()
                self.check()

    def check(self) -> None:
        """End `listen` where the folder, or the packages in it, are others than it listens to."""
        if frozenset(_places(self._folder)) != self._places:
            self._deaf.set()


def _places(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the folder and the packages in it, each with what tells it from a later one."""
    with suppress(OSError):
        yield str(folder), os.stat(folder).st_ino
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_dir():
                    yield entry.path, entry.inode()


def _is_listened(_: Change, path: str) -> bool:
    return path.endswith(LISTENED)
