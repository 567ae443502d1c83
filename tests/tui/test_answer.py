"""Answering what a run asks, from its screen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from textual.widgets import Input
from tui import kinds
from tui.test_keys import SIZE, field, row, until

from wrkflw_tui.tui.screens.input_form import InputForm
from wrkflw_tui.tui.screens.run import RunScreen
from wrkflw_tui.tui.widgets.form import FieldRow, YesNo
from wrkflw_tui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

    from wrkflw_tui.tui.app import WrkflwApp

ANSWERS = "SELECT * FROM wrkflw_messages WHERE kind = ?"


async def open_run(pilot: Pilot[None], app: WrkflwApp, run_id: str) -> None:
    await until(pilot, lambda: app.known.loaded)
    app.open_run(run_id)
    await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.record.questions)


async def asked(pilot: Pilot[None], app: WrkflwApp) -> InputForm:
    await pilot.press("a")
    await until(pilot, lambda: isinstance(app.screen, InputForm) and app.screen.query(FieldRow))
    assert isinstance(app.screen, InputForm)
    return app.screen


async def test_a_question_is_answered(empty_app: WrkflwApp, database: Path) -> None:
    run_id, app = kinds.build(database), empty_app
    async with app.run_test(size=SIZE) as pilot:
        await open_run(pilot, app, run_id)
        form = await asked(pilot, app)
        assert form.query_one("#box").border_title == "Answer mail[1]/approve"
        choice = field(app, "ok").input
        assert isinstance(choice, YesNo)
        choice.value = True
        await pilot.press("ctrl+s")
        await until(pilot, lambda: row(database, ANSWERS, "answer"))
        message = row(database, ANSWERS, "answer")
        assert message is not None
        assert (message["path"], json.loads(message["payload"])) == (
            "mail[1]/approve",
            {"ok": True},
        )
        run = row(database, "SELECT status FROM wrkflw_workflow_runs")
        assert run is not None
        assert run["status"] == "queued", "it is for the worker to walk on"


async def test_an_event_is_sent_from_the_node_that_awaits_it(
    empty_app: WrkflwApp, database: Path
) -> None:
    run_id, app = kinds.build(database), empty_app
    async with app.run_test(size=SIZE) as pilot:
        await open_run(pilot, app, run_id)
        app.screen.query_one(Rows).select("wait-for-1")
        await pilot.pause()
        form = await asked(pilot, app)
        assert form.query_one("#box").border_title == "Event invoice-paid"
        app.screen.query_one(Input).value = "2026-118"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: row(database, ANSWERS, "event"))
        message = row(database, ANSWERS, "event")
        assert message is not None
        assert (message["name"], json.loads(message["payload"])) == (
            "invoice-paid",
            {"number": "2026-118"},
        )


async def test_nothing_is_answered_where_nothing_is_asked(
    app: WrkflwApp, ids: dict[str, str]
) -> None:
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.known.loaded)
        app.open_run(ids["live"])
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.record.run)
        assert app.screen.check_action("answer", ()) is False
