"""The inbox: what runs ask, answered where it stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Select
from tui.test_keys import field, until, until_shown

from wrkflw_tui.store import messages, questions
from wrkflw_tui.store.file import closing_connection, transaction
from wrkflw_tui.tui.screens.inbox import InboxScreen
from wrkflw_tui.tui.screens.input_form import AnswerForm
from wrkflw_tui.tui.screens.run import RunScreen
from wrkflw_tui.tui.widgets.page import Page
from wrkflw_tui.tui.widgets.place_bar import PlaceBar
from wrkflw_tui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot

    from wrkflw_tui.tui.app import WrkflwApp

SIZE = (120, 40)


def answers(database: Path) -> list[object]:
    with closing_connection(database) as connection:
        rows = connection.execute("SELECT payload FROM wrkflw_messages WHERE kind = 'answer'")
        return [json.loads(row[0]) for row in rows]


async def open_inbox(app: WrkflwApp, pilot: Pilot[None]) -> InboxScreen:
    await until_shown(pilot)
    await pilot.press("4")
    await until(pilot, lambda: isinstance(app.screen, InboxScreen) and app.screen.is_mounted)
    screen = app.screen
    assert isinstance(screen, InboxScreen)
    return screen


async def test_a_question_is_answered_and_leaves(app: WrkflwApp, database: Path) -> None:
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_inbox(app, pilot)
        await until(pilot, lambda: len(screen.query_one(Rows).keys) == 1)
        assert screen.query_one(PlaceBar).asked == 1
        assert "4 Inbox ?1" in screen.query_one(PlaceBar).render().plain
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AnswerForm))
        # Nobody has said yes or no yet: neither is sent.
        await pilot.press("ctrl+s")
        await until(pilot, lambda: field(app, "approved").has_class("-wrong"))
        assert answers(database) == []
        choice = field(app, "approved").input
        assert isinstance(choice, Select)
        choice.value = "yes"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: answers(database) == [{"approved": True, "note": None}])
        await until(pilot, lambda: not screen.query_one(Rows).keys)
        assert "Nothing to answer" in str(screen.query_one(Page).border_title)
        assert "?" not in screen.query_one(PlaceBar).render().plain


async def test_its_run_is_opened_and_back_leads_here(app: WrkflwApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_inbox(app, pilot)
        await until(pilot, lambda: screen.chosen)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)


async def test_the_filter_says_when_nothing_matches(app: WrkflwApp) -> None:
    async with app.run_test(size=SIZE) as pilot:
        screen = await open_inbox(app, pilot)
        await until(pilot, lambda: screen.chosen)
        await pilot.press("slash", *"nowhere")
        await until(pilot, lambda: not screen.query_one(Rows).keys)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: screen.chosen)


@pytest.mark.parametrize("status", ["success", "failed", "cancelled"])
def test_a_run_that_has_ended_asks_nothing(
    database: Path, ids: dict[str, str], status: str
) -> None:
    with closing_connection(database) as connection, transaction(connection):
        (asked,) = questions.of_all(connection)
        assert (asked.run_id, asked.question.path) == (ids["waiting"], "pay")
        connection.execute("UPDATE wrkflw_workflow_runs SET status = ?", (status,))
        assert questions.of_all(connection) == []


def test_what_was_answered_is_asked_no_more_until_it_is_refused(
    database: Path, ids: dict[str, str]
) -> None:
    with closing_connection(database) as connection, transaction(connection):
        messages.answer(connection, ids["waiting"], None, None, '{"approved": true}', 1)
        assert questions.of_all(connection) == []
        connection.execute("UPDATE wrkflw_messages SET refused = 'it does not fit'")
        assert len(questions.of_all(connection)) == 1
