"""Following a run while it is walked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui import StepContext, WorkflowFailed, create_workflow, step

if TYPE_CHECKING:
    from wrkflw_tui import WorkflowStorage


async def test_who_follows_a_run_sees_that_a_question_is_withdrawn(
    storage: WorkflowStorage,
) -> None:
    was_seen = asyncio.Event()

    @step
    async def asks(value: int, context: StepContext) -> int:
        return context.suspend(int)

    @step
    async def fails(value: int) -> int:
        await was_seen.wait()
        raise OSError("no")

    builder = create_workflow(id="w", input_schema=int, output_schema=tuple[int, int])
    run = builder.parallel(asks, fails).commit().create_run("mine", storage=storage)
    walking = asyncio.create_task(run.start(1))
    while not await storage.list_runs():  # noqa: ASYNC110 - nobody says when it is there
        await asyncio.sleep(0.01)
    seen: list[tuple[str, str]] = []
    async for event in run.stream():
        if event.type == "step-ended":
            seen.append((event.path, event.status))
            was_seen.set()
    with pytest.raises(WorkflowFailed):
        await walking
    assert seen == [("asks", "suspended"), ("fails", "failed"), ("asks", "interrupted")]
