"""Fixtures of the commands' tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands.shell import Shell, Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path


@pytest.fixture
def shell(tmp_path: Path) -> Generator[Shell]:
    """A folder without a worker."""
    made = Shell(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A folder with one worker for a whole file."""
    made = Shell(tmp_path_factory.mktemp("desk"))
    worker = made.bench.worker()
    made.bench.wait_said(worker, "holds")
    yield made
    made.close()


@pytest.fixture
def terminal() -> Generator[Callable[..., Terminal]]:
    """Make commands on pseudo-terminals."""
    made: list[Terminal] = []

    def make(shell: Shell, *arguments: str) -> Terminal:
        made.append(Terminal(shell, *arguments))
        return made[-1]

    yield make
    for terminal in made:
        terminal.close()
