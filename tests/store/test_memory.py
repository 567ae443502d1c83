"""A record in memory: the same as in a file, but nothing is written."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui import (
    RunNotFound,
    StepContext,
    WorkflowFailed,
    WorkflowStorage,
    WorkflowSuspended,
    create_workflow,
    step,
)
from wrkflw_tui.store.changes import Changes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
async def memory() -> AsyncIterator[WorkflowStorage]:
    storage = WorkflowStorage(":memory:")
    yield storage
    await storage.close()


@step
async def double(value: int) -> int:
    return value * 2


@step
def ask(value: int, context: StepContext) -> int:
    return value + context.suspend(int, reason="How much more?")


flow = (
    create_workflow(id="flow", input_schema=int, output_schema=int).then(double).then(ask).commit()
)
doubling = create_workflow(id="doubling", input_schema=int, output_schema=int).then(double).commit()


async def test_a_run_is_on_record_and_no_file_is_written(
    memory: WorkflowStorage, here: Path
) -> None:
    run = doubling.create_run(storage=memory)
    assert await run.start(4) == 8
    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.step_results["double"].output) == ("success", 8)
    assert [found.run_id for found in await memory.list_runs()] == [run.run_id]
    assert os.listdir(here) == []


async def test_two_do_not_see_each_other(memory: WorkflowStorage) -> None:
    run = doubling.create_run("run-1", memory)
    await run.start(1)
    other = WorkflowStorage(":memory:")
    assert await other.list_runs() == []
    with pytest.raises(RunNotFound):
        await doubling.get_run("run-1", other)
    assert await doubling.create_run("run-1", other).start(2) == 4
    assert (await run.snapshot()).input_data == 1
    await other.close()


async def test_a_run_is_answered_and_forked(memory: WorkflowStorage) -> None:
    run = flow.create_run(storage=memory)
    with pytest.raises(WorkflowSuspended):
        await run.start(1)
    assert await run.resume(5) == 7
    fork = await run.fork("ask", input_data=100)
    with pytest.raises(WorkflowSuspended):
        await fork.start()
    assert await fork.resume(1) == 101
    assert (await fork.snapshot()).attempts("double")[0].output == 2


async def test_a_failed_run_is_recovered(memory: WorkflowStorage) -> None:
    fails = True

    @step
    async def fragile(value: int) -> int:
        if fails:
            raise OSError("not now")
        return value

    frail = (
        create_workflow(id="frail", input_schema=int, output_schema=int)
        .then(double)
        .then(fragile)
        .commit()
    )
    run = frail.create_run(storage=memory)
    with pytest.raises(WorkflowFailed):
        await run.start(1)
    fails = False
    assert await run.recover() == 2
    assert len((await run.snapshot()).attempts("double")) == 1


async def test_a_run_is_followed_while_it_goes_on(memory: WorkflowStorage) -> None:
    run = flow.create_run(storage=memory)
    with pytest.raises(WorkflowSuspended):
        await run.start(1)

    async def follow() -> list[str]:
        return [event.type async for event in run.stream()]

    following = asyncio.create_task(follow())
    await run.resume(5)
    types = await following
    assert types[-1] == "run-ended"
    assert types.count("step-started") == 3


async def test_a_second_storage_on_the_same_place_tells_a_run_something(
    memory: WorkflowStorage,
) -> None:
    waiting = (
        create_workflow(id="waiting", input_schema=int, output_schema=str)
        .parallel(ask, double)
        .map(str)
        .commit()
    )
    run = waiting.create_run(storage=memory)
    with pytest.raises(WorkflowSuspended):
        await run.start(1)
    other = WorkflowStorage(memory.database.path)
    again = await waiting.get_run(run.run_id, other)
    assert await again.resume(5) == "(6, 2)"
    await other.close()
    assert (await run.snapshot()).status == "success"


async def test_a_look_sees_commits_of_others(memory: WorkflowStorage) -> None:
    await memory.list_runs()
    changes = Changes(memory.database.path)
    assert changes.seen()
    assert not changes.seen()
    await doubling.create_run(storage=memory).start(1)
    assert changes.seen()
    changes.close()


async def test_many_runs_at_once(memory: WorkflowStorage) -> None:
    @step
    def on_a_thread(value: int) -> int:
        return value + 1

    many = (
        create_workflow(id="many", input_schema=int, output_schema=int)
        .then(double)
        .then(on_a_thread)
        .commit()
    )
    runs = [many.create_run(storage=memory) for _ in range(100)]
    results = await asyncio.gather(*(run.start(n) for n, run in enumerate(runs)))
    assert results == [n * 2 + 1 for n in range(100)]
    assert len(await memory.list_runs(status="success", limit=1000)) == 100


async def test_what_is_closed_is_gone() -> None:
    storage = WorkflowStorage(":memory:")
    await doubling.create_run(storage=storage).start(1)
    await storage.close()
    assert await storage.list_runs() == []
    assert await doubling.create_run(storage=storage).start(2) == 4
    await storage.close()
