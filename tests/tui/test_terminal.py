"""The app in a real terminal: how it ends, and what it leaves behind."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.store import leases
from wrkflw_tui.store.file import closing_connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 30.0
"""Seconds that anything here may take before it counts as hung."""


PATIENT = """
import asyncio
from wrkflw_tui import create_workflow, step

@step
async def wait(request: None) -> None:
    await asyncio.Event().wait()

patient = create_workflow(id="patient", input_schema=None, output_schema=None).then(wait).commit()
"""


class Terminal:
    """The app on a pseudo-terminal."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "wrkflw.db"
        automations = folder / "automations"
        automations.mkdir()
        (automations / "patient.py").write_text(PATIENT)
        self.master, slave = pty.openpty()
        self.seen = b""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "wrkflw_tui", "--folder", str(automations)),
                *("--database", str(self.database)),
            ],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.close(slave)

    def read_until(self, text: bytes) -> None:
        """Read the screen until `text` was on it."""
        deadline = time.monotonic() + LIMIT
        while text not in self.seen:
            assert time.monotonic() < deadline, f"never saw {text!r}: {self.seen[-2000:]!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536)

    def press(self, keys: bytes) -> None:
        """Press keys; what is read from here on is what they led to."""
        self.seen = b""
        os.write(self.master, keys)

    def read_to_end(self) -> int:
        """Read what is still written and return the exit code."""
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "the app did not end"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    break
        return self.process.wait(LIMIT)

    def wait_for_worker(self, *, held: bool) -> None:
        """Wait until the worker's lease is held, or is free."""
        deadline = time.monotonic() + LIMIT
        while (self._lease() is not None) != held:
            assert time.monotonic() < deadline, f"the worker's lease: {self._lease()}"
            select.select([], [], [], 0.05)

    def _lease(self) -> leases.Lease | None:
        with closing_connection(self.database) as connection:
            return leases.find(connection, leases.WORKER)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    try:
        terminal.read_until(b"worker ready")
        terminal.wait_for_worker(held=True)
        yield terminal
    finally:
        if terminal.process.poll() is None:
            os.killpg(terminal.process.pid, signal.SIGKILL)
            terminal.process.wait()
        with suppress(OSError):  # the test closed it
            os.close(terminal.master)


def test_q_quits_and_takes_the_worker_along(terminal: Terminal) -> None:
    os.write(terminal.master, b"q")

    assert terminal.read_to_end() == 0
    assert b"\x1b[?1049l" in terminal.seen, "the terminal's own screen is back"
    terminal.wait_for_worker(held=False)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_restores_the_terminal(
    terminal: Terminal, number: signal.Signals, code: int
) -> None:
    terminal.process.send_signal(number)

    assert terminal.read_to_end() == code
    assert b"\x1b[?1049l" in terminal.seen
    terminal.wait_for_worker(held=False)


def test_a_terminal_that_is_closed_ends_the_app_and_its_worker(terminal: Terminal) -> None:
    os.close(terminal.master)
    terminal.process.send_signal(signal.SIGHUP)  # as the system does for a controlling terminal

    terminal.process.wait(LIMIT)
    terminal.wait_for_worker(held=False)


def test_a_killed_app_leaves_no_worker_for_ever(terminal: Terminal) -> None:
    terminal.process.kill()

    terminal.wait_for_worker(held=False)


def test_a_run_is_started_watched_and_cancelled(terminal: Terminal) -> None:
    terminal.read_until(b"patient")
    terminal.press(b"r")
    terminal.read_until(b"the step is running")
    terminal.press(b"c")
    terminal.read_until(b"Cancel 1 run?")
    terminal.press(b"y")
    terminal.read_until(b"the run is cancelled")
