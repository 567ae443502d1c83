from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tui import record

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("pydantic", "jsonschema", "croniter", "psutil", "tzlocal", "wrkflw_tui.worker")

LOADED = f"""
import sys
import wrkflw_tui.tui.app
print([name for name in {HEAVY!r} if name in sys.modules])
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


def test_the_first_frame_waits_for_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


class Terminal:
    """The app in a terminal of its own."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.update(env, TERM="xterm-256color")
            os.execv(sys.executable, [sys.executable, "-c", APP, str(folder)])
        self.output = b""

    def read_until(self, wanted: bytes) -> bytes:
        ends = time.monotonic() + 30
        while wanted not in self.output and time.monotonic() < ends:
            try:
                self.output += os.read(self.master, 65536)
            except OSError:
                break
        return self.output

    def wait(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_the_terminal_as_it_was(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    record.build(tmp_path / "wrkflw.db")
    terminal = Terminal(tmp_path)
    terminal.read_until(b"backup-photos")
    os.kill(terminal.pid, number)
    output = terminal.read_until(b"\x1b[?1049l\x1b[?25h")
    assert b"\x1b[?1049l" in output
    assert b"\x1b[?1003l" in output
    assert terminal.wait() == code
    os.close(terminal.master)


def test_a_terminal_that_is_gone_holds_nothing_up(tmp_path: Path) -> None:
    record.build(tmp_path / "wrkflw.db")
    terminal = Terminal(tmp_path)
    terminal.read_until(b"backup-photos")
    os.close(terminal.master)
    os.kill(terminal.pid, signal.SIGCONT)
    assert terminal.wait() == 129


def test_no_color_sends_no_colour(tmp_path: Path) -> None:
    record.build(tmp_path / "wrkflw.db")
    terminal = Terminal(tmp_path, NO_COLOR="1", COLORTERM="truecolor")
    output = terminal.read_until(b"backup-photos")
    os.kill(terminal.pid, signal.SIGTERM)
    output = terminal.read_until(b"\x1b[?25h")
    assert terminal.wait() == 143
    assert b"38;2;" not in output
    assert b"38;5;" not in output
    os.close(terminal.master)
