"""What the folder holds: told from the record where that is fresh, else looked at anew."""

from __future__ import annotations

import difflib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wrkflw_tui.commands.exits import WrongCall
from wrkflw_tui.commands.record import reading
from wrkflw_tui.store import catalog
from wrkflw_tui.worker.folder import is_known, scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.config import Config
    from wrkflw_tui.store.catalog import AutomationFile, CatalogEntry
    from wrkflw_tui.store.database import Database

NAMED = 8
"""How many ids an error names at most."""


class UnknownId(WrongCall):
    """There is no such workflow or run."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder's files, and the workflows in them."""

    path: Path
    workflows: tuple[CatalogEntry, ...]
    files: tuple[AutomationFile, ...]

    @property
    def broken(self) -> list[AutomationFile]:
        """The files that cannot be read."""
        return [file for file in self.files if file.status == "broken"]

    def find(self, workflow_id: str, what: str = "workflow") -> CatalogEntry:
        """Return the workflow of that id. Raises `UnknownId`, naming what comes near."""
        for entry in self.workflows:
            if entry.workflow_id == workflow_id:
                return entry
        raise UnknownId(f"there is no {what} {workflow_id!r}{self._instead(workflow_id)}")

    def _instead(self, id: str) -> str:
        ids = [entry.workflow_id for entry in self.workflows]
        near = near_to(id, ids)
        if near:
            said = f"; near it are {', '.join(near)}"
        elif ids:
            more = ", …" if len(ids) > NAMED else ""
            said = f"; the workflows in {self.path} are {', '.join(ids[:NAMED])}{more}"
        else:
            said = f", and no workflow in {self.path}"
        broken = [file.file for file in self.broken]
        if broken:
            said += f" ({', '.join(broken[:NAMED])} cannot be read: see `wrkflw-tui check`)"
        return said


def near_to(word: str, words: Sequence[str], likeness: float = 0.5) -> list[str]:
    """Return the words that somebody may have meant."""
    near = difflib.get_close_matches(word, words, NAMED, likeness)
    near += [other for other in words if word.lower() in other.lower() and other not in near]
    return near[:NAMED] if word else []


def look(config: Config) -> Folder:
    """Return what the folder holds now; what is new in it is put on record, if there is one."""
    with reading(config) as connection:
        files = catalog.list_files(connection)
        workflows = catalog.list_workflows(connection)
    if not _is_as(config.folder, files):
        return look_anew(config)
    return Folder(config.folder, tuple(workflows), tuple(files))


async def look_with(folder: Path, database: Database) -> Folder:
    """Like `look`, for a process that stays: on the threads of its own record."""
    import asyncio

    files = await database.read(catalog.list_files)
    if not await asyncio.to_thread(_is_as, folder, files):
        return await _refresh(folder, database)
    workflows = await database.read(catalog.list_workflows)
    return Folder(folder, tuple(workflows), tuple(files))


def _is_as(folder: Path, files: Sequence[AutomationFile]) -> bool:
    """Tell whether the folder's files are as they were when these were put on record."""
    known = {file.file: file for file in files}
    present = scan(folder)
    return known.keys() == present.keys() and all(
        is_known(folder, file, known.get(name)) for name, file in present.items()
    )


def look_anew(config: Config) -> Folder:
    """Return what is in the folder's files, for all that changed since the last look."""
    import asyncio

    if config.database.exists():
        return asyncio.run(_refresh_file(config.folder, config.database))
    with tempfile.TemporaryDirectory() as own:  # a look leaves no record where there is none
        return asyncio.run(_refresh_file(config.folder, Path(own) / "look.db"))


async def _refresh_file(folder: Path, record: Path) -> Folder:
    from wrkflw_tui.store.database import Database

    database = Database(record)
    try:
        return await _refresh(folder, database)
    finally:
        await database.close()


async def _refresh(folder: Path, database: Database) -> Folder:
    from wrkflw_tui.worker.catalogue import Catalogue

    await Catalogue(folder, database).refresh()
    workflows = await database.read(catalog.list_workflows)
    files = await database.read(catalog.list_files)
    return Folder(folder, tuple(workflows), tuple(files))
