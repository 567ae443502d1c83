"""Sleeping: the instant is on record, and a restart does not sleep again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from engine.turning import HOUR, MINUTE, TurnedClock, begin, until, until_status

from wrkflw_tui import (
    DefinitionError,
    RunEnded,
    StepContext,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowStorage,
    step,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def turned(file: Path, clock: TurnedClock) -> AsyncIterator[WorkflowStorage]:
    storage = WorkflowStorage(file, clock=clock)
    yield storage
    await storage.close()


class Around:
    """Steps before and behind that note when they are called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

        @step
        async def work(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            return value

        self.before, self.behind = work.with_id("before"), work.with_id("behind")

    def flow(self, duration: Any = HOUR) -> Any:
        return begin().then(self.before).sleep(duration).then(self.behind).commit()


async def killed(file: Path, clock: TurnedClock, flow: Any) -> None:
    """Start a run `r` and let its process go where it sleeps."""
    storage = WorkflowStorage(file, clock=clock)
    run = flow.create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    await until_status(run, "sleeping")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await storage.close()


async def test_a_run_sleeps_until_its_instant(turned: WorkflowStorage, clock: TurnedClock) -> None:
    around = Around()
    run = around.flow().create_run(storage=turned)
    begun = clock.now()
    task = asyncio.create_task(run.start(1))
    snapshot = await until_status(run, "sleeping")
    assert snapshot.wake_at == begun + HOUR
    result = snapshot.step_results["sleep-1"]
    assert (result.kind, result.status, result.wake_at) == ("sleep", "waiting", begun + HOUR)
    assert snapshot.execution_path == ("sleep-1",)
    await clock.until_asleep()
    clock.turn(HOUR - MINUTE)
    assert around.calls == ["before"]
    assert not task.done()
    clock.turn(MINUTE)
    assert await task == 1
    assert around.calls == ["before", "behind"]
    snapshot = await run.snapshot()
    assert snapshot.status == "success"
    assert snapshot.step_results["sleep-1"].status == "success"
    assert len(snapshot.attempts("sleep-1")) == 1


async def test_killed_and_recovered_after_fifty_minutes_it_sleeps_ten_more(
    file: Path, clock: TurnedClock
) -> None:
    around = Around()
    await killed(file, clock, around.flow())
    clock.turn(50 * MINUTE)
    storage = WorkflowStorage(file, clock=clock)
    run = await around.flow().get_run("r", storage=storage)
    task = asyncio.create_task(run.recover())
    await clock.until_asleep()
    assert (await run.snapshot()).wake_at == clock.now() + 10 * MINUTE
    clock.turn(9 * MINUTE)
    await asyncio.sleep(0.02)
    assert not task.done()
    clock.turn(MINUTE)
    assert await task == 1
    assert around.calls == ["before", "behind"]
    await storage.close()


async def test_recovered_after_three_hours_it_goes_on_at_once(
    file: Path, clock: TurnedClock
) -> None:
    around = Around()
    await killed(file, clock, around.flow())
    clock.turn(3 * HOUR)
    storage = WorkflowStorage(file, clock=clock)
    run = await around.flow().get_run("r", storage=storage)
    assert await run.recover() == 1
    assert around.calls == ["before", "behind"]
    await storage.close()


async def test_what_the_function_says_is_computed_once(file: Path, clock: TurnedClock) -> None:
    asked: list[int] = []

    def long(value: int, context: StepContext) -> timedelta:
        asked.append(value)
        return len(asked) * HOUR

    flow = begin().sleep(long).commit()
    await killed(file, clock, flow)
    clock.turn(HOUR)
    storage = WorkflowStorage(file, clock=clock)
    assert await (await flow.get_run("r", storage=storage)).recover() == 1
    assert asked == [1]
    await storage.close()


@pytest.mark.parametrize("duration", [timedelta(0), timedelta(hours=-1)], ids=str)
async def test_a_sleep_of_nothing_goes_on(turned: WorkflowStorage, duration: timedelta) -> None:
    around = Around()
    assert await around.flow(duration).create_run(storage=turned).start(1) == 1
    assert await around.flow(lambda n: duration).create_run(storage=turned).start(1) == 1


async def test_a_sleep_function_that_raises_fails_at_its_path(turned: WorkflowStorage) -> None:
    def breaks(value: int) -> timedelta:
        raise ZeroDivisionError("no time")

    around = Around()
    run = around.flow(breaks).create_run(storage=turned)
    with pytest.raises(WorkflowFailed, match="no time") as caught:
        await run.start(1)
    assert caught.value.path == "sleep-1"
    assert (await run.snapshot()).step_results["sleep-1"].status == "failed"
    assert around.calls == ["before"]


@pytest.mark.parametrize("given", [3, "an hour", None], ids=repr)
async def test_a_sleep_function_that_gives_no_duration_fails(
    turned: WorkflowStorage, given: Any
) -> None:
    run = begin().sleep(lambda n: given).commit().create_run(storage=turned)
    with pytest.raises(WorkflowFailed, match="sleep takes a timedelta"):
        await run.start(1)


async def test_a_sleep_too_long_to_be_reckoned_fails(turned: WorkflowStorage) -> None:
    run = begin().sleep(timedelta.max).commit().create_run(storage=turned)
    with pytest.raises(WorkflowFailed, match="OverflowError") as caught:
        await run.start(1)
    assert caught.value.path == "sleep-1"


async def test_sleeping_until_an_instant(turned: WorkflowStorage, clock: TurnedClock) -> None:
    instant = clock.now() + HOUR
    run = begin().sleep_until(instant).commit().create_run(storage=turned)
    task = asyncio.create_task(run.start(1))
    assert (await until_status(run, "sleeping")).wake_at == instant
    await clock.until_asleep()
    clock.turn(HOUR)
    assert await task == 1
    past = begin().sleep_until(lambda n: instant).commit().create_run(storage=turned)
    assert await past.start(1) == 1


async def test_an_instant_without_a_zone_is_refused(turned: WorkflowStorage) -> None:
    with pytest.raises(DefinitionError, match="time zone"):
        begin().sleep_until(datetime(2030, 1, 1))
    naive = begin().sleep_until(lambda n: datetime(2030, 1, 1)).commit()
    with pytest.raises(WorkflowFailed, match="time zone"):
        await naive.create_run(storage=turned).start(1)
    assert datetime(2030, 1, 1, tzinfo=UTC).tzinfo is UTC


async def test_arms_sleep_side_by_side_and_the_first_wakes_first(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    around = Around()
    short = begin("short").sleep(HOUR).then(around.before).commit()
    long = begin("long").sleep(2 * HOUR).then(around.behind).commit()
    run = begin(output=tuple[int, int]).parallel(long, short).commit().create_run(storage=turned)
    begun = clock.now()
    task = asyncio.create_task(run.start(1))
    assert (await until_status(run, "sleeping")).wake_at == begun + HOUR
    await clock.until_asleep()
    clock.turn(HOUR)
    await until(lambda: around.calls == ["short/before"], "the short arm went on")
    await clock.until_asleep()
    assert (await until_status(run, "sleeping")).wake_at == begun + 2 * HOUR
    clock.turn(HOUR)
    assert await task == (1, 1)
    assert around.calls == ["short/before", "long/behind"]


async def test_a_short_sleep_is_stayed_through(turned: WorkflowStorage, clock: TurnedClock) -> None:
    run = begin().sleep(timedelta(seconds=3)).commit().create_run(storage=turned)
    task = asyncio.create_task(run.start(1))
    await clock.until_asleep()
    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.execution_path) == ("running", ("sleep-1",))
    clock.turn(timedelta(seconds=3))
    assert await task == 1


async def test_a_busy_arm_keeps_the_run_running_while_another_sleeps(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    goes_on = asyncio.Event()

    @step
    async def busy(value: int) -> int:
        await goes_on.wait()
        return value

    sleeps = begin("sleeps").sleep(HOUR).commit()
    run = begin(output=tuple[int, int]).parallel(busy, sleeps).commit().create_run(storage=turned)
    task = asyncio.create_task(run.start(1))
    await clock.until_asleep()
    assert (await run.snapshot()).status == "running"
    clock.turn(2 * HOUR)
    goes_on.set()
    assert await task == (1, 1)


async def test_the_sleep_of_every_item_and_iteration_is_its_own(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    rest = begin("rest").sleep(lambda n: n * HOUR).commit()
    flow = begin(input=list[int], output=list[int]).foreach(rest, concurrency=3).commit()
    run = flow.create_run(storage=turned)
    task = asyncio.create_task(run.start([0, 1, 2]))
    snapshot = await until_status(run, "sleeping")
    assert snapshot.wake_at == clock.now() + HOUR
    assert snapshot.execution_path == ("rest[1]/sleep-1", "rest[2]/sleep-1")
    await clock.until_asleep()
    clock.turn(2 * HOUR)
    assert await task == [0, 1, 2]


async def test_a_retry_delay_is_slept_through_without_a_walk(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    from wrkflw_tui import RetryPolicy

    @step(retry=RetryPolicy(max_attempts=2, initial_delay=MINUTE, jitter=0))
    async def shaky(value: int, context: StepContext) -> int:
        if context.attempt == 1:
            raise OSError("once")
        return value

    run = begin().then(shaky).commit().create_run(storage=turned)
    task = asyncio.create_task(run.start(1))
    assert (await until_status(run, "sleeping")).wake_at == clock.now() + MINUTE
    await clock.until_asleep()
    clock.turn(MINUTE)
    assert await task == 1


async def test_an_ended_run_is_not_recovered(turned: WorkflowStorage) -> None:
    run = begin().sleep(timedelta(0)).commit().create_run(storage=turned)
    await run.start(1)
    with pytest.raises(RunEnded, match="success"):
        await run.recover()


async def test_a_cancel_ends_the_sleep_at_once(turned: WorkflowStorage, clock: TurnedClock) -> None:
    around = Around()
    run = around.flow().create_run(storage=turned)
    task = asyncio.create_task(run.start(1))
    await until_status(run, "sleeping")
    await run.cancel()
    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.wake_at) == ("cancelled", None)
    assert snapshot.step_results["sleep-1"].status == "interrupted"
    with pytest.raises(WorkflowCancelled):
        await task
    assert around.calls == ["before"]
