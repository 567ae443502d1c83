"""Task groups and timeouts of a step's own: what they cancel is the step's business alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from engine.turning import HOUR, TurnedClock, begin, until

from wrkflw_tui import RetryPolicy, StepContext, StepTimeout, WorkflowFailed, WorkflowStorage, step

if TYPE_CHECKING:
    from pathlib import Path


async def fail_apart() -> None:
    """Let a child of a task group fail while its parent waits for it, and carry on."""

    async def fails() -> None:
        await asyncio.sleep(0)
        raise OSError("in the group")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            group.create_task(asyncio.Event().wait())
    except* OSError:
        pass


@step
async def groups(value: int, context: StepContext) -> int:
    await fail_apart()
    return value + 1


async def test_steps_go_on_after_one_whose_task_group_failed(storage: WorkflowStorage) -> None:
    run = begin().then(groups).then(groups.with_id("b")).commit().create_run(storage=storage)
    assert await run.start(1) == 3
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize("concurrency", [1, 2, 5])
async def test_no_item_is_left_out_after_one_whose_task_group_failed(
    storage: WorkflowStorage, concurrency: int
) -> None:
    flow = begin(input=list[int], output=list[int]).foreach(groups, concurrency=concurrency)
    run = flow.commit().create_run(storage=storage)
    assert await run.start(list(range(8))) == list(range(1, 9))


async def test_arms_go_on_after_a_step_whose_task_group_failed(storage: WorkflowStorage) -> None:
    def arm(id: str) -> Any:
        return begin(id).then(groups).then(groups.with_id("b")).commit()

    run = begin(output=tuple[int, int]).parallel(arm("x"), arm("y")).commit()
    assert await run.create_run(storage=storage).start(1) == (3, 3)


async def test_a_time_that_is_up_counts_after_a_step_whose_task_group_failed(file: Path) -> None:
    clock = TurnedClock()
    storage = WorkflowStorage(file, clock=clock)
    entered = asyncio.Event()

    @step
    async def hangs(value: int) -> int:
        entered.set()
        await asyncio.Event().wait()
        return value

    flow = begin(timeout=HOUR).then(groups).then(hangs).commit()
    task = asyncio.create_task(flow.create_run(storage=storage).start(1))
    await until(entered.is_set, "the second step is at work")
    clock.turn(HOUR)
    with pytest.raises(WorkflowFailed) as caught:
        await task
    assert isinstance(caught.value.__cause__, StepTimeout)
    await storage.close()


async def test_a_failed_task_group_is_an_ordinary_failure(storage: WorkflowStorage) -> None:
    @step(retry=RetryPolicy(max_attempts=2, initial_delay=timedelta(0)))
    async def breaks(value: int, context: StepContext) -> int:
        async def fails() -> None:
            raise OSError("in the group")

        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            if context.attempt == 2:
                await asyncio.Event().wait()
        return value

    run = begin().then(breaks).commit().create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="ExceptionGroup"):
        await run.start(1)
    assert [a.status for a in (await run.snapshot()).attempts("breaks")] == ["failed", "failed"]


async def test_a_step_may_have_timeouts_of_its_own(storage: WorkflowStorage) -> None:
    @step
    async def tries(value: int) -> int:
        for _ in range(3):
            try:
                async with asyncio.timeout(0.001):
                    await asyncio.Event().wait()
            except TimeoutError:
                value += 1
        return value

    flow = begin(input=list[int], output=list[int]).foreach(tries, concurrency=2).commit()
    assert await flow.create_run(storage=storage).start([1, 2, 3]) == [4, 5, 6]
