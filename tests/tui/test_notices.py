"""What is shown on the desktop is said in an open app, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets._toast import Toast
from tui.test_keys import until, until_shown

from wrkflw_tui.store import claims, follow_ups
from wrkflw_tui.store.file import closing_connection, transaction
from wrkflw_tui.store.follow_ups import ALL, FollowUpRule

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui.tui.app import WrkflwApp


def end_one(database: Path, workflow_id: str, status: str) -> None:
    """Have a run end that is followed by a notification."""
    rules = [FollowUpRule(ALL, event, "notify") for event in ("failure", "success")]
    with closing_connection(database) as connection, transaction(connection):
        follow_ups.replace(connection, rules)
        run_id = claims.enqueue(connection, workflow_id, "1", "app")
        connection.execute(
            "UPDATE wrkflw_workflow_runs SET status = ? WHERE run_id = ?", (status, run_id)
        )


async def test_an_open_app_says_what_a_notification_says(app: WrkflwApp, database: Path) -> None:
    end_one(database, "before", "failed")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until_shown(pilot)
        end_one(database, "odd[/red]", "failed")
        await until(pilot, lambda: len(app.screen.query(Toast)) == 1)
        end_one(database, "sync-notes", "success")
        await until(pilot, lambda: len(app.screen.query(Toast)) == 2)
        said = [(notice.message, notice.severity) for notice in app._notifications]
        assert said == [("odd[/red] failed", "error"), ("sync-notes succeeded", "information")]
