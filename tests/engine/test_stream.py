"""Streams: what happens to a run, in order, from whichever process, and to its end."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from engine.turning import HOUR, TurnedClock, asks, begin, until, until_status

from wrkflw_tui import (
    RetryPolicy,
    RunEndedEvent,
    RunNotFound,
    StepContext,
    StepEnded,
    StepProgressed,
    StepStarted,
    WorkflowFailed,
    WorkflowStorage,
    step,
)

if TYPE_CHECKING:
    from pathlib import Path

AT_ONCE = 0 * HOUR


@step
async def add_one(value: int) -> int:
    return value + 1


async def all_of(run: Any, since: int = 0) -> list[Any]:
    async with asyncio.timeout(20):
        return [event async for event in run.stream(since)]


def told(events: list[Any]) -> list[tuple[Any, ...]]:
    return [(e.type, e.path, getattr(e, "status", None)) for e in events]


async def test_a_stream_tells_every_start_and_end_in_order(storage: WorkflowStorage) -> None:
    inner = begin("inner").then(add_one.with_id("deep")).commit()
    run = begin().then(add_one).then(inner).commit().create_run(storage=storage)
    await run.start(1)
    events = await all_of(run)
    assert told(events) == [
        ("step-started", "add-one", None),
        ("step-ended", "add-one", "success"),
        ("step-started", "inner", None),
        ("step-started", "inner/deep", None),
        ("step-ended", "inner/deep", "success"),
        ("step-ended", "inner", "success"),
        ("run-ended", "", "success"),
    ]
    assert [event.revision for event in events] == list(range(1, 8))
    assert events[0].kind == "step"
    assert events[1].output == 2
    assert events[-1].result == 3
    assert all(before.at <= after.at for before, after in pairwise(events))


async def test_a_stream_goes_on_after_the_last_event_that_was_seen(
    storage: WorkflowStorage,
) -> None:
    run = begin().then(add_one).then(add_one.with_id("b")).commit().create_run(storage=storage)
    await run.start(1)
    events = await all_of(run)
    for event in events:
        assert await all_of(run, event.revision) == events[event.revision :]


async def test_a_stream_follows_a_run_that_another_storage_walks_live(file: Path) -> None:
    walking, watching = WorkflowStorage(file), WorkflowStorage(file)
    gates = [asyncio.Event() for _ in range(2)]

    @step
    async def work(value: int, context: StepContext) -> int:
        if value == 1:
            context.report_progress(1, 4, "a quarter")
        await gates[value].wait()
        return value

    flow = begin(input=list[int], output=list[int]).foreach(work, concurrency=2).commit()
    run = flow.create_run("r", storage=walking)
    task = asyncio.create_task(run.start([0, 1]))
    await until_status(run, "running")
    seen: list[Any] = []

    async def watch() -> None:
        async for event in (await flow.get_run("r", storage=watching)).stream():
            seen.append(event)  # noqa: PERF401 - it is looked at meanwhile

    watcher = asyncio.create_task(watch())
    await until(lambda: ("step-progressed", "work[1]", None) in told(seen), "progress is seen")
    gates[1].set()
    await until(lambda: ("step-ended", "work[1]", "success") in told(seen), "the end is seen")
    assert not watcher.done()
    gates[0].set()
    assert await task == [0, 1]
    await asyncio.wait_for(watcher, 20)
    assert told(seen)[-1] == ("run-ended", "", "success")
    (progress,) = [e for e in seen if isinstance(e, StepProgressed) and e.path == "work[1]"]
    assert (progress.progress.done, progress.progress.message) == (1, "a quarter")
    numbered = [e.revision for e in seen if not isinstance(e, StepProgressed)]
    assert numbered == sorted(set(numbered))
    await watching.close()
    await walking.close()


async def test_a_stream_tells_attempts_failures_and_questions(storage: WorkflowStorage) -> None:
    @step(retry=RetryPolicy(max_attempts=2, initial_delay=AT_ONCE))
    async def shaky(value: int, context: StepContext) -> int:
        if context.attempt == 1:
            raise OSError("once")
        return value

    @step
    async def ask(value: int, context: StepContext) -> int:
        return context.suspend(int, reason="How many?")

    run = begin().then(shaky).then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    await run.resume(5)
    events = await all_of(run)
    assert told(events) == [
        ("step-started", "shaky", None),
        ("step-ended", "shaky", "failed"),
        ("step-started", "shaky", None),
        ("step-ended", "shaky", "success"),
        ("step-started", "ask", None),
        ("step-ended", "ask", "suspended"),
        ("step-started", "ask", None),
        ("step-ended", "ask", "success"),
        ("run-ended", "", "success"),
    ]
    failed, asked = events[1], events[5]
    assert isinstance(failed, StepEnded)
    assert failed.error is not None
    assert (failed.error.message, failed.retry_at is not None) == ("once", True)
    assert asked.question.reason == "How many?"
    assert [e.attempt for e in events if isinstance(e, StepStarted)] == [1, 2, 1, 2]


async def test_a_stream_stays_through_rests_and_ends_with_the_run(file: Path) -> None:
    clock = TurnedClock()
    storage = WorkflowStorage(file, clock=clock)
    flow = begin().sleep(HOUR).wait_for("go", int).commit()
    run = flow.create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await until_status(run, "sleeping")
    watcher = asyncio.create_task(all_of(run))
    await clock.until_asleep()
    clock.turn(HOUR)
    await asks(task)
    assert not watcher.done()
    await run.send_event("go", 3)
    assert await run.recover() == 3
    events = await watcher
    assert told(events) == [
        ("step-started", "sleep-1", None),
        ("step-ended", "sleep-1", "success"),
        ("step-started", "wait-for-1", None),
        ("step-ended", "wait-for-1", "success"),
        ("run-ended", "", "success"),
    ]
    assert events[0].wake_at == events[1].at
    assert events[2].question.key == "go"
    await storage.close()


async def test_a_stream_of_a_recovered_run_tells_both_ends(storage: WorkflowStorage) -> None:
    is_broken = True

    @step
    async def work(value: int) -> int:
        if is_broken:
            raise OSError("broken")
        return value

    run = begin().then(add_one).then(work).commit().create_run(storage=storage)
    with pytest.raises(WorkflowFailed):
        await run.start(1)
    first = await all_of(run)
    assert isinstance(first[-1], RunEndedEvent)
    assert first[-1].error is not None
    assert (first[-1].status, first[-1].error.path) == ("failed", "work")
    is_broken = False
    await run.recover()
    assert told(await all_of(run, first[-1].revision)) == [
        ("step-started", "work", None),
        ("step-ended", "work", "success"),
        ("run-ended", "", "success"),
    ]


async def test_a_stream_of_a_cancelled_run_ends(storage: WorkflowStorage) -> None:
    @step
    async def ask(value: int, context: StepContext) -> int:
        return context.suspend(int)

    run = begin().then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    await run.cancel()
    assert told(await all_of(run))[-1] == ("run-ended", "", "cancelled")


async def test_a_stream_of_a_run_that_is_not_on_record(storage: WorkflowStorage) -> None:
    run = begin().then(add_one).commit().create_run(storage=storage)
    with pytest.raises(RunNotFound):
        await all_of(run)


async def test_who_stops_watching_disturbs_nobody(storage: WorkflowStorage) -> None:
    entered, goes_on = asyncio.Event(), asyncio.Event()

    @step
    async def work(value: int) -> int:
        entered.set()
        await goes_on.wait()
        return value

    run = begin().then(work).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await entered.wait()
    async for event in run.stream():
        assert event.path == "work"
        break
    goes_on.set()
    assert await task == 1
