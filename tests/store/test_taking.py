"""Who may take up a run on record."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui import RunAlreadyClaimed, WorkflowStorage, create_workflow, step

if TYPE_CHECKING:
    from pathlib import Path


class FarAhead:
    """A clock that is years ahead of the machine's."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=10_000)

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(0)


async def test_a_run_at_work_is_nobody_elses_whatever_clock_it_goes_by(file: Path) -> None:
    entered, may_go = asyncio.Event(), asyncio.Event()

    @step
    async def waits(value: int) -> int:
        entered.set()
        await may_go.wait()
        return value

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(waits).commit()
    storage = WorkflowStorage(file, clock=FarAhead())
    run = flow.create_run(storage=storage)
    walking = asyncio.create_task(run.start(1))
    await entered.wait()
    with pytest.raises(RunAlreadyClaimed):
        await run.recover()
    may_go.set()
    assert await walking == 1
    assert len((await run.snapshot()).attempts("waits")) == 1
    await storage.close()
