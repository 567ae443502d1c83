"""The time that a whole run has, and a nested workflow: with its sleeps, without its questions."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from engine.turning import HOUR, MINUTE, TurnedClock, asks, begin, paths, until, until_status

from wrkflw_tui import (
    StepContext,
    StepFailure,
    StepTimeout,
    WorkflowFailed,
    WorkflowStorage,
    step,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from pathlib import Path


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def turned(file: Path, clock: TurnedClock) -> AsyncIterator[WorkflowStorage]:
    storage = WorkflowStorage(file, clock=clock)
    yield storage
    await storage.close()


class Steps:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.entered = asyncio.Event()

        @step
        async def hangs(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            self.entered.set()
            await asyncio.Event().wait()
            return value

        @step
        async def swallows(value: int) -> int:
            self.entered.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return value

        @step
        async def ask(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            return value + context.suspend(int)

        @step
        async def work(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            return value

        @step
        async def mend(failure: StepFailure) -> int:
            self.calls.append(str(failure))
            return -1

        self.hangs, self.swallows, self.ask, self.work, self.mend = hangs, swallows, ask, work, mend


async def until_wake(run: Any, instant: datetime) -> None:
    async with asyncio.timeout(20):
        while (await until_status(run, "sleeping")).wake_at != instant:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def late(call: Any) -> WorkflowFailed:
    with pytest.raises(WorkflowFailed, match="took longer than") as caught:
        await call
    assert isinstance(caught.value.__cause__, StepTimeout)
    return caught.value


async def test_a_run_past_its_time_fails_and_its_step_is_cancelled(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    steps = Steps()
    flow = begin(timeout=HOUR).then(steps.hangs).then(steps.work).commit()
    run = flow.create_run(storage=turned)
    task = asyncio.create_task(run.start(1))
    await steps.entered.wait()
    clock.turn(HOUR)
    failed = await late(task)
    assert failed.path == ""
    assert "flow took longer than 3600 s" in str(failed)
    snapshot = await run.snapshot()
    assert snapshot.status == "failed"
    assert snapshot.step_results["hangs"].status == "interrupted"
    assert steps.calls == ["hangs"]


async def test_a_step_that_swallows_the_end_of_the_runs_time_is_the_last_one(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    steps = Steps()
    flow = begin(timeout=HOUR).then(steps.swallows).then(steps.work).commit()
    task = asyncio.create_task(flow.create_run(storage=turned).start(1))
    await steps.entered.wait()
    clock.turn(HOUR)
    await late(task)
    assert steps.calls == []


async def test_a_run_in_time_is_not_disturbed(turned: WorkflowStorage) -> None:
    steps = Steps()
    assert await begin(timeout=HOUR).then(steps.work).commit().create_run(storage=turned).start(1)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_sleeps_count(turned: WorkflowStorage, clock: TurnedClock) -> None:
    steps = Steps()
    flow = begin(timeout=HOUR).sleep(2 * HOUR).then(steps.work).commit()
    run = flow.create_run(storage=turned)
    begun = clock.now()
    task = asyncio.create_task(run.start(1))
    assert (await until_status(run, "sleeping")).wake_at == begun + HOUR
    await clock.until_asleep()
    clock.turn(HOUR)
    await late(task)
    assert steps.calls == []
    assert (await run.snapshot()).step_results["sleep-1"].status == "interrupted"


async def test_suspensions_do_not_count(turned: WorkflowStorage, clock: TurnedClock) -> None:
    steps = Steps()
    flow = begin(timeout=HOUR).then(steps.ask).sleep(50 * MINUTE).then(steps.hangs).commit()
    run = flow.create_run(storage=turned)
    await asks(run.start(1))
    assert (await run.snapshot()).wake_at is None
    clock.turn(5 * HOUR)
    task = asyncio.create_task(run.resume(1))
    await until_status(run, "sleeping")
    await clock.until_asleep()
    clock.turn(50 * MINUTE)
    await steps.entered.wait()
    clock.turn(9 * MINUTE)
    await asyncio.sleep(0.02)
    assert not task.done()
    clock.turn(MINUTE)
    await late(task)


async def test_waiting_for_an_event_does_not_count(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    flow = begin(timeout=HOUR).wait_for("go", int).commit()
    run = flow.create_run(storage=turned)
    await asks(run.start(1))
    clock.turn(5 * HOUR)
    await run.send_event("go", 3)
    assert await run.recover() == 3


async def test_a_looking_in_on_a_suspended_run_does_not_use_up_its_time(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    steps = Steps()
    run = begin(timeout=HOUR).then(steps.ask).commit().create_run(storage=turned)
    await asks(run.start(1))
    for _ in range(3):
        clock.turn(HOUR)
        await asks(run.recover())
    assert await run.resume(1) == 2


async def test_the_time_goes_on_where_the_process_was_gone(file: Path, clock: TurnedClock) -> None:
    steps = Steps()
    flow = begin(timeout=HOUR).then(steps.work).then(steps.hangs).commit()
    first = WorkflowStorage(file, clock=clock)
    task = asyncio.create_task(flow.create_run("r", storage=first).start(1))
    await steps.entered.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await first.close()
    clock.turn(50 * MINUTE)
    second = WorkflowStorage(file, clock=clock)
    steps.entered.clear()
    again = asyncio.create_task((await flow.get_run("r", storage=second)).recover())
    await steps.entered.wait()
    clock.turn(9 * MINUTE)
    await asyncio.sleep(0.02)
    assert not again.done()
    clock.turn(MINUTE)
    await late(again)
    await second.close()


async def test_a_failed_run_that_is_recovered_has_its_whole_time_again(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    steps = Steps()
    flow = begin(timeout=HOUR).then(steps.work).then(steps.hangs).commit()
    run = flow.create_run(storage=turned)
    for _ in range(2):
        steps.entered.clear()
        task = asyncio.create_task(run.recover() if steps.calls else run.start(1))
        await steps.entered.wait()
        clock.turn(59 * MINUTE)
        await asyncio.sleep(0.02)
        assert not task.done()
        clock.turn(MINUTE)
        await late(task)
    assert steps.calls == ["work", "hangs", "hangs"]


async def test_a_nested_workflow_has_a_time_of_its_own(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    steps = Steps()
    inner = begin("inner", timeout=HOUR).then(steps.hangs).commit()
    flow = begin(timeout=5 * HOUR).then(inner, recover=steps.mend).then(steps.work).commit()
    run = flow.create_run(storage=turned)
    task = asyncio.create_task(run.start(1))
    await steps.entered.wait()
    clock.turn(HOUR)
    assert await task == -1
    assert steps.calls[0] == "inner/hangs"
    assert steps.calls[1] == "inner: StepTimeout: inner took longer than 3600 s"
    assert steps.calls[2:] == ["work"]
    results = (await run.snapshot()).step_results
    assert (results["inner"].status, results["inner/hangs"].status) == ("failed", "interrupted")


async def test_of_two_times_that_end_together_the_outer_counts(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    steps = Steps()
    inner = begin("inner", timeout=HOUR).then(steps.hangs).commit()
    flow = begin(timeout=HOUR).then(inner, recover=steps.mend).commit()
    run = flow.create_run(storage=turned)
    task = asyncio.create_task(run.start(1))
    await steps.entered.wait()
    clock.turn(2 * HOUR)
    failed = await late(task)
    assert failed.path == ""
    assert (await run.snapshot()).status == "failed"


async def test_a_nested_time_counts_sleeps_and_no_questions(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    steps = Steps()
    inner = begin("inner", timeout=HOUR).then(steps.ask).sleep(2 * HOUR).commit()
    run = begin().then(inner, recover=steps.mend).commit().create_run(storage=turned)
    assert paths(await asks(run.start(1))) == ["inner/ask"]
    clock.turn(5 * HOUR)
    resumed = clock.now()
    task = asyncio.create_task(run.resume(1))
    assert (await until_status(run, "sleeping")).wake_at == resumed + HOUR
    await clock.until_asleep()
    clock.turn(HOUR)
    assert await task == -1


async def test_a_nested_time_in_an_arm_leaves_the_others_alone(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    steps = Steps()
    goes_on = asyncio.Event()

    @step
    async def beside(value: int) -> int:
        await goes_on.wait()
        return value

    inner = begin("inner", timeout=HOUR).then(steps.hangs).commit()
    flow = (
        begin(output=str)
        .parallel(inner, beside, on_error="collect")
        .map(lambda both: f"{both[0]}, {both[1]}", output_schema=str)
        .commit()
    )
    run = flow.create_run(storage=turned)
    task = asyncio.create_task(run.start(1))
    await steps.entered.wait()
    clock.turn(HOUR)
    await until(lambda: not clock.sleepers, "the time was up")
    goes_on.set()
    assert await task == "inner: StepTimeout: inner took longer than 3600 s, 1"


async def test_the_time_of_every_item_is_its_own(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    rest = begin("rest", timeout=HOUR).sleep(lambda n: n * MINUTE).commit()
    flow = (
        begin(input=list[int], output=str)
        .foreach(rest, concurrency=1, on_error="collect")
        .map(lambda all: ", ".join(map(str, all)), output_schema=str)
        .commit()
    )
    run = flow.create_run(storage=turned)
    task = asyncio.create_task(run.start([50, 70, 50]))
    for minutes in (50, 60, 50):
        await until_wake(run, clock.now() + minutes * MINUTE)
        await clock.until_asleep()
        clock.turn(minutes * MINUTE)
    assert await task == "50, rest[1]: StepTimeout: rest took longer than 3600 s, 50"


async def test_a_recovered_run_gives_its_nested_workflows_their_whole_time_again(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    steps = Steps()
    is_broken = True

    @step
    async def maybe(value: int) -> int:
        if is_broken:
            raise OSError("broken")
        return value

    inner = begin("inner", timeout=HOUR).then(steps.ask).sleep(50 * MINUTE).commit()
    run = begin().parallel(inner, maybe).map(sum, output_schema=int).commit()
    run = run.create_run(storage=turned)
    with pytest.raises(WorkflowFailed, match="broken"):
        await run.start(1)
    is_broken = False
    clock.turn(5 * HOUR)
    await asks(run.recover())
    task = asyncio.create_task(run.resume(1))
    await until_status(run, "sleeping")
    await clock.until_asleep()
    clock.turn(50 * MINUTE)
    assert await task == 3
