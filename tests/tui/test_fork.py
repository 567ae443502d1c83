"""A new run from a step of an old one, from its screen: with the step's own form."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input
from tui.test_keys import field, row, until

from wrkflw_tui import WorkflowFailed, WorkflowStorage
from wrkflw_tui.config import Config
from wrkflw_tui.tui.app import WrkflwApp
from wrkflw_tui.tui.screens.confirm import Confirm
from wrkflw_tui.tui.screens.input_form import ForkForm
from wrkflw_tui.tui.screens.run import RunScreen
from wrkflw_tui.tui.widgets.form import FieldRow
from wrkflw_tui.tui.widgets.rows import Rows
from wrkflw_tui.worker.catalogue import Catalogue
from wrkflw_tui.worker.loading import load_workflows

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

SIZE = (120, 40)
JOB = """
from pydantic import BaseModel
from wrkflw_tui import create_workflow, step

class Letter(BaseModel):
    to: str
    copies: int = 1

@step
def write(name: str) -> Letter:
    return Letter(to=name)

@step
def send(letter: Letter) -> str:
    raise OSError("no such address")

job = (create_workflow(id="job", input_schema=str, output_schema=str)
       .then(write).map(lambda letter: letter, output_schema=Letter).then(send).commit())
"""


@pytest.fixture
async def failed(tmp_path: Path, database: Path) -> str:
    """A run that has failed at its last step; the folder is known to the record."""
    (tmp_path / "job.py").write_text(JOB)
    storage = WorkflowStorage(database)
    await Catalogue(tmp_path, storage.database).refresh()
    run = load_workflows(tmp_path / "job.py")["job"].create_run(storage=storage)
    with suppress(WorkflowFailed):
        await run.start("ada")
    await storage.close()
    return run.run_id


@pytest.fixture
def app(tmp_path: Path, database: Path) -> WrkflwApp:
    return WrkflwApp(Config(tmp_path, database))


async def open_step(pilot: Pilot[None], app: WrkflwApp, run_id: str, path: str) -> None:
    await until(pilot, lambda: app.known.loaded)
    app.open_run(run_id)
    await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.record.results)
    rows = app.screen.query_one(Rows)
    await until(pilot, lambda: rows.key == "send")  # what has failed is followed
    await pilot.press("k")
    if path == "send":
        await pilot.press("j")
    await until(pilot, lambda: rows.key == path)


def newest(database: Path) -> tuple[object, ...]:
    found = row(database, "SELECT * FROM wrkflw_workflow_runs ORDER BY id DESC LIMIT 1")
    assert found is not None
    keys = ("status", "trigger", "forked_from_run", "forked_from_path", "forked_input")
    return tuple(found[key] for key in keys)


async def test_a_step_is_given_another_input(app: WrkflwApp, database: Path, failed: str) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_step(pilot, app, failed, "send")
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, ForkForm) and app.screen.query(FieldRow))
        to = field(app, "to").input
        assert isinstance(to, Input)
        assert to.value == "ada"
        to.value = "bob"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await until(pilot, lambda: newest(database)[3] == "send")
        assert newest(database) == ("queued", "app", failed, "send", '{"to": "bob", "copies": 1}')


async def test_an_input_that_is_left_as_it_is_is_not_replaced(
    app: WrkflwApp, database: Path, failed: str
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_step(pilot, app, failed, "send")
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, ForkForm) and app.screen.query(FieldRow))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: newest(database)[3] == "send")
        assert newest(database) == ("queued", "app", failed, "send", None)


async def test_what_takes_no_input_is_only_asked_about(
    app: WrkflwApp, database: Path, failed: str
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await open_step(pilot, app, failed, "map-1")
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: newest(database)[3] == "map-1")


async def test_a_file_that_is_broken_now_says_so(
    app: WrkflwApp, database: Path, failed: str, tmp_path: Path
) -> None:
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        await open_step(pilot, app, failed, "send")
        (tmp_path / "job.py").write_text("import nowhere")
        await pilot.press("F")
        await until(pilot, lambda: app.screen.query("Toast"))
        assert isinstance(app.screen, RunScreen)
        assert newest(database)[2] is None
