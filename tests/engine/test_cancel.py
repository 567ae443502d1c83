"""Cancelling: while running, sleeping, suspended and queued; it is final."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from engine.lives import Life, enqueue, live, snapshot_of
from engine.turning import HOUR, TurnedClock, asks, begin, until, until_status

from wrkflw_tui import (
    RetryPolicy,
    RunEnded,
    StepContext,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowStorage,
    step,
)
from wrkflw_tui.store import claims

if TYPE_CHECKING:
    from pathlib import Path


class Steps:
    """Steps that note what becomes of them."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.entered = asyncio.Event()

        @step
        async def waits(value: int, context: StepContext) -> int:
            self.entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.notes.append(f"{context.path} cancelled")
                raise
            return value

        @step
        async def swallows(value: int, context: StepContext) -> int:
            self.entered.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            self.notes.append(f"{context.path} swallowed")
            return value

        @step
        async def turns_it_into_an_error(value: int) -> int:
            self.entered.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise OSError("disturbed") from None
            return value

        @step
        async def behind(value: int, context: StepContext) -> int:
            self.notes.append(f"{context.path} called")
            return value

        self.waits, self.swallows, self.behind = waits, swallows, behind
        self.turns_it_into_an_error = turns_it_into_an_error


async def test_cancel_ends_an_async_step_in_a_nested_workflow_and_is_final(
    storage: WorkflowStorage,
) -> None:
    steps = Steps()
    deep = begin("deep").then(steps.waits).then(steps.behind).commit()
    inner = begin("inner").then(deep).then(steps.behind).commit()
    run = begin().then(inner).then(steps.behind).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await steps.entered.wait()
    await run.cancel()
    with pytest.raises(WorkflowCancelled, match=run.run_id):
        await task
    assert steps.notes == ["inner/deep/waits cancelled"]
    snapshot = await run.snapshot()
    assert snapshot.status == "cancelled"
    assert {r.status for r in snapshot.step_results.values()} == {"interrupted"}
    for again in (run.cancel(), run.recover(), run.resume(1), run.send_event("go")):
        with pytest.raises(RunEnded, match="cancelled"):
            await again
    assert await run.snapshot() == snapshot


@pytest.mark.parametrize("swallows", [True, False], ids=["returns", "raises"])
@pytest.mark.parametrize("limit", [None, HOUR], ids=["no timeout", "timeout"])
async def test_a_step_that_swallows_its_cancel_is_the_last_one(
    storage: WorkflowStorage, swallows: bool, limit: Any
) -> None:
    steps = Steps()
    work = steps.swallows if swallows else steps.turns_it_into_an_error
    policy = RetryPolicy(max_attempts=3, initial_delay=0 * HOUR)
    limited: Any = step(id="work", timeout=limit, retry=policy)(work.function)
    flow = begin().then(limited).then(steps.behind).commit()
    run = flow.create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await steps.entered.wait()
    await run.cancel()
    with pytest.raises(WorkflowCancelled):
        await asyncio.wait_for(task, 10)
    assert "behind called" not in steps.notes
    snapshot = await run.snapshot()
    assert snapshot.status == "cancelled"
    assert len(snapshot.attempts("work")) == 1


async def test_a_synchronous_step_is_told_and_its_result_is_discarded(
    storage: WorkflowStorage,
) -> None:
    steps = Steps()
    at_work, let_go, over = threading.Event(), threading.Event(), threading.Event()
    told: list[bool] = []

    @step
    def works(value: int, context: StepContext) -> int:
        at_work.set()
        let_go.wait(20)
        told.append(context.cancelled)
        over.set()
        return value

    run = begin().then(works).then(steps.behind).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await until(at_work.is_set, "the step is at work")
    await run.cancel()
    with pytest.raises(WorkflowCancelled):
        await task
    let_go.set()
    await until(over.is_set, "the thread has ended")
    await asyncio.sleep(0.02)
    snapshot = await run.snapshot()
    assert (snapshot.status, told, steps.notes) == ("cancelled", [True], [])
    assert snapshot.step_results["works"].status == "interrupted"


async def test_a_handler_is_not_for_a_cancel(storage: WorkflowStorage) -> None:
    steps = Steps()

    @step
    async def mend(failure: Any) -> int:
        steps.notes.append("mend called")
        return 0

    run = begin().then(steps.waits, recover=mend).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await steps.entered.wait()
    await run.cancel()
    with pytest.raises(WorkflowCancelled):
        await task
    assert steps.notes == ["waits cancelled"]


async def test_cancel_of_a_suspended_run_is_at_once(storage: WorkflowStorage) -> None:
    @step
    async def ask(value: int, context: StepContext) -> int:
        return context.suspend(int)

    inner = begin("inner").then(ask).commit()
    run = begin().then(inner).commit().create_run(storage=storage)
    await asks(run.start(1))
    await run.cancel()
    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.questions) == ("cancelled", ())
    assert {p: r.status for p, r in snapshot.step_results.items()} == {
        "inner": "interrupted",
        "inner/ask": "interrupted",
    }
    with pytest.raises(RunEnded):
        await run.resume(1)


async def test_cancel_of_a_run_that_waits_for_an_event_is_at_once(
    storage: WorkflowStorage,
) -> None:
    run = begin().wait_for("go", int).commit().create_run(storage=storage)
    await asks(run.start(1))
    await run.cancel()
    assert (await run.snapshot()).status == "cancelled"


async def test_cancel_of_a_queued_run_is_at_once(storage: WorkflowStorage) -> None:
    steps = Steps()
    flow = begin().then(steps.behind).commit()
    queued = await storage.database.write(lambda c: claims.enqueue(c, "flow", "1", "app"))
    run = await flow.get_run(queued, storage=storage)
    await run.cancel()
    assert (await run.snapshot()).status == "cancelled"
    with pytest.raises(RunEnded):
        await run.recover()
    assert steps.notes == []


async def test_cancel_of_a_forked_run_that_was_not_started(storage: WorkflowStorage) -> None:
    steps = Steps()
    run = begin().then(steps.behind).commit().create_run(storage=storage)
    await run.start(1)
    fork = await run.fork(at="behind")
    await fork.cancel()
    with pytest.raises(RunEnded, match="cancelled"):
        await fork.start()
    assert (await run.snapshot()).status == "success"


async def test_a_sleep_that_is_stayed_through_is_cancelled_too(file: Path) -> None:
    clock = TurnedClock()
    storage = WorkflowStorage(file, clock=clock)
    run = begin().sleep(HOUR / 1000).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await until_status(run, "running")
    await run.cancel()
    with pytest.raises(WorkflowCancelled):
        await task
    await storage.close()


async def test_cancel_of_an_ended_run_is_refused_and_changes_nothing(
    storage: WorkflowStorage,
) -> None:
    @step
    async def maybe(value: int) -> int:
        if value < 0:
            raise OSError("broken")
        return value

    good, bad = (begin().then(maybe).commit().create_run(storage=storage) for _ in range(2))
    await good.start(1)
    with pytest.raises(WorkflowFailed):
        await bad.start(-1)
    for run, status in ((good, "success"), (bad, "failed")):
        before = await run.snapshot()
        with pytest.raises(RunEnded, match=status):
            await run.cancel()
        assert await run.snapshot() == before


async def test_a_cancel_touches_no_other_run(storage: WorkflowStorage) -> None:
    steps = Steps()
    goes_on = asyncio.Event()
    at_work: list[int] = []

    @step
    async def work(value: int) -> int:
        at_work.append(value)
        await goes_on.wait()
        return value

    flow = begin().then(work).then(steps.behind).commit()
    runs = [flow.create_run(storage=storage) for _ in range(3)]
    tasks = [asyncio.create_task(run.start(n)) for n, run in enumerate(runs)]
    await until(lambda: len(at_work) == 3, "all are at work")
    await runs[1].cancel()
    with pytest.raises(WorkflowCancelled):
        await tasks[1]
    goes_on.set()
    assert [await tasks[0], await tasks[2]] == [0, 2]


async def test_a_cancel_that_came_too_late_does_not_end_the_recovered_run(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for as the run failed; who recovers it afterwards wants it to go on."""
    monkeypatch.setattr("wrkflw_tui.store.listener.LOOK", 3600)
    is_broken = True

    @step
    async def work(value: int) -> int:
        if is_broken:
            storage = WorkflowStorage(file)
            await storage.database.write(lambda c: claims.request_cancel(c, "run-1"))
            await storage.close()
            raise OSError("broken")
        return value

    flow = begin().then(work).commit()
    storage = WorkflowStorage(file)
    run = flow.create_run("run-1", storage=storage)
    with pytest.raises(WorkflowFailed, match="broken"):
        await run.start(1)
    is_broken = False
    assert await run.recover() == 1
    await storage.close()


async def test_a_cancel_asked_for_before_the_process_died_still_holds(file: Path) -> None:
    steps = Steps()
    flow = begin().then(steps.behind).then(steps.behind.with_id("second")).commit()
    await enqueue(file, 1)
    assert await live(file, flow, Life(2)) is None
    storage = WorkflowStorage(file)
    claim = await storage.database.write(lambda c: claims.claim_next(c, "holder"))
    assert claim is not None
    await storage.database.write(lambda c: claims.request_cancel(c, "run-1"))
    await storage.database.write(lambda c: claims.release(c, claim, "crashed"))
    await storage.close()
    steps.notes.clear()
    with pytest.raises(WorkflowCancelled):
        await live(file, flow, Life())
    assert (await snapshot_of(file)).status == "cancelled"


async def test_a_caller_that_is_cancelled_at_any_moment_leaves_the_run_recoverable(
    storage: WorkflowStorage,
) -> None:
    """Also in the very moment in which it takes the run up."""

    @step
    async def ask(value: int, context: StepContext) -> int:
        return context.suspend(int)

    run = begin().then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    for turns in range(30):
        task = asyncio.create_task(run.recover())
        for _ in range(turns):
            await asyncio.sleep(0 if turns < 20 else 0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await run.snapshot()).status in ("queued", "suspended")
        assert len(await asks(run.recover())) == 1
    assert await run.resume(4) == 4
