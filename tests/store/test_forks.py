"""What a fork takes over of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wrkflw_tui import (
    StepContext,
    StepFailure,
    WorkflowFailed,
    WorkflowSuspended,
    create_workflow,
    step,
)

if TYPE_CHECKING:
    from wrkflw_tui import WorkflowStorage

State = dict[str, int]


async def test_state_that_a_step_set_before_it_asked_is_taken_over(
    storage: WorkflowStorage,
) -> None:
    @step
    async def asks(value: int, context: StepContext) -> int:
        context.set_state({"seen": value})
        return context.suspend(int)

    @step
    async def looks(value: int, context: StepContext) -> int:
        return value + context.get_state(State)["seen"]

    builder = create_workflow(id="w", input_schema=int, output_schema=int, state_schema=State)
    flow = builder.then(asks).then(looks).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowSuspended):
        await run.start(1)
    assert await run.resume(10) == 11
    fork = await run.fork("looks")
    assert await fork.start() == 11
    again = await fork.fork("looks")
    assert await again.start() == 11
    attempts = (await again.snapshot()).attempts("asks")
    assert [attempt.status for attempt in attempts] == ["suspended", "success"]


async def test_a_sibling_is_taken_over_with_the_failure_that_it_handled(
    storage: WorkflowStorage,
) -> None:
    @step
    async def fails(value: int) -> int:
        raise OSError("no")

    @step
    async def handles(failure: StepFailure) -> int:
        return 5

    builder = create_workflow(id="item", input_schema=int, output_schema=int)
    item = builder.then(fails, recover=handles).commit()
    over = create_workflow(id="w", input_schema=list[int], output_schema=list[int])
    run = over.foreach(item).commit().create_run(storage=storage)
    assert await run.start([1, 2]) == [5, 5]
    fork = await run.fork("item[0]")
    taken = (await fork.snapshot()).step_results
    assert sorted(taken) == ["item[1]", "item[1]/fails", "item[1]/handles"]
    assert await fork.start() == [5, 5]


async def test_a_sibling_that_failed_keeps_the_failures_that_it_had_taken_for_values(
    storage: WorkflowStorage,
) -> None:
    seen: list[str] = []

    @step
    async def fails(value: int) -> int:
        raise OSError("no")

    @step
    async def looks(values: list[int | StepFailure]) -> int:
        seen.extend(value.type for value in values if isinstance(value, StepFailure))
        raise KeyError("not yet")

    builder = create_workflow(id="item", input_schema=list[int], output_schema=int)
    item = builder.foreach(fails, on_error="collect").then(looks).commit()
    over = create_workflow(id="w", input_schema=list[list[int]], output_schema=list[int])
    run = over.foreach(item, concurrency=2).commit().create_run(storage=storage)
    with pytest.raises(WorkflowFailed):
        await run.start([[1], [2]])
    fork = await run.fork("item[0]/looks")
    with pytest.raises(WorkflowFailed):
        await fork.start()
    assert seen == ["OSError"] * 4
