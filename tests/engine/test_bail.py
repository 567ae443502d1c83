"""Bailing out: a step ends the workflow around it, with success and an output."""

from __future__ import annotations

import asyncio
from datetime import date  # noqa: TC003 - Pydantic reads it
from typing import TYPE_CHECKING, Any

import pytest
from engine.lives import Life, enqueue, live, snapshot_of
from engine.turning import MINUTE, asks, begin
from pydantic import BaseModel, ValidationError

from wrkflw_tui import DefinitionError, RetryPolicy, StepContext, WorkflowFailed, step

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui import WorkflowStorage


@step
async def leaves(value: int, context: StepContext) -> int:
    context.bail(value * 100)


def noting(calls: list[str], id: str = "behind") -> Any:
    @step(id=id)
    async def note(value: int, context: StepContext) -> int:
        calls.append(context.path)
        return value + 1

    return note


async def test_a_bail_ends_the_run_with_success_and_its_output(storage: WorkflowStorage) -> None:
    calls: list[str] = []
    flow = begin().then(noting(calls, "before")).then(leaves).then(noting(calls)).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(1) == 200
    assert calls == ["before"]
    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.result) == ("success", 200)
    assert snapshot.step_results["leaves"].status == "bailed"
    assert "behind" not in snapshot.step_results


async def test_a_bail_in_a_nested_workflow_ends_that_one_only(storage: WorkflowStorage) -> None:
    calls: list[str] = []
    inner = begin("inner").then(leaves).then(noting(calls, "never")).commit()
    run = begin().then(inner).then(noting(calls)).commit().create_run(storage=storage)
    assert await run.start(1) == 101
    assert calls == ["behind"]
    results = (await run.snapshot()).step_results
    assert (results["inner"].status, results["inner"].output) == ("success", 100)


async def test_a_bail_in_an_arm_ends_the_workflow_around_and_cancels_the_others(
    storage: WorkflowStorage,
) -> None:
    at_work = asyncio.Event()
    calls: list[str] = []

    @step
    async def waits(value: int) -> int:
        at_work.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            calls.append("cancelled")
            raise
        return value

    @step
    async def leaves_late(value: int, context: StepContext) -> int:
        await at_work.wait()
        context.bail(value * 100)

    @step
    async def ask(value: int, context: StepContext) -> int:
        return context.suspend(int)

    inner = (
        begin("inner")
        .parallel(waits, leaves_late, ask, begin("deep").then(ask).commit())
        .map(sum, output_schema=int)
        .commit()
    )
    run = begin().then(inner).then(noting(calls)).commit().create_run(storage=storage)
    assert await run.start(1) == 101
    assert calls == ["cancelled", "behind"]
    snapshot = await run.snapshot()
    assert snapshot.questions == ()
    assert {path: r.status for path, r in snapshot.step_results.items()} == {
        "inner": "success",
        "inner/waits": "interrupted",
        "inner/leaves-late": "bailed",
        "inner/ask": "interrupted",
        "inner/deep": "interrupted",
        "inner/deep/ask": "interrupted",
        "behind": "success",
    }


@pytest.mark.parametrize("beside", ["bails", "fails"])
async def test_a_bail_counts_beside_one_and_beside_a_failure_of_the_same_moment(
    storage: WorkflowStorage, beside: str
) -> None:
    @step
    async def other(value: int, context: StepContext) -> int:
        if beside == "fails":
            raise OSError("broken")
        context.bail(value * 100)

    flow = begin().parallel(other, leaves).map(sum, output_schema=int).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(1) == 100
    assert (await run.snapshot()).status == "success"


async def test_a_bail_of_an_item_ends_the_workflow_around(storage: WorkflowStorage) -> None:
    calls: list[str] = []

    @step
    async def maybe(value: int, context: StepContext) -> int:
        calls.append(context.path)
        if value == 2:
            context.bail(-2)
        return value

    flow = begin(input=list[int]).foreach(maybe, concurrency=1).map(sum, output_schema=int).commit()
    run = flow.create_run(storage=storage)
    assert await run.start([1, 2, 3]) == -2
    assert calls == ["maybe[0]", "maybe[1]"]
    assert (await run.snapshot()).step_results["maybe[1]"].status == "bailed"


async def test_a_bail_of_a_loops_body_or_a_branchs_arm_ends_the_workflow_around(
    storage: WorkflowStorage,
) -> None:
    loop = begin().do_until(leaves, lambda n: False).then(noting([])).commit()
    assert await loop.create_run(storage=storage).start(1) == 100
    branch = begin().branch((lambda n: True, leaves)).then(noting([])).commit()
    assert await branch.create_run(storage=storage).start(1) == 100


async def test_a_bail_is_not_a_failure_to_recover_from(storage: WorkflowStorage) -> None:
    @step
    async def mend(failure: Any) -> int:
        raise AssertionError("nothing failed")

    policy = RetryPolicy(max_attempts=3)
    flow = begin(retry=policy).then(leaves, recover=mend).then(noting([])).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(1) == 100
    assert len((await run.snapshot()).attempts("leaves")) == 1


async def test_a_bail_after_the_answer(storage: WorkflowStorage) -> None:
    calls: list[str] = []

    @step
    async def ask(value: int, context: StepContext) -> int:
        if not context.suspend(bool):
            context.bail(0)
        return value

    flow = begin().then(ask).then(noting(calls)).commit()
    no, yes = flow.create_run(storage=storage), flow.create_run(storage=storage)
    for run in (no, yes):
        await asks(run.start(5))
    assert await no.resume(False) == 0
    assert calls == []
    assert await yes.resume(True) == 6


async def test_a_bail_closes_the_questions_that_were_open_before(storage: WorkflowStorage) -> None:
    @step
    async def ask(value: int, context: StepContext) -> int:
        context.bail(context.suspend(int))

    flow = begin().parallel(ask, ask.with_id("b")).map(sum, output_schema=int).commit()
    run = flow.create_run(storage=storage)
    await asks(run.start(1))
    assert await run.resume(9, path="b") == 9
    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.questions) == ("success", ())
    assert snapshot.step_results["ask"].status == "interrupted"


async def test_an_output_that_does_not_fit_fails_the_step_that_bailed(
    storage: WorkflowStorage,
) -> None:
    @step(retry=RetryPolicy(max_attempts=3))
    async def wrong(value: int, context: StepContext) -> int:
        context.bail("no number")

    run = begin().then(wrong).commit().create_run(storage=storage)
    with pytest.raises(WorkflowFailed) as caught:
        await run.start(1)
    assert caught.value.path == "wrong"
    assert isinstance(caught.value.__cause__, ValidationError)
    assert len((await run.snapshot()).attempts("wrong")) == 1


async def test_an_output_that_would_not_read_back_fails_the_step_that_bailed(
    storage: WorkflowStorage,
) -> None:
    class Loose(BaseModel):
        when: date | str

    @step
    async def wrong(value: int, context: StepContext) -> Loose:
        context.bail(Loose(when="2030-01-01"))

    run = begin(output=Loose).then(wrong).commit().create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="read back differently") as caught:
        await run.start(1)
    assert caught.value.path == "wrong"


async def test_a_steps_own_except_and_a_thread_let_the_bail_through(
    storage: WorkflowStorage,
) -> None:
    @step
    def careful(value: int, context: StepContext) -> int:
        try:
            context.bail(7)
        except Exception:
            return -1

    run = begin().then(careful).then(noting([])).commit().create_run(storage=storage)
    assert await run.start(1) == 7


@pytest.mark.parametrize("limit", [None, MINUTE], ids=["no timeout", "timeout"])
async def test_a_bail_inside_a_task_group_of_the_steps_own(
    storage: WorkflowStorage, limit: Any
) -> None:
    @step(timeout=limit)
    async def grouped(value: int, context: StepContext) -> int:
        async def leave() -> None:
            await asyncio.sleep(0)
            context.bail(7)

        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            group.create_task(leave())
        return -1

    run = begin().then(grouped).then(noting([])).commit().create_run(storage=storage)
    assert await run.start(1) == 7


async def test_a_map_can_neither_bail_nor_ask(storage: WorkflowStorage) -> None:
    def leave(value: int, context: StepContext) -> int:
        context.bail(1)

    def ask(value: int, context: StepContext) -> int:
        return context.suspend(int)

    for function in (leave, ask):
        run = begin().map(function).commit().create_run(storage=storage)
        with pytest.raises(WorkflowFailed, match="is no step") as caught:
            await run.start(1)
        assert isinstance(caught.value.__cause__, DefinitionError)


@pytest.mark.parametrize("commits", range(1, 6))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_death_at_any_commit_leaves_it_bailed(
    file: Path, commits: int, before: bool
) -> None:
    calls: list[str] = []

    @step
    async def maybe(value: int, context: StepContext) -> int:
        calls.append(context.path)
        if value == 2:
            context.bail(-2)
        return value

    @step
    async def quick(value: int, context: StepContext) -> int:
        calls.append(context.path)
        return value

    items = (
        begin("items", input=list[int])
        .foreach(maybe, concurrency=2)
        .map(sum, output_schema=int)
        .commit()
    )
    loop = begin("loop").do_while(leaves, lambda n: True).commit()
    flow = (
        begin(input=list[int]).then(items).then(quick).then(loop).then(quick.with_id("q")).commit()
    )
    await enqueue(file, [1, 2, 3, 4])
    assert await live(file, flow, Life(commits, before)) is None
    recorded = {
        path
        for path, r in (await snapshot_of(file)).step_results.items()
        if r.status in ("success", "bailed")
    }
    if (await snapshot_of(file)).status == "success":
        return
    calls.clear()
    assert await live(file, flow, Life()) == -200
    assert not recorded & set(calls)
