"""Parallel arms: all get the value, all finish, and what is on record is not called again."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from engine.lives import Life, enqueue, live, run_again, snapshot_of

from wrkflw_tui import (
    DefinitionError,
    GiveUp,
    RetryPolicy,
    RunNotFound,
    StepContext,
    StepFailure,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowStorage,
    WorkflowSuspended,
    create_workflow,
    step,
)

if TYPE_CHECKING:
    from pathlib import Path


@step
async def add_one(value: int) -> int:
    return value + 1


@step
async def to_text(value: int) -> str:
    return f"it is {value}"


@step
async def breaks(value: int) -> int:
    raise OSError(f"no {value}")


def begin(output: Any, id: str = "flow") -> Any:
    return create_workflow(id=id, input_schema=int, output_schema=output)


async def test_a_tuple_in_the_arms_order_whichever_ends_first(storage: WorkflowStorage) -> None:
    order: list[str] = []
    second_ended = asyncio.Event()

    @step
    async def first(value: int) -> int:
        await second_ended.wait()
        order.append("first")
        return value

    @step
    async def second(value: int) -> str:
        order.append("second")
        second_ended.set()
        return "text"

    flow = begin(tuple[int, str]).parallel(first, second).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(1) == (1, "text")
    assert order == ["second", "first"]
    snapshot = await run.snapshot()
    assert set(snapshot.step_results) == {"first", "second"}
    assert snapshot.run.steps_done == snapshot.run.steps_total == 2


async def test_siblings_finish_and_only_the_failed_arm_runs_again(file: Path) -> None:
    calls: list[str] = []
    failed = asyncio.Event()
    is_broken = True

    @step
    async def bad(value: int) -> int:
        calls.append("bad")
        failed.set()
        if is_broken:
            raise OSError("broken")
        return value

    @step
    async def good(value: int) -> int:
        await failed.wait()
        await asyncio.sleep(0)
        calls.append("good")
        return value * 2

    flow = begin(tuple[int, int]).parallel(bad, good).commit()
    await enqueue(file, 4)
    with pytest.raises(WorkflowFailed, match="broken") as caught:
        await live(file, flow, Life())
    assert caught.value.path == "bad"
    assert calls == ["bad", "good"]
    assert (await snapshot_of(file)).step_results["good"].status == "success"
    is_broken = False
    calls.clear()
    await run_again(file)
    assert await live(file, flow, Life()) == (4, 8)
    assert calls == ["bad"]


async def test_a_collected_failure_stands_in_its_place(storage: WorkflowStorage) -> None:
    seen: list[object] = []

    @step
    async def look(values: tuple[int | StepFailure, str | StepFailure]) -> int:
        seen.extend(values)
        return 1

    flow = begin(int).parallel(breaks, to_text, on_error="collect").then(look).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(7) == 1
    assert seen == [StepFailure("breaks", "OSError", "no 7"), "it is 7"]
    snapshot = await run.snapshot()
    assert snapshot.status == "success"
    assert snapshot.step_results["breaks"].status == "failed"


async def test_all_arms_may_fail_and_a_nested_one_names_its_step(storage: WorkflowStorage) -> None:
    inner = begin(int, "inner").then(add_one).then(breaks.with_id("deep")).commit()
    flow = (
        begin(tuple[int | StepFailure, int | StepFailure])
        .parallel(breaks, inner, on_error="collect")
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(7) == (
        StepFailure("breaks", "OSError", "no 7"),
        StepFailure("inner/deep", "OSError", "no 8"),
    )
    assert (await run.snapshot()).status == "success"


async def test_a_failure_that_was_taken_for_a_value_stays_one(file: Path) -> None:
    """The step behind fails; running it again calls that one alone, with the same value."""
    calls: list[str] = []
    is_broken = True

    @step
    async def bad(value: int) -> int:
        calls.append("bad")
        raise OSError("broken")

    @step
    async def behind(values: tuple[int | StepFailure, int | StepFailure]) -> str:
        calls.append("behind")
        if is_broken:
            raise OSError("also broken")
        return str(values[0])

    flow = begin(str).parallel(bad, add_one, on_error="collect").then(behind).commit()
    await enqueue(file, 4)
    with pytest.raises(WorkflowFailed, match="also broken"):
        await live(file, flow, Life())
    is_broken = False
    calls.clear()
    await run_again(file)
    assert await live(file, flow, Life()) == "bad: OSError: broken"
    assert calls == ["behind"]


@pytest.mark.parametrize("kind", ["parallel", "branch_all", "foreach"])
async def test_an_arm_that_is_through_is_on_record_while_others_are_at_work(
    file: Path, kind: str
) -> None:
    """The process may die before they are, and what is done is not done again."""
    goes_on = asyncio.Event()

    @step(retry=RetryPolicy(max_attempts=5))
    async def work(value: int, context: StepContext) -> int:
        if context.path in ("gives-up", "work[1]"):
            raise GiveUp("for good")
        if context.path in ("holds", "work[2]"):
            await goes_on.wait()
        return value

    arms = [work.with_id(id) for id in ("done", "gives-up", "holds")]
    builder = {
        "parallel": lambda: begin(Any).parallel(*arms),
        "branch_all": lambda: begin(Any).branch_all(*[(lambda n: True, arm) for arm in arms]),
        "foreach": lambda: (
            begin(Any).map(lambda n: [n] * 3, output_schema=list[int]).foreach(work, concurrency=3)
        ),
    }[kind]()
    storage, watcher = WorkflowStorage(file), WorkflowStorage(file)
    run = builder.commit().create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    paths = ["work[0]", "work[1]"] if kind == "foreach" else ["done", "gives-up"]
    async with asyncio.timeout(20):
        while True:
            with suppress(RunNotFound, KeyError):
                results = (await watcher.load_snapshot("r")).step_results
                if [results[path].status for path in paths] == ["success", "failed"]:
                    break
            await asyncio.sleep(0.01)
    assert not task.done()
    goes_on.set()
    with pytest.raises(WorkflowFailed, match="for good"):
        await task
    await storage.close()
    await watcher.close()


@pytest.mark.parametrize("commits", range(1, 7))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_death_at_any_commit(file: Path, commits: int, before: bool) -> None:
    calls: list[str] = []

    @step
    async def work(value: int, context: StepContext) -> int:
        calls.append(context.path)
        return value + 1

    inner = begin(int, "inner").then(work.with_id("deep")).then(work.with_id("deeper")).commit()
    flow = (
        begin(int)
        .parallel(work, inner, work.with_id("last"))
        .map(lambda three: sum(three), output_schema=int)
        .then(work.with_id("behind"))
        .commit()
    )
    await enqueue(file, 1)
    assert await live(file, flow, Life(commits, before)) is None
    snapshot = await snapshot_of(file)
    if snapshot.status == "success":
        assert commits == 6
        return
    recorded = {path for path, r in snapshot.step_results.items() if r.status == "success"}
    calls.clear()
    assert await live(file, flow, Life()) == 8
    leaves = {"work", "inner/deep", "inner/deeper", "last", "behind"}
    assert set(calls) == leaves - recorded
    assert len(calls) == len(set(calls))


async def test_each_arm_gets_an_object_of_its_own(storage: WorkflowStorage) -> None:
    @step
    async def spoils(values: list[int]) -> int:
        values.append(100)
        return len(values)

    flow = (
        create_workflow(id="w", input_schema=list[int], output_schema=tuple[int, int])
        .parallel(spoils, spoils.with_id("b"))
        .commit()
    )
    assert await flow.create_run(storage=storage).start([1]) == (2, 2)


async def test_no_more_arms_than_the_limit_are_at_work(storage: WorkflowStorage) -> None:
    at_work = 0
    most = 0

    @step
    async def work(value: int) -> int:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        at_work -= 1
        return value

    arms = [work.with_id(f"w{n}") for n in range(6)]
    for limit, expected in ((None, 6), (2, 2), (1, 1)):
        most = 0
        flow = begin(tuple[int, ...]).parallel(*arms, limit=limit).commit()
        assert await flow.create_run(storage=storage).start(1) == (1,) * 6
        assert most == expected


async def test_a_cancel_reaches_all_arms(storage: WorkflowStorage) -> None:
    both = asyncio.Barrier(3)
    cancelled: list[str] = []

    @step
    async def waits(value: int, context: StepContext) -> int:
        await both.wait()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(context.path)
            raise
        return value

    inner = begin(int, "inner").then(waits.with_id("deep")).commit()
    run = begin(tuple[int, int]).parallel(waits, inner).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await both.wait()
    await run.cancel()
    with pytest.raises(WorkflowCancelled):
        await task
    assert sorted(cancelled) == ["inner/deep", "waits"]
    snapshot = await run.snapshot()
    assert snapshot.status == "cancelled"
    assert {r.status for r in snapshot.step_results.values()} == {"interrupted"}
    assert len(asyncio.all_tasks()) == 1


async def test_the_starts_of_all_arms_share_a_transaction(storage: WorkflowStorage) -> None:
    arms = [add_one.with_id(f"w{n}") for n in range(8)]
    run = begin(tuple[int, ...]).parallel(*arms).commit().create_run(storage=storage)
    await run.start(1)
    snapshot = await run.snapshot()
    assert len(snapshot.step_results) == 8
    # The opening with all starts, and the end of all with the run's.
    assert snapshot.run.revision <= 3


def test_what_cannot_be_parallel() -> None:
    with pytest.raises(DefinitionError, match="two nodes with the id 'add-one'"):
        begin(tuple[int, int]).parallel(add_one, add_one).commit()
    with pytest.raises(DefinitionError, match="limit must be 1 or more, not 0"):
        begin(tuple[int, int]).parallel(add_one, to_text, limit=0)
    with pytest.raises(DefinitionError, match="no arm"):
        begin(tuple[int, int]).parallel()


def test_the_graph() -> None:
    flow = begin(tuple[int, str]).parallel(add_one, to_text, limit=3, id="two").commit()
    (node,) = json.loads(flow.graph)
    assert [arm["id"] for arm in node.pop("arms")] == ["add-one", "to-text"]
    assert node == {"kind": "parallel", "id": "two", "limit": 3, "on_error": "fail"}
    assert flow.leaf_count == 2


async def test_questions_are_listed_in_the_order_of_asking(storage: WorkflowStorage) -> None:
    second_asks = asyncio.Event()

    @step
    async def first(value: int, context: StepContext) -> int:
        await second_asks.wait()
        return context.suspend(int, reason="first")

    @step
    async def second(value: int, context: StepContext) -> int:
        second_asks.set()
        return context.suspend(int, reason="second")

    flow = begin(Any).parallel(first, second).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowSuspended) as caught:
        await run.start(1)
    assert [question.reason for question in caught.value.questions] == ["second", "first"]
    assert (await run.snapshot()).questions == tuple(caught.value.questions)


async def test_a_bail_beside_other_items_lets_the_next_item_begin(
    storage: WorkflowStorage,
) -> None:
    @step
    async def bails(value: int, context: StepContext) -> int:
        await asyncio.sleep(0)
        context.bail(value)

    item = begin(int, "item").parallel(bails, add_one).map(sum, output_schema=int).commit()
    flow = create_workflow(id="flow", input_schema=list[int], output_schema=list[int])
    run = flow.foreach(item, concurrency=2).commit().create_run(storage=storage)
    assert await run.start([1, 2, 3, 4]) == [1, 2, 3, 4]


async def test_after_a_bail_in_an_arm_nobody_is_taken_for_cancelled(
    storage: WorkflowStorage,
) -> None:
    cancelling: list[int] = []

    @step
    async def bails(value: int, context: StepContext) -> int:
        await asyncio.sleep(0)
        context.bail(value)

    @step
    async def looks(value: int) -> int:
        task = asyncio.current_task()
        assert task is not None
        cancelling.append(task.cancelling())
        return value

    inner = begin(int, "inner").parallel(bails, add_one).map(sum, output_schema=int).commit()
    flow = begin(int).then(inner).then(looks).commit()
    assert await flow.create_run(storage=storage).start(1) == 1
    assert cancelling == [0]
