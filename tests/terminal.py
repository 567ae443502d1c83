"""The app on a terminal of its own, as a person starts it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 30.0
"""Seconds that anything here may take before it counts as hung."""


class Terminal:
    """A pseudo-terminal of 120 by 40, and a Python process that it controls."""

    def __init__(self, *arguments: str, **env: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.seen = b""
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,
            env={**os.environ, "TERM": "xterm-256color", **env},
        )
        os.close(slave)

    @classmethod
    def with_app(cls, folder: Path, database: Path, **env: str) -> Terminal:
        """Start the app, with its worker, over a folder and a record."""
        places = ("--folder", str(folder), "--database", str(database))
        return cls("-m", "wrkflw_tui", *places, **env)

    def read_until(self, text: bytes) -> None:
        """Read the screen until `text` was on it."""
        self._read(lambda: text in self.seen, f"never saw {text!r}")
        assert text in self.seen, f"it ended without {text!r}: {self.seen[-2000:]!r}"

    def read_to_end(self) -> int:
        """Read what is still written and return the exit code."""
        self._read(lambda: self.process.poll() is not None, "it did not end")
        return self.process.wait(PATIENCE)

    def read_what_is_there(self) -> None:
        """Read what was written so far, so that the process need not wait for a reader."""
        while self._read_some(0):
            pass

    def press(self, keys: bytes) -> None:
        """Press keys; what is read from here on is what they led to."""
        self.seen = b""
        os.write(self.master, keys)

    def hang_up(self) -> None:
        """Close the terminal's window."""
        with suppress(OSError):  # closed already
            os.close(self.master)

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)
        self.hang_up()

    def _read(self, is_done: Callable[[], bool], complaint: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_done():
            assert time.monotonic() < deadline, f"{complaint}: {self.seen[-2000:]!r}"
            if not self._read_some(0.05) and self.process.poll() is not None:
                return

    def _read_some(self, seconds: float) -> bool:
        """Read once, if anything comes in time; tell whether something came."""
        try:
            if not select.select([self.master], [], [], seconds)[0]:
                return False
            read = os.read(self.master, 65536)
        except OSError:  # the process has ended, and the terminal with it
            return False
        self.seen += read
        return bool(read)


def _take_terminal() -> None:
    """Make the terminal the one that controls the new process, which hears ctrl-c."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests may hear none
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
