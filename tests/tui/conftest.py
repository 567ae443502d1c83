from __future__ import annotations

import time
from pathlib import Path

import pytest
from textual.widgets import Input, TextArea
from tui import record

from wrkflw_tui.config import Config
from wrkflw_tui.tui.app import WrkflwApp


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setattr("textual.constants.TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr("wrkflw_tui.schedules.pointers.local_zone", lambda: "UTC")
    for widget in (Input, TextArea):
        monkeypatch.setattr(widget, "_restart_blink", lambda _self: None, raising=False)
        monkeypatch.setattr(widget, "_toggle_cursor", lambda _self: None, raising=False)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "wrkflw.db"


@pytest.fixture
def ids(database: Path) -> dict[str, str]:
    return record.build(database)


@pytest.fixture
def app(database: Path, ids: dict[str, str]) -> WrkflwApp:
    return WrkflwApp(Config(Path("/home/ada/automations"), database), clock=lambda: record.NOW)


@pytest.fixture
def empty_app(database: Path) -> WrkflwApp:
    return WrkflwApp(Config(Path("/home/ada/automations"), database), clock=lambda: record.NOW)
