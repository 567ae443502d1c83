"""The look at the folder: every file is seen, and none can harm the look at the others."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from worker.harness import end_process, is_gone

from wrkflw_tui.store import catalog, schedules
from wrkflw_tui.store.database import Database
from wrkflw_tui.worker import catalogue
from wrkflw_tui.worker.catalogue import Catalogue, scan

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from worker.harness import Bench

    from wrkflw_tui.store.catalog import AutomationFile
    from wrkflw_tui.store.schedules import ScheduleRow

GOOD = """
from wrkflw_tui import create_workflow, step

@step
def work(value: int) -> int:
    return value

made = create_workflow(id="{id}", input_schema=int, output_schema=int, tags=("x", "y"),
                       description="Does {id}.").then(work).commit()
"""


class Folder:
    """A folder, its record, and the looks at it."""

    def __init__(self, place: Path) -> None:
        self.path = place / "automations"
        self.path.mkdir()
        self.database = Database(place / "wrkflw.db")
        self.catalogue = Catalogue(self.path, self.database)

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, "utf-8")

    def good(self, name: str, workflow_id: str) -> None:
        self.write(name, GOOD.replace("{id}", workflow_id))

    async def files(self) -> dict[str, AutomationFile]:
        return {file.file: file for file in await self.database.read(catalog.list_files)}

    async def broken(self, name: str) -> AutomationFile:
        """Look, and return a file that must be broken."""
        await self.catalogue.refresh()
        file = (await self.files())[name]
        assert file.status == "broken"
        return file

    async def ids(self) -> dict[str, str]:
        """The file of each workflow."""
        entries = await self.database.read(catalog.list_workflows)
        return {entry.workflow_id: entry.file for entry in entries}


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncGenerator[Folder]:
    made = Folder(tmp_path)
    yield made
    await made.database.close()


async def test_a_file_is_seen_with_its_workflows(folder: Folder) -> None:
    folder.good("good.py", "job")
    assert await folder.catalogue.refresh()
    (entry,) = await folder.database.read(catalog.list_workflows)
    assert (entry.workflow_id, entry.file, entry.description) == ("job", "good.py", "Does job.")
    assert (entry.tags, entry.steps_total) == (("x", "y"), 1)
    assert '"integer"' in entry.input_schema
    file = (await folder.files())["good.py"]
    assert (file.status, file.error) == ("ok", None)


async def test_what_a_file_imports_counts_as_part_of_it(folder: Folder) -> None:
    folder.good("good.py", "job")
    (folder.path / "tools").mkdir()
    folder.write("_helper.py", "import tools.names\n\nID = tools.names.ID\n")
    folder.write("tools/__init__.py", "")
    folder.write("tools/names.py", "ID = 'first'\n")
    text = GOOD.replace('"{id}"', "_helper.ID")
    folder.write("uses.py", f"import _helper\n{text}")
    await folder.catalogue.refresh()
    assert await folder.ids() == {"first": "uses.py", "job": "good.py"}
    assert not await folder.catalogue.refresh()

    folder.write("tools/names.py", "ID = 'second'\n")
    assert await folder.catalogue.refresh()
    assert await folder.ids() == {"second": "uses.py", "job": "good.py"}

    folder.write("tools/names.py", "ID = 1 / 0\n")
    assert "ZeroDivisionError" in ((await folder.broken("uses.py")).error or "")
    folder.write("tools/names.py", "ID = 'third'\n")  # mended where it is broken
    await folder.catalogue.refresh()
    assert await folder.ids() == {"third": "uses.py", "job": "good.py"}


async def test_what_is_known_is_not_looked_at_again(folder: Folder) -> None:
    folder.write("counts.py", "open('looks.txt', 'a').write('x')\n")
    assert await folder.catalogue.refresh()
    assert not await folder.catalogue.refresh()
    assert (folder.path / "looks.txt").read_text() == "x"


async def test_an_error_is_named_with_its_line(folder: Folder) -> None:
    folder.write("broken.py", "x = 1\n\ny = x.nothing\n")
    file = await folder.broken("broken.py")
    assert file.error == "AttributeError: 'int' object has no attribute 'nothing'"
    assert file.line == 3
    assert file.traceback is not None
    assert "y = x.nothing" in file.traceback
    assert "importlib" not in file.traceback


async def test_a_syntax_error_is_named_with_its_line(folder: Folder) -> None:
    folder.write("broken.py", "x = 1\ndef (:\n")
    file = await folder.broken("broken.py")
    assert file.error is not None
    assert file.error.startswith("SyntaxError: ")
    assert file.line == 2


async def test_an_error_in_another_module_is_named_with_the_line_that_led_there(
    folder: Folder,
) -> None:
    folder.write("broken.py", "import json\n\njson.loads('{')\n")
    assert (await folder.broken("broken.py")).line == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os; print('last words', flush=True); os._exit(1)", "exit code 1"),
        ("import os; print('last words', flush=True); os.kill(os.getpid(), 9)", "exit code -9"),
        ("import ctypes; print('last words', flush=True); ctypes.string_at(0)", "exit code -11"),
        ("import sys; sys.exit('no')", "SystemExit: no"),
        ("raise KeyboardInterrupt", "ended the process"),
    ],
    ids=["_exit", "kill", "segfault", "sys.exit", "interrupt"],
)
async def test_a_file_that_ends_the_process_harms_no_other(
    folder: Folder, text: str, said: str
) -> None:
    folder.good("a.py", "before")
    folder.write("b.py", text)
    folder.good("c.py", "after")
    file = await folder.broken("b.py")
    assert file.error is not None
    assert said in file.error
    if "last words" in text:
        assert file.traceback is not None
        assert "last words" in file.traceback
    assert await folder.ids() == {"before": "a.py", "after": "c.py"}


async def test_a_file_that_sleeps_for_ever_is_ended(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "FILE_TIMEOUT", 2.0)
    folder.write(
        "a.py", "import os, time; open('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
    )
    folder.good("b.py", "after")
    file = await folder.broken("a.py")
    assert file.error == "took longer than 2 s to import"
    assert await folder.ids() == {"after": "b.py"}
    assert is_gone(int((folder.path / "pid").read_text()))


async def test_a_child_of_a_file_is_ended_with_the_look(folder: Folder) -> None:
    child = "import subprocess; p = subprocess.Popen(['sleep', '600'])\n"
    folder.write("a.py", child + "open('pid', 'w').write(str(p.pid))")
    await folder.catalogue.refresh()
    pid = int((folder.path / "pid").read_text())
    deadline = time.monotonic() + 5
    while not is_gone(pid):
        assert time.monotonic() < deadline, f"the child {pid} outlives the look"
        await asyncio.sleep(0.01)


async def test_a_file_may_print_ten_megabytes(folder: Folder) -> None:
    folder.write("a.py", "for _ in range(100_000): print('x' * 99)\n" + GOOD.replace("{id}", "job"))
    async with asyncio.timeout(30):
        await folder.catalogue.refresh()
    assert await folder.ids() == {"job": "a.py"}


async def test_an_id_belongs_to_the_file_that_had_it_first(folder: Folder) -> None:
    folder.good("a.py", "job")
    folder.good("b.py", "job")
    file = await folder.broken("b.py")
    assert file.error == "the id 'job' is already used by a.py"
    assert await folder.ids() == {"job": "a.py"}


async def test_an_id_becomes_free_with_its_file(folder: Folder) -> None:
    folder.good("a.py", "job")
    folder.good("b.py", "job")
    await folder.broken("b.py")
    (folder.path / "a.py").unlink()
    await folder.catalogue.refresh()
    assert await folder.ids() == {"job": "b.py"}


async def test_a_moved_file_keeps_its_id(folder: Folder) -> None:
    folder.good("b.py", "job")
    await folder.catalogue.refresh()
    (folder.path / "b.py").rename(folder.path / "a.py")
    await folder.catalogue.refresh()
    assert await folder.ids() == {"job": "a.py"}
    assert list(await folder.files()) == ["a.py"]


async def test_two_workflows_of_one_file_need_two_ids(folder: Folder) -> None:
    text = GOOD.replace("{id}", "job")
    folder.write("a.py", text + text.replace("made", "again"))
    file = await folder.broken("a.py")
    assert file.error == "two workflows of this file have the id 'job'"


async def test_an_unfinished_workflow_is_named(folder: Folder) -> None:
    folder.write("a.py", GOOD.replace("{id}", "job").replace(".commit()", ""))
    file = await folder.broken("a.py")
    assert file.error == "made is not finished: call .commit() on it"


async def test_a_file_that_is_gone_is_forgotten(folder: Folder) -> None:
    folder.good("a.py", "job")
    await folder.catalogue.refresh()
    (folder.path / "a.py").unlink()
    assert await folder.catalogue.refresh()
    assert await folder.files() == {}
    assert await folder.ids() == {}


async def test_a_file_that_changed_is_seen_again(folder: Folder) -> None:
    folder.write("a.py", "raise ValueError\n")
    await folder.broken("a.py")
    folder.good("a.py", "job")
    assert await folder.catalogue.refresh()
    assert await folder.ids() == {"job": "a.py"}
    assert (await folder.files())["a.py"].status == "ok"
    folder.write("a.py", "raise ValueError\n")
    await folder.broken("a.py")
    assert await folder.ids() == {}


async def test_files_may_import_their_neighbours(folder: Folder) -> None:
    folder.write("_shared.py", "ID = 'job'\n")
    text = GOOD.replace('id="{id}"', "id=_shared.ID").replace("{id}", "job")
    folder.write("a.py", "import _shared\n" + text)
    await folder.catalogue.refresh()
    assert await folder.ids() == {"job": "a.py"}
    assert list(await folder.files()) == ["a.py"]


async def test_a_folder_that_is_missing_is_empty(folder: Folder) -> None:
    folder.path.rmdir()
    assert not await folder.catalogue.refresh()
    assert await folder.files() == {}


def test_only_automations_are_listed(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "_private.py", "__init__.py", ".hidden.py", "notes.txt", "c.pyc"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    assert list(scan(tmp_path)) == ["a.py", "b.py"]


class TestWithAWorker:
    def test_a_look_dies_with_its_worker(self, bench: Bench) -> None:
        text = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
        bench.write("a.py", text)
        worker = bench.worker()
        path = bench.folder / "pid"
        pid = int(bench.until(lambda: path.exists() and path.read_text(), "the file is imported"))
        worker.kill()
        try:
            bench.until(lambda: is_gone(pid), f"{pid} is gone", 5)
        finally:
            end_process(pid)

    def test_a_file_that_hangs_does_not_hold_the_end_up(self, bench: Bench) -> None:
        text = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
        bench.write("a.py", text)
        worker = bench.worker()
        bench.until((bench.folder / "pid").exists, "the file is imported")
        worker.signal(15)
        assert worker.process.wait(5) == 0

    def test_a_new_file_can_be_run_at_once(self, bench: Bench) -> None:
        worker = bench.worker()
        bench.wait_said(worker, "holds")
        bench.write("a.py", GOOD.replace("{id}", "job"))
        known = "SELECT 1 FROM wrkflw_workflows"
        bench.until(lambda: bench.rows(known), "the file is in the catalogue", 10)
        bench.wait(bench.enqueue("job"))

    def test_a_child_that_left_its_group_does_not_hold_the_look_up(self, bench: Bench) -> None:
        # It is out of reach, and holds the pipe that the look's output goes to.
        child = (
            "import subprocess\np = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        )
        bench.write("a.py", child + "open('pid', 'w').write(str(p.pid))")
        bench.write("b.py", GOOD.replace("{id}", "job"))
        run_id = bench.enqueue("job")
        bench.worker()
        try:
            bench.wait(run_id)
        finally:
            end_process(int((bench.folder / "pid").read_text()))


SCHEDULED = """
from datetime import timedelta
from wrkflw_tui import Schedule, create_workflow, step

@step
def work(value: int) -> int:
    return value

made = create_workflow(id="job", input_schema=int, output_schema=int, schedules=[
    Schedule("0 8 * * 1-5", timezone="Asia/Tokyo", input_data=3, exclude=["2026-12-24"]),
    Schedule(every=timedelta(minutes=15), input_data=4, id="often", overlap="queue_one"),
]).then(work).commit()
"""


class TestSchedules:
    async def rows(self, folder: Folder) -> dict[str, ScheduleRow]:
        await folder.catalogue.refresh()
        found = await folder.database.read(schedules.list_schedules)
        return {row.schedule_id: row for row in found}

    async def test_those_of_a_file_are_on_record(self, folder: Folder) -> None:
        folder.write("job.py", SCHEDULED)
        rows = await self.rows(folder)
        assert set(rows) == {"job.1", "job.often"}
        first, often = rows["job.1"], rows["job.often"]
        assert (first.source, first.file, first.input) == ("code", "job.py", "3")
        assert (first.timing, first.timezone) == ("0 8 * * 1-5", "Asia/Tokyo")
        assert first.terms.exclude == ("2026-12-24",)
        assert (often.timing, often.overlap, often.input) == ("every 15m", "queue_one", "4")
        assert all(row.next_at is not None for row in rows.values())

    async def test_a_file_that_is_broken_for_a_while_keeps_them(self, folder: Folder) -> None:
        folder.write("job.py", SCHEDULED)
        before = await self.rows(folder)
        folder.write("job.py", SCHEDULED + "\nraise ValueError\n")
        assert await self.rows(folder) == before
        folder.write("job.py", SCHEDULED + "\n# mended\n")
        assert await self.rows(folder) == before
        folder.write("twin.py", SCHEDULED)  # an id that is taken says nothing either
        assert await self.rows(folder) == before

    async def test_they_go_with_the_file_and_come_with_it(self, folder: Folder) -> None:
        folder.write("job.py", SCHEDULED)
        await self.rows(folder)
        await folder.database.write(lambda c: schedules.set_paused(c, "job.1", True, None))
        (folder.path / "job.py").rename(folder.path / "other.py")
        rows = await self.rows(folder)
        assert (rows["job.1"].file, rows["job.1"].paused) == ("other.py", True)
        (folder.path / "other.py").unlink()
        assert await self.rows(folder) == {}

    async def test_a_schedule_that_cannot_be_breaks_its_file(self, folder: Folder) -> None:
        folder.write("job.py", SCHEDULED.replace("0 8 * * 1-5", "0 25 * * *"))
        broken = await folder.broken("job.py")
        assert "schedule: cron: hour: '25' is out of range" in (broken.error or "")
        assert broken.line == 10
