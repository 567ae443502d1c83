"""Fixtures of the worker's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from worker.harness import Bench

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Generator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Bench]:
    """A bench with one worker for a whole file: for tests that only start runs of their own."""
    made = Bench(tmp_path_factory.mktemp("shared"))
    made.worker()
    yield made
    made.close()
