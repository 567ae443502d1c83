"""A record that cannot be written: nothing is taken for done that is not on it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from engine.turning import begin, until

from wrkflw_tui import StepContext, StorageError, WorkflowStorage, step

if TYPE_CHECKING:
    from pathlib import Path

FULL = (
    "CREATE TRIGGER full_{when} BEFORE {when} ON wrkflw_step_results {which}"
    " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
)


async def fill(storage: WorkflowStorage, when: str, which: str = "") -> None:
    """Let nothing more be written of steps: as a disk does that is full."""
    await storage.database.write(lambda c: c.execute(FULL.format(when=when, which=which)))


async def make_room(storage: WorkflowStorage) -> None:
    await storage.database.write(
        lambda c: [
            c.execute(f"DROP TRIGGER IF EXISTS full_{when}") for when in ("INSERT", "UPDATE")
        ]
    )


class Steps:
    def __init__(self, storage: WorkflowStorage) -> None:
        self.calls: list[str] = []
        self.fills = True

        @step
        async def first(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            if self.fills:
                await fill(storage, "UPDATE")
            return value + 1

        @step
        async def second(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            return value + 1

        self.first, self.second = first, second


async def test_where_a_result_cannot_be_recorded_the_next_step_is_not_called_and_it_can_go_on(
    storage: WorkflowStorage,
) -> None:
    steps = Steps(storage)
    run = begin().then(steps.first).then(steps.second).commit().create_run(storage=storage)
    with pytest.raises(StorageError, match="the disk is full"):
        await run.start(1)
    assert steps.calls == ["first"]
    assert (await run.snapshot()).step_results["first"].status == "running"
    with pytest.raises(StorageError):
        await run.recover()
    await make_room(storage)
    steps.fills = False
    steps.calls.clear()
    assert await run.recover() == 3
    assert steps.calls == ["first", "second"]
    assert (await run.snapshot()).status == "success"


async def test_a_run_that_could_not_begin_is_not_on_record(storage: WorkflowStorage) -> None:
    steps = Steps(storage)
    steps.fills = False
    await storage.list_runs()
    await fill(storage, "INSERT")
    run = begin().then(steps.first).commit().create_run(storage=storage)
    with pytest.raises(StorageError):
        await run.start(1)
    assert steps.calls == []
    assert await storage.list_runs() == []


async def test_what_was_lost_with_a_write_that_nobody_waited_for_is_not_passed_over(
    storage: WorkflowStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of an arm is lost; the next step must not be called as if it were on record."""
    goes_on = asyncio.Event()
    calls: list[str] = []
    fills = True

    @step
    async def quick(value: int) -> int:
        calls.append("quick")
        if fills:
            await fill(storage, "UPDATE")
        return value

    @step
    async def slow(value: int) -> int:
        calls.append("slow")
        await goes_on.wait()
        return value

    @step
    async def behind(value: int) -> int:
        calls.append("behind")
        return value

    flow = begin().parallel(quick, slow).map(sum, output_schema=int).then(behind).commit()
    run = flow.create_run(storage=storage)
    refused: list[BaseException] = []
    submit_soon = storage.database.submit_soon

    def watch(take, loop, done) -> None:  # type: ignore[no-untyped-def]
        def told(result: None, error: BaseException | None) -> None:
            if error is not None:
                refused.append(error)
            done(result, error)

        submit_soon(take, loop, told)

    monkeypatch.setattr(storage.database, "submit_soon", watch)
    task = asyncio.create_task(run.start(1))
    await until(lambda: refused, "the end of the quick arm could not be written")
    await make_room(storage)
    goes_on.set()
    with pytest.raises(StorageError, match="the disk is full"):
        await task
    assert "behind" not in calls
    fills = False
    calls.clear()
    assert await run.recover() == 2
    assert calls == ["quick", "slow", "behind"]


async def test_a_run_whose_caller_met_a_full_disk_is_taken_up_by_this_storage_only(
    file: Path, storage: WorkflowStorage
) -> None:
    from wrkflw_tui import RunAlreadyClaimed

    steps = Steps(storage)
    flow = begin().then(steps.first).then(steps.second).commit()
    with pytest.raises(StorageError):
        await flow.create_run("r", storage=storage).start(1)
    await make_room(storage)
    steps.fills = False
    other = WorkflowStorage(file)
    with pytest.raises(RunAlreadyClaimed):
        await (await flow.get_run("r", storage=other)).recover()
    await storage.close()
    assert await (await flow.get_run("r", storage=other)).recover() == 3
    await other.close()
