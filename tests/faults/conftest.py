"""Fixtures of the tests with faults."""

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
