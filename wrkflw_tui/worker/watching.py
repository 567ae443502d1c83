"""The folder of automations, looked at when something in it changes, and now and then."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.worker.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from watchfiles import Change

    from wrkflw_tui.store.database import Database
    from wrkflw_tui.worker.stopping import Stopping

LOOK = 1.0
"""Seconds between two looks at the folder, beside those when something in it changes."""
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


class FolderWatch:
    """Keeps the catalogue true to the folder."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        stopping: Stopping,
        tell: Callable[[str], object],
        complain: Callable[[str], object],
    ) -> None:
        self._catalogue = Catalogue(folder, database)
        self._changed = asyncio.Event()
        self._ear = FolderEar(folder, self._changed)
        self._stopping = stopping
        self._tell = tell
        self._complain = complain
        self._env_said = ""
        self.looked = asyncio.Event()
        """Set once the catalogue says what is in the folder now."""

    async def run(self) -> None:
        """Watch until the worker ends."""
        listening: asyncio.Task[None] | None = None
        try:
            while not self._stopping.is_set:
                if listening is None or listening.done():
                    listening = asyncio.create_task(self._ear.listen())
                await self._look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), LOOK)
                self._changed.clear()
                self._ear.check()
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _look(self) -> None:
        try:
            await self._catalogue.refresh()
            self.looked.set()
        except StorageError as error:
            self._complain(str(error))
            return
        said = self._catalogue.env_said
        if said and said != self._env_said:
            self._tell(said)
        self._env_said = said


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
