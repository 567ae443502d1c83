"""The app in a real terminal: how it ends, and what it leaves behind."""

from __future__ import annotations

import select
import signal
import time
from typing import TYPE_CHECKING

import pytest
from terminal import PATIENCE, Terminal

from wrkflw_tui.store import leases
from wrkflw_tui.store.file import closing_connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENT = """
import asyncio
from wrkflw_tui import create_workflow, step

@step
async def wait(request: None) -> None:
    await asyncio.Event().wait()

patient = create_workflow(id="patient", input_schema=None, output_schema=None).then(wait).commit()
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    automations = tmp_path / "automations"
    automations.mkdir()
    (automations / "patient.py").write_text(PATIENT)
    terminal = Terminal.with_app(automations, tmp_path / "wrkflw.db")
    try:
        terminal.read_until(b"worker ready")
        wait_for_worker(tmp_path, held=True)
        yield terminal
    finally:
        terminal.close()


def wait_for_worker(folder: Path, *, held: bool) -> None:
    """Wait until the worker's lease is held, or is free."""
    deadline = time.monotonic() + PATIENCE
    with closing_connection(folder / "wrkflw.db") as connection:
        while ((lease := leases.find(connection, leases.WORKER)) is not None) != held:
            assert time.monotonic() < deadline, f"the worker's lease: {lease}"
            select.select([], [], [], 0.05)


def test_q_quits_and_takes_the_worker_along(terminal: Terminal, tmp_path: Path) -> None:
    terminal.press(b"q")

    assert terminal.read_to_end() == 0
    assert b"\x1b[?1049l" in terminal.seen, "the terminal's own screen is back"
    wait_for_worker(tmp_path, held=False)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_restores_the_terminal(
    terminal: Terminal, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    terminal.process.send_signal(number)

    assert terminal.read_to_end() == code
    assert b"\x1b[?1049l" in terminal.seen
    wait_for_worker(tmp_path, held=False)


def test_a_terminal_that_is_closed_ends_the_app_and_its_worker(
    terminal: Terminal, tmp_path: Path
) -> None:
    terminal.hang_up()

    terminal.process.wait(PATIENCE)
    wait_for_worker(tmp_path, held=False)


def test_a_killed_app_leaves_no_worker_for_ever(terminal: Terminal, tmp_path: Path) -> None:
    terminal.process.kill()

    wait_for_worker(tmp_path, held=False)


def test_a_run_is_started_watched_and_cancelled(terminal: Terminal) -> None:
    terminal.read_until(b"patient")
    terminal.press(b"r")
    terminal.read_until(b"the step is running")
    terminal.press(b"c")
    terminal.read_until(b"Cancel 1 run?")
    terminal.press(b"y")
    terminal.read_until(b"the run is cancelled")


WELCOME = """
from wrkflw_tui import create_workflow, step

@step
async def welcome(name: str) -> str:
    return f"welcome, {name}"

flow = create_workflow(id="z-welcome", input_schema=str, output_schema=str).then(welcome).commit()
"""


def test_what_was_typed_just_before_is_sent_with_the_rest(
    terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "automations" / "z_welcome.py").write_text(WELCOME)
    terminal.read_until(b"z-welcome")
    terminal.press(b"Gr")
    terminal.read_until(b"Run z-welcome")
    terminal.press(b"Ada\x13")  # in one go, as from a clipboard or a script
    terminal.read_until(b"welcome, Ada")
