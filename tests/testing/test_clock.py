"""A clock that a test turns: what is due has happened once it was turned."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui import (
    RetryPolicy,
    StepTimeout,
    Workflow,
    WorkflowFailed,
    WorkflowStorage,
    WorkflowSuspended,
    create_workflow,
    step,
)
from wrkflw_tui.testing import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
async def memory(clock: Clock) -> AsyncIterator[WorkflowStorage]:
    storage = WorkflowStorage(":memory:", clock=clock)
    yield storage
    await storage.close()


@step
async def add_one(value: int) -> int:
    return value + 1


def sleeper(*lengths: timedelta) -> Workflow[int, int]:
    builder = create_workflow(id="sleeper", input_schema=int, output_schema=int).then(add_one)
    for number, length in enumerate(lengths):
        builder = builder.sleep(length).then(add_one.with_id(f"after-{number}"))
    return builder.commit()


async def test_it_stands_still_and_shows_utc() -> None:
    clock = Clock(datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))))
    assert (clock.now(), clock.now().tzinfo) == (NOON, UTC)
    await clock.advance(HOUR)
    assert clock.now() == NOON + HOUR
    await clock.advance_to(NOON + 2 * HOUR)
    assert clock.now() == NOON + 2 * HOUR


async def test_it_is_not_turned_back(clock: Clock) -> None:
    with pytest.raises(ValueError, match="turned back"):
        await clock.advance(-MINUTE)
    with pytest.raises(ValueError, match="turned back"):
        await clock.advance_to(NOON - MINUTE)
    with pytest.raises(ValueError, match="time zone"):
        Clock(datetime(2026, 1, 1))


async def test_timers_fire_in_the_order_of_their_instants(clock: Clock) -> None:
    fired: list[tuple[str, datetime]] = []

    async def sleep(name: str, *lengths: timedelta) -> None:
        for length in lengths:
            await clock.sleep(length)
            fired.append((name, clock.now()))

    tasks = [
        asyncio.create_task(sleep("long", 3 * MINUTE)),
        asyncio.create_task(sleep("twice", MINUTE, MINUTE)),
        asyncio.create_task(sleep("late", HOUR)),
    ]
    await clock.advance(10 * MINUTE)
    assert fired == [
        ("twice", NOON + MINUTE),
        ("twice", NOON + 2 * MINUTE),
        ("long", NOON + 3 * MINUTE),
    ]
    await clock.advance(50 * MINUTE)
    assert fired[-1] == ("late", NOON + HOUR)
    await asyncio.gather(*tasks)


async def test_a_run_sleeps_on_record_until_the_clock_was_turned(
    clock: Clock, memory: WorkflowStorage
) -> None:
    run = sleeper(HOUR).create_run(storage=memory)
    running = asyncio.create_task(run.start(0))
    await clock.advance(timedelta(0))
    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.wake_at) == ("sleeping", NOON + HOUR)

    await clock.advance(50 * MINUTE)
    assert (await run.snapshot()).status == "sleeping"
    assert not running.done()

    await clock.advance(10 * MINUTE)
    assert running.done()
    assert await running == 2
    assert (await run.snapshot()).step_results["after-0"].started_at == NOON + HOUR


async def test_a_run_that_was_left_asleep_wakes_at_its_instant(file: Path, clock: Clock) -> None:
    flow = sleeper(HOUR)
    first = WorkflowStorage(file, clock=clock)
    run = flow.create_run("run-1", first)
    running = asyncio.create_task(run.start(0))
    await clock.advance(50 * MINUTE)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await first.close()

    second = WorkflowStorage(file, clock=clock)
    again = await flow.get_run("run-1", second)
    recovering = asyncio.create_task(again.recover())
    await clock.advance(9 * MINUTE)
    assert not recovering.done()
    await clock.advance(MINUTE)
    assert await recovering == 2
    assert (await again.snapshot()).step_results["after-0"].started_at == NOON + HOUR
    await second.close()


async def test_a_run_that_overslept_goes_on_at_once(clock: Clock, memory: WorkflowStorage) -> None:
    run = sleeper(HOUR).create_run(storage=memory)
    running = asyncio.create_task(run.start(0))
    await clock.advance(MINUTE)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await clock.advance(3 * HOUR)
    assert await run.recover() == 2


async def test_sleeps_one_after_the_other_are_all_gone_through(
    clock: Clock, memory: WorkflowStorage
) -> None:
    run = sleeper(HOUR, HOUR, timedelta(seconds=2)).create_run(storage=memory)
    running = asyncio.create_task(run.start(0))
    await clock.advance(2 * HOUR + timedelta(seconds=2))
    assert running.done()
    results = (await run.snapshot()).step_results
    assert [results[f"after-{n}"].started_at - NOON for n in range(3)] == [
        HOUR,
        2 * HOUR,
        2 * HOUR + timedelta(seconds=2),
    ]
    assert await running == 4


async def test_a_month_of_days_is_gone_through_in_one_turn(
    clock: Clock, memory: WorkflowStorage
) -> None:
    seen: list[datetime] = []

    @step
    def look(day: int) -> int:
        seen.append(clock.now())
        return day + 1

    a_day = (
        create_workflow(id="day", input_schema=int, output_schema=int)
        .then(look)
        .sleep(timedelta(days=1))
        .commit()
    )
    month = (
        create_workflow(id="month", input_schema=int, output_schema=int)
        .do_while(a_day, lambda day: day < 30)
        .commit()
    )
    running = asyncio.create_task(month.create_run(storage=memory).start(0))
    await clock.advance(timedelta(days=29))
    assert seen == [NOON + timedelta(days=day) for day in range(30)]
    assert not running.done()
    await clock.advance(timedelta(days=1))
    assert running.done()
    assert await running == 30


async def test_a_retry_waits_by_the_clock(clock: Clock, memory: WorkflowStorage) -> None:
    entered: list[timedelta] = []
    policy = RetryPolicy(max_attempts=4, initial_delay=MINUTE, backoff=3, jitter=0)

    @step(retry=policy)
    async def fragile(value: int) -> int:
        entered.append(clock.now() - NOON)
        if len(entered) < 4:
            raise OSError("not yet")
        return value

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(fragile).commit()
    running = asyncio.create_task(flow.create_run(storage=memory).start(1))
    await clock.advance(MINUTE)
    assert entered == [timedelta(0), MINUTE]
    await clock.advance(8 * MINUTE)
    assert entered == [timedelta(0), MINUTE, 4 * MINUTE, 9 * MINUTE], "at most 5 minutes apart"
    assert await running == 1


async def test_an_event_that_does_not_come_is_awaited_until_its_instant(
    clock: Clock, memory: WorkflowStorage
) -> None:
    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=str)
        .wait_for("paid", str, timeout=HOUR)
        .commit()
    )
    run = flow.create_run(storage=memory)
    with pytest.raises(WorkflowSuspended):
        await run.start(1)
    await clock.advance(59 * MINUTE)
    with pytest.raises(WorkflowSuspended):
        await run.recover()
    await clock.advance(MINUTE)
    with pytest.raises(WorkflowFailed, match="EventTimeout"):
        await run.recover()


async def test_a_wait_of_seconds_that_nobody_leaves_times_out_too(
    clock: Clock, memory: WorkflowStorage
) -> None:
    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=str)
        .wait_for("paid", str, timeout=timedelta(seconds=3))
        .commit()
    )
    running = asyncio.create_task(flow.create_run(storage=memory).start(1))
    await clock.advance(timedelta(seconds=3))
    assert running.done()
    with pytest.raises(WorkflowFailed, match="EventTimeout"):
        await running


async def test_a_step_that_hangs_times_out_by_the_clock() -> None:
    clock = Clock(NOON, patience=timedelta(milliseconds=50))
    storage = WorkflowStorage(":memory:", clock=clock)

    @step(timeout=HOUR)
    async def hangs(value: int) -> int:
        await asyncio.Event().wait()
        return value

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(hangs).commit()
    running = asyncio.create_task(flow.create_run(storage=storage).start(1))
    await clock.advance(59 * MINUTE)
    assert not running.done()
    await clock.advance(MINUTE)
    assert running.done()
    with pytest.raises(WorkflowFailed) as failed:
        await running
    assert isinstance(failed.value.__cause__, StepTimeout)
    await storage.close()


async def test_a_thread_that_goes_on_after_its_time_is_left_behind() -> None:
    clock = Clock(NOON, patience=timedelta(milliseconds=50))
    storage = WorkflowStorage(":memory:", clock=clock)
    may_end = threading.Event()

    @step(timeout=HOUR)
    def hangs(value: int) -> int:
        may_end.wait()
        return value

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(hangs).commit()
    running = asyncio.create_task(flow.create_run(storage=storage).start(1))
    await clock.advance(HOUR)
    assert running.done()
    with pytest.raises(WorkflowFailed, match="StepTimeout"):
        await running
    may_end.set()
    await storage.close()


async def test_a_step_may_itself_sleep_by_the_clock(clock: Clock, memory: WorkflowStorage) -> None:
    spans: list[tuple[int, timedelta, timedelta]] = []

    @step(timeout=HOUR)
    async def works(value: int) -> int:
        began = clock.now() - NOON
        await clock.sleep(10 * MINUTE)
        spans.append((value, began, clock.now() - NOON))
        return value

    flow = (
        create_workflow(id="flow", input_schema=list[int], output_schema=list[int])
        .foreach(works, concurrency=3)
        .commit()
    )
    running = asyncio.create_task(flow.create_run(storage=memory).start([0, 1, 2, 3, 4]))
    await clock.advance(20 * MINUTE)
    assert running.done()
    window = [(began, ended) for _, began, ended in spans]
    assert window == [(timedelta(0), 10 * MINUTE)] * 3 + [(10 * MINUTE, 20 * MINUTE)] * 2
    assert await running == [0, 1, 2, 3, 4]


async def test_a_step_that_waits_for_the_test_does_not_hold_the_clock() -> None:
    clock = Clock(NOON, patience=timedelta(milliseconds=50))
    storage = WorkflowStorage(":memory:", clock=clock)
    may_go = asyncio.Event()

    @step
    async def waits(value: int) -> int:
        await may_go.wait()
        return value

    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=int)
        .then(waits)
        .sleep(HOUR)
        .commit()
    )
    running = asyncio.create_task(flow.create_run(storage=storage).start(1))
    await clock.advance(HOUR)
    assert clock.now() == NOON + HOUR
    may_go.set()
    await clock.advance(HOUR)
    assert running.done()
    assert await running == 1
    await storage.close()


async def test_a_step_at_work_on_a_thread_is_waited_for(
    clock: Clock, memory: WorkflowStorage
) -> None:
    may_end = threading.Event()

    @step(timeout=HOUR)
    def works(value: int) -> int:
        asyncio.run_coroutine_threadsafe(soon(), loop)
        may_end.wait()
        return value

    async def soon() -> None:
        loop.call_later(0.1, may_end.set)

    loop = asyncio.get_running_loop()
    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(works).commit()
    running = asyncio.create_task(flow.create_run(storage=memory).start(1))
    await clock.advance(2 * HOUR)
    assert running.done()
    assert await running == 1


async def test_until_skips_what_nobody_works_at(clock: Clock, memory: WorkflowStorage) -> None:
    run = sleeper(HOUR, timedelta(days=365)).create_run(storage=memory)
    assert await clock.until(run.start(0)) == 3
    assert clock.now() == NOON + HOUR + timedelta(days=365)


async def test_until_lets_time_go_by_while_a_step_is_at_work() -> None:
    clock = Clock(NOON, patience=timedelta(milliseconds=20))
    storage = WorkflowStorage(":memory:", clock=clock)

    @step(timeout=timedelta(milliseconds=100))
    async def hangs(value: int) -> int:
        await asyncio.Event().wait()
        return value

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(hangs).commit()
    with pytest.raises(WorkflowFailed, match="StepTimeout"):
        await clock.until(flow.create_run(storage=storage).start(1))
    assert clock.now() == NOON + timedelta(milliseconds=100)
    await storage.close()


async def test_many_runs_are_woken_in_one_turn(clock: Clock, memory: WorkflowStorage) -> None:
    flow = sleeper(HOUR)
    runs = [flow.create_run(storage=memory) for _ in range(50)]
    running = [asyncio.create_task(run.start(n)) for n, run in enumerate(runs)]
    await clock.advance(HOUR)
    assert all(task.done() for task in running)
    assert await asyncio.gather(*running) == [n + 2 for n in range(50)]


async def test_a_cancel_reaches_a_run_that_sleeps(clock: Clock, memory: WorkflowStorage) -> None:
    run = sleeper(HOUR).create_run(storage=memory)
    running = asyncio.create_task(run.start(0))
    await clock.advance(MINUTE)
    await run.cancel()
    await clock.advance(HOUR)
    snapshot = await run.snapshot()
    assert snapshot.status == "cancelled"
    assert "after-0" not in snapshot.step_results
    await asyncio.gather(running, return_exceptions=True)
