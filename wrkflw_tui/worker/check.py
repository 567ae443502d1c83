"""`wrkflw-tui check`: every automation imported once and the settings read, with what is wrong."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from wrkflw_tui.store import catalog
from wrkflw_tui.store.database import Database
from wrkflw_tui.worker.catalogue import Catalogue
from wrkflw_tui.worker.folder import SETTINGS
from wrkflw_tui.worker.settings_file import unknown_workflows

if TYPE_CHECKING:
    from wrkflw_tui.config import Config
    from wrkflw_tui.store.catalog import AutomationFile


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
    if not any(file.is_automation for file in files):
        print(f"no automations in {config.folder}")
    for file in files:
        ids = [entry.workflow_id for entry in workflows if entry.file == file.file]
        print(_line(file, ids))
        if file.file == SETTINGS and file.status == "ok":
            _warn(config.folder, {entry.workflow_id for entry in workflows})
    is_broken = catalogue.env_problem or any(file.status == "broken" for file in files)
    return 0 if not is_broken and any(file.is_automation for file in files) else 1


def _line(file: AutomationFile, ids: list[str]) -> str:
    if file.status == "broken":
        where = f" line {file.line}:" if file.line else ""
        return f"✗ {file.file}:{where} {file.error}"
    if not file.is_automation:
        return f"✓ {file.file}"
    return f"✓ {file.file}: {', '.join(ids) or 'no workflow'}"


def _warn(folder: Path, known: set[str]) -> None:
    """Tell what the settings say of workflows that are not there: they may come yet."""
    from wrkflw_tui.settings import load_settings

    for line in unknown_workflows(load_settings(folder), known):
        print(f"! {SETTINGS}: {line}")
