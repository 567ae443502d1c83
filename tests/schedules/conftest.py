"""Fixtures of the tests of schedules."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from schedules.record import Desk

from wrkflw_tui.schedules import actions, scheduler
from wrkflw_tui.store.file import connect, prepare

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def desk(file: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Desk]:
    """A record at noon of Monday, 2 March 2026, on a machine in UTC."""
    prepare(file)
    with closing(connect(file)) as connection:
        made = Desk(connection, "2026-03-02 12:00")
        monkeypatch.setattr(actions, "local_zone", lambda: made.local)
        monkeypatch.setattr(scheduler, "local_zone", lambda: made.local)
        yield made
