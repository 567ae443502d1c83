"""A folder with one worker and one server for a whole file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands.shell import Shell
from triggers.client import Serving

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    made = Shell(tmp_path_factory.mktemp("desk"))
    made.environment["WRKFLW_MAX_RESULT_MB"] = "0.5"
    worker = made.bench.worker()
    made.bench.wait_said(worker, "holds")
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(desk: Shell) -> Generator[Serving]:
    made = Serving(desk)
    yield made
    made.close()
