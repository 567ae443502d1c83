"""The folder is heard: a change is told at once, whatever happens to the folder itself."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.worker.watching import FolderEar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


class Ear:
    """Listens over and over, as a worker does, without its looks now and then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changed = asyncio.Event()
        self.ear = FolderEar(folder, self.changed)

    async def listen(self) -> None:
        while True:
            await self.ear.listen()
            await asyncio.sleep(0.01)

    async def hears(self, write: object) -> None:
        """Do something again and again until it is heard: a watch takes a moment to begin."""
        assert callable(write)
        self.changed.clear()
        async with asyncio.timeout(20):
            while not self.changed.is_set():
                write()
                self.ear.check()
                await asyncio.sleep(0.1)


@pytest.fixture
async def ear(tmp_path: Path) -> AsyncGenerator[Ear]:
    ear = Ear(tmp_path / "automations")
    ear.folder.mkdir()
    task = asyncio.create_task(ear.listen())
    yield ear
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_new_a_changed_and_a_removed_file_are_heard(ear: Ear) -> None:
    file = ear.folder / "job.py"
    await ear.hears(lambda: file.write_text("1"))
    await ear.hears(lambda: file.unlink() if file.exists() else file.write_text("2"))


async def test_a_package_that_comes_later_is_heard_too(ear: Ear) -> None:
    package = ear.folder / "tools"
    package.mkdir()
    await ear.hears(lambda: (package / "names.py").write_text("1"))


async def test_a_folder_that_was_put_in_its_place_is_heard(ear: Ear) -> None:
    await ear.hears(lambda: (ear.folder / "job.py").write_text("1"))
    shutil.rmtree(ear.folder)
    ear.folder.mkdir()
    await ear.hears(lambda: (ear.folder / "job.py").write_text("2"))


async def test_what_is_no_automation_is_not_heard(ear: Ear) -> None:
    await ear.hears(lambda: (ear.folder / "job.py").write_text("1"))
    await asyncio.sleep(0.3)  # what was written before may still be told
    ear.changed.clear()
    (ear.folder / "notes.txt").write_text("1")
    (ear.folder / ".wrkflw").mkdir()
    (ear.folder / ".wrkflw" / "wrkflw.db").write_text("1")
    await asyncio.sleep(0.3)
    assert not ear.changed.is_set()
