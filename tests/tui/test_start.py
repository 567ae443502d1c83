"""What the first frame waits for, and what a signal leaves of the terminal."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from benchmarks.first_frame import fill
from terminal import PATIENCE, Terminal
from tui import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDLESS = (
    *("pydantic", "pydantic_core", "jsonschema", "croniter", "psutil", "tzlocal", "tomllib"),
    *("hashlib", "importlib.resources", "wrkflw_tui.schedules", "wrkflw_tui.worker.worker"),
    *("wrkflw_tui.engine.walk", "wrkflw_tui.engine.schema", "wrkflw_tui.engine.journal"),
    *("wrkflw_tui.store.runs", "wrkflw_tui.store.database", "wrkflw_tui.store.claims"),
    *("wrkflw_tui.store.leases", "wrkflw_tui.tui.commands", "wrkflw_tui.tui.widgets.filter_bar"),
    *("wrkflw_tui.tui.screens.run", "wrkflw_tui.tui.screens.runs", "wrkflw_tui.tui.screens.help"),
    *("wrkflw_tui.tui.screens.schedules", "wrkflw_tui.tui.screens.input_form"),
    *("textual.widgets._text_area", "textual.widgets._log", "textual.widgets._data_table"),
)
"""What the first frame can do without: each takes 1 to 100 ms to load."""

LOADED = """
import sys
from pathlib import Path
from wrkflw_tui import cli
from wrkflw_tui.tui.app import WrkflwApp

def note(app):
    Path(sys.argv[1], "loaded").write_text("\\n".join(sys.modules))
    app.exit()

WrkflwApp._begin_work = note
sys.exit(cli.main(["--folder", sys.argv[1], "--database", sys.argv[2]]))
"""

APP = """
import sys
from pathlib import Path
from wrkflw_tui.config import Config
from wrkflw_tui.tui.app import WrkflwApp
app = WrkflwApp(Config(Path(sys.argv[1]), Path(sys.argv[1]) / "wrkflw.db"))
app.run()
sys.exit(app.return_code)
"""


def test_the_first_frame_waits_for_nothing_needless(tmp_path: Path) -> None:
    database = tmp_path / "wrkflw.db"
    fill(database, tmp_path, workflows=3, runs=9)
    terminal = Terminal("-c", LOADED, str(tmp_path), str(database))
    try:
        assert terminal.read_to_end() == 0
    finally:
        terminal.close()
    assert b"workflow-00" in terminal.seen
    loaded = (tmp_path / "loaded").read_text().split()
    assert "wrkflw_tui.store.summaries" in loaded
    assert sorted({*NEEDLESS} & {*loaded}) == []


@pytest.fixture
def env() -> dict[str, str]:
    return {}


@pytest.fixture
def terminal(tmp_path: Path, env: dict[str, str]) -> Iterator[Terminal]:
    """The app without a worker."""
    record.build(tmp_path / "wrkflw.db")
    terminal = Terminal("-c", APP, str(tmp_path), **env)
    try:
        terminal.read_until(b"backup-photos")
        yield terminal
    finally:
        terminal.close()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_the_terminal_as_it_was(
    terminal: Terminal, number: signal.Signals, code: int
) -> None:
    terminal.process.send_signal(number)
    assert terminal.read_to_end() == code
    assert b"\x1b[?1049l" in terminal.seen
    assert b"\x1b[?1003l" in terminal.seen
    assert b"\x1b[?25h" in terminal.seen


def test_a_terminal_that_is_gone_holds_nothing_up(terminal: Terminal) -> None:
    terminal.hang_up()
    assert terminal.process.wait(PATIENCE) == 129


@pytest.mark.parametrize("env", [{"NO_COLOR": "1", "COLORTERM": "truecolor"}])
def test_no_color_sends_no_colour(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.read_to_end() == 143
    assert b"38;2;" not in terminal.seen
    assert b"38;5;" not in terminal.seen
