"""`wrkflw-tui check`: every automation imported once, and what is wrong with it."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wrkflw_tui.store import catalog
from wrkflw_tui.store.database import Database
from wrkflw_tui.worker.catalogue import Catalogue

if TYPE_CHECKING:
    from wrkflw_tui.config import Config


def check(config: Config) -> int:
    """Print a line for every file; return 1 if any is broken or there is none, else 0."""
    return asyncio.run(_check(config))


async def _check(config: Config) -> int:
    # A record of its own, thrown away: looking must not change what the app shows.
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "check.db")
        try:
            catalogue = Catalogue(config.folder, database)
            await catalogue.refresh()
            files = await database.read(catalog.list_files)
            workflows = await database.read(catalog.list_workflows)
        finally:
            await database.close()
    if catalogue.env_said:
        print(f"{'✗' if catalogue.env_problem else '!'} {catalogue.env_said}")
    if not files:
        print(f"no automations in {config.folder}")
        return 1
    for file in files:
        if file.status == "broken":
            where = f" line {file.line}:" if file.line else ""
            print(f"✗ {file.file}:{where} {file.error}")
        else:
            ids = [entry.workflow_id for entry in workflows if entry.file == file.file]
            print(f"✓ {file.file}: {', '.join(ids) or 'no workflow'}")
    is_broken = catalogue.env_problem or any(file.status == "broken" for file in files)
    return 1 if is_broken else 0
