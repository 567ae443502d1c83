"""Workers and apps side by side on one file, harmed at random: a short while of `chaos.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults.chaos import Chaos

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.harness import Bench

SECONDS = 20


@pytest.fixture
def chaos(bench: Bench) -> Iterator[Chaos]:
    made = Chaos(bench, seed=5)
    yield made
    made.end()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_workers_and_three_apps_lose_nothing_and_do_nothing_twice(chaos: Chaos) -> None:
    chaos.go_on(SECONDS)
    chaos.check()
    assert chaos.deeds.total() > 10, "hardly anything was harmed"
    chaos.close()
