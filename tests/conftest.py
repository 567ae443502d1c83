"""What all tests share: a record of their own in a real file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.store.storage import WorkflowStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "record" / "wrkflw.db"


@pytest.fixture
async def storage(file: Path) -> AsyncIterator[WorkflowStorage]:
    storage = WorkflowStorage(file)
    yield storage
    await storage.close()
