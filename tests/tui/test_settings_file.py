"""The folder's settings among its workflows: shown where they are broken, else not in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tui.test_keys import until

from wrkflw_tui.store import catalog
from wrkflw_tui.store.catalog import AutomationFile
from wrkflw_tui.store.file import closing_connection, prepare, transaction
from wrkflw_tui.tui.widgets.page import Page
from wrkflw_tui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui.tui.app import WrkflwApp

GOOD = AutomationFile("wrkflw.toml", 10, 1, "ok")
BROKEN = AutomationFile("wrkflw.toml", 10, 1, "broken", "all.keep: Extra inputs [/red]")


@pytest.mark.parametrize(
    ("file", "is_shown"), [(GOOD, False), (BROKEN, True)], ids=["ok", "broken"]
)
async def test_settings_alone(
    empty_app: WrkflwApp, database: Path, file: AutomationFile, is_shown: bool
) -> None:
    prepare(database)
    with closing_connection(database) as connection, transaction(connection):
        catalog.record_file(connection, file, [])
    async with empty_app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: empty_app.known.loaded)
        screen = empty_app.screen
        await until(pilot, lambda: screen.has_class("-empty") is not is_shown)
        if is_shown:
            await until(pilot, lambda: screen.query_one(Rows).keys == ["file:wrkflw.toml"])
            assert screen.query_one("#detail", Page).border_title == "wrkflw.toml"
