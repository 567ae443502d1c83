"""Items: their order, the window in which they are at work, and which of them run again."""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from engine.lives import Life, enqueue, live, run_again, snapshot_of
from pydantic import BaseModel, Field, TypeAdapter

from wrkflw_tui import (
    DefinitionError,
    RetryPolicy,
    StepContext,
    StepFailure,
    StepNotRun,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowStorage,
    create_workflow,
    step,
)
from wrkflw_tui.engine.models import Progress

if TYPE_CHECKING:
    from pathlib import Path


@step
async def copy(value: int) -> int:
    return value * 10


@step
async def count(value: int) -> list[int]:
    return list(range(value))


def over(output: Any = list[int], id: str = "flow") -> Any:
    return create_workflow(id=id, input_schema=list[int], output_schema=output)


async def test_order_is_kept_and_each_item_has_its_path(storage: WorkflowStorage) -> None:
    ended: list[int] = []
    last_ended = asyncio.Event()

    @step
    async def work(value: int) -> int:
        if value != 3:
            await last_ended.wait()
        ended.append(value)
        last_ended.set()
        return value * 10

    run = over().foreach(work, concurrency=3).commit().create_run(storage=storage)
    assert await run.start([1, 2, 3]) == [10, 20, 30]
    assert ended[0] == 3
    snapshot = await run.snapshot()
    assert {p: (r.kind, r.input, r.output) for p, r in snapshot.step_results.items()} == {
        "foreach-1": ("foreach", None, []),
        "work[0]": ("step", 1, 10),
        "work[1]": ("step", 2, 20),
        "work[2]": ("step", 3, 30),
    }
    assert snapshot.run.steps_done == snapshot.run.steps_total == 1


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_the_window_slides(storage: WorkflowStorage, concurrency: int) -> None:
    begun: list[int] = []
    gates = [asyncio.Event() for _ in range(6)]
    has_begun = asyncio.Event()

    @step
    async def work(value: int) -> int:
        begun.append(value)
        has_begun.set()
        await gates[value].wait()
        return value

    run = over().foreach(work, concurrency=concurrency).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(list(range(6))))

    async def until(number: int) -> None:
        while len(begun) < number:
            has_begun.clear()
            await has_begun.wait()

    await until(concurrency)
    assert begun == list(range(concurrency))
    # The last of the window ends first: the next takes its place, the others keep theirs.
    for turn in range(6 - concurrency):
        gates[begun[-1]].set()
        await until(concurrency + turn + 1)
        assert begun == list(range(concurrency + turn + 1))
    for gate in gates:
        gate.set()
    assert await task == list(range(6))


async def test_no_items_give_no_items(storage: WorkflowStorage) -> None:
    run = over().foreach(copy).commit().create_run(storage=storage)
    assert await run.start([]) == []
    assert (await run.snapshot()).status == "success"


async def test_an_item_may_be_a_whole_workflow(storage: WorkflowStorage) -> None:
    seen: list[int] = []

    @step
    async def fetch(value: int) -> int:
        return value + 1

    @step
    async def send_email(value: int, context: StepContext) -> int:
        seen.append(context.get_step_result(fetch))
        assert context.get_init_data(int) == value - 1
        return value

    digest = (
        create_workflow(id="digest", input_schema=int, output_schema=int)
        .then(fetch)
        .then(send_email)
        .commit()
    )
    run = over().foreach(digest, concurrency=2).commit().create_run(storage=storage)
    assert await run.start([1, 5, 9]) == [2, 6, 10]
    assert sorted(seen) == [2, 6, 10]
    results = (await run.snapshot()).step_results
    assert results["digest[2]"].kind == "workflow"
    assert results["digest[2]/send-email"].output == 10


async def test_a_failure_stops_dispatch_and_only_what_failed_runs_again(file: Path) -> None:
    calls: list[int] = []
    failed = asyncio.Event()
    is_broken = True

    @step
    async def work(value: int) -> int:
        calls.append(value)
        if value == 2 and is_broken:
            failed.set()
            raise OSError("broken")
        if value == 3 and is_broken:
            await failed.wait()
            await asyncio.sleep(0)
        return value * 10

    flow = over().foreach(work, concurrency=2).commit()
    await enqueue(file, [1, 2, 3, 4, 5])
    # 1 ends, so 3 begins beside 2; 2 fails while 3 is in flight.
    with pytest.raises(WorkflowFailed, match="broken") as caught:
        await live(file, flow, Life())
    assert caught.value.path == "work[1]"
    assert 4 not in calls or 5 not in calls
    results = (await snapshot_of(file)).step_results
    assert results["foreach-1"].status == "failed"
    done = {path for path, r in results.items() if r.status == "success"}
    assert "work[4]" not in results
    is_broken = False
    calls.clear()
    await run_again(file)
    assert await live(file, flow, Life()) == [10, 20, 30, 40, 50]
    assert calls == [n for n in range(1, 6) if f"work[{n - 1}]" not in done]
    assert 1 not in calls


async def test_collected_failures_and_how_far_it_is(file: Path) -> None:
    @step
    async def work(value: int) -> int:
        if value % 2:
            raise OSError(f"odd {value}")
        return value

    calls: list[int] = []
    is_broken = True

    @step
    async def behind(values: list[int | StepFailure]) -> list[str]:
        calls.append(len(values))
        if is_broken:
            raise OSError("behind")
        return [str(value) for value in values]

    flow = over(list[str]).foreach(work, on_error="collect", concurrency=2).then(behind).commit()
    await enqueue(file, [0, 1, 2, 3, 4])
    with pytest.raises(WorkflowFailed, match="behind"):
        await live(file, flow, Life())
    row = (await snapshot_of(file)).step_results["foreach-1"]
    assert (row.status, row.progress) == ("success", Progress(3, 5, failed=2))
    is_broken = False
    await run_again(file)
    assert await live(file, flow, Life()) == [
        "0",
        "work[1]: OSError: odd 1",
        "2",
        "work[3]: OSError: odd 3",
        "4",
    ]
    snapshot = await snapshot_of(file)
    assert len(snapshot.attempts("work[1]")) == 1  # what was taken for a value stays one


async def test_how_far_it_is_can_be_read_live(file: Path) -> None:
    last = asyncio.Event()
    goes_on = asyncio.Event()

    @step
    async def work(value: int) -> int:
        if value == 1:
            raise OSError("one")
        if value == 3:
            last.set()
            await goes_on.wait()
        return value

    storage, watcher = WorkflowStorage(file), WorkflowStorage(file)
    flow = over(list[int | StepFailure]).foreach(work, on_error="collect").commit()
    run = flow.create_run(storage=storage)
    task = asyncio.create_task(run.start([0, 1, 2, 3]))
    await last.wait()
    assert run.run_id is not None
    async with asyncio.timeout(10):
        while True:
            row = (await watcher.load_snapshot(run.run_id)).step_results["foreach-1"]
            if row.progress == Progress(2, 4, failed=1):
                break
    assert row.status == "running"
    assert (await watcher.load_snapshot(run.run_id)).execution_path == ("work[3]",)
    goes_on.set()
    await task
    await storage.close()
    await watcher.close()


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("commits", range(1, 9))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_death_at_any_commit(
    file: Path, commits: int, before: bool, concurrency: int
) -> None:
    calls: list[str] = []

    @step
    async def work(value: int, context: StepContext) -> int:
        calls.append(context.path)
        return value + 1

    inner = (
        create_workflow(id="inner", input_schema=int, output_schema=int)
        .then(work.with_id("a"))
        .then(work.with_id("b"))
        .commit()
    )
    flow = over(int).foreach(inner, concurrency=concurrency).map(sum, output_schema=int)
    workflow = flow.then(work.with_id("behind")).commit()
    await enqueue(file, [1, 2, 3])
    assert await live(file, workflow, Life(commits, before)) is None
    snapshot = await snapshot_of(file)
    if snapshot.status == "success":
        return
    recorded = {path for path, r in snapshot.step_results.items() if r.status == "success"}
    calls.clear()
    assert await live(file, workflow, Life()) == 13
    leaves = {f"inner[{n}]/{id}" for n in range(3) for id in "ab"} | {"behind"}
    assert set(calls) == leaves - recorded
    assert len(calls) == len(set(calls))


async def test_results_of_items_seen_from_inside_and_outside(storage: WorkflowStorage) -> None:
    @step
    async def before(values: list[int], context: StepContext) -> list[int]:
        with pytest.raises(StepNotRun, match="no foreach over 'copy'"):
            context.get_step_results(copy)
        return values

    @step
    async def behind(values: list[int], context: StepContext) -> list[int]:
        with pytest.raises(StepNotRun, match="get_step_results"):
            context.get_step_result(copy)
        return context.get_step_results(copy)

    run = over().then(before).foreach(copy).then(behind).commit().create_run(storage=storage)
    assert await run.start([1, 2]) == [10, 20]
    empty = over().foreach(copy).then(behind).commit().create_run(storage=storage)
    assert await empty.start([]) == []


class Base(BaseModel):
    name: str


class More(Base):
    level: int


async def test_items_of_a_subclass_and_of_a_parallel_foreach(storage: WorkflowStorage) -> None:
    seen: list[object] = []

    @step
    async def find(value: int) -> list[More]:
        return [More(name=str(n), level=n) for n in range(value)]

    @step
    async def look(value: Base) -> float:
        seen.append(value)
        return float("nan") if value.name == "0" else 1.5

    @step
    async def again(value: float) -> str:
        return str(value)

    flow = (
        create_workflow(id="w", input_schema=int, output_schema=list[str])
        .then(find)
        .foreach(look)
        .foreach(again)
        .commit()
    )
    assert await flow.create_run(storage=storage).start(2) == ["nan", "1.5"]
    assert seen == [More(name="0", level=0), More(name="1", level=1)]


async def test_a_second_attempt_gets_an_item_of_its_own(storage: WorkflowStorage) -> None:

    policy = RetryPolicy(max_attempts=2, initial_delay=timedelta(0))

    @step(retry=policy)
    async def spoils(value: list[int], context: StepContext) -> int:
        value.append(9)
        if context.attempt == 1:
            raise OSError("once")
        return len(value)

    flow = (
        create_workflow(id="w", input_schema=list[list[int]], output_schema=list[int])
        .foreach(spoils)
        .commit()
    )
    assert await flow.create_run(storage=storage).start([[], [1]]) == [1, 2]


async def test_a_list_that_only_its_own_schema_can_read(storage: WorkflowStorage) -> None:
    halves = TypeAdapter(Annotated[list[Base], Field(min_length=1)])

    @step
    async def name(value: Base) -> str:
        return value.name

    flow = (
        create_workflow(id="w", input_schema=halves, output_schema=list[str])
        .foreach(name, concurrency=2)
        .commit()
    )
    assert await flow.create_run(storage=storage).start([Base(name="a"), Base(name="b")]) == [
        "a",
        "b",
    ]


async def test_an_item_that_swallows_the_cancel_is_the_last_of_its_lane(
    storage: WorkflowStorage,
) -> None:
    begun = asyncio.Barrier(3)
    calls: list[int] = []

    @step
    async def stubborn(value: int) -> int:
        calls.append(value)
        await begun.wait()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return value
        return value

    run = over().foreach(stubborn, concurrency=2).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(list(range(9))))
    await begun.wait()
    await run.cancel()
    with pytest.raises(WorkflowCancelled):
        await task
    assert sorted(calls) == [0, 1]


async def test_what_is_no_list_is_a_failure(storage: WorkflowStorage) -> None:
    flow = create_workflow(id="w", input_schema=int, output_schema=list[int])
    run = flow.foreach(copy).commit().create_run(storage=storage)  # pyright: ignore[reportAttributeAccessIssue] - wrong on purpose
    with pytest.raises(WorkflowFailed, match="goes over a list, but it is no list") as caught:
        await run.start(1)
    assert caught.value.path == "foreach-1"


async def test_a_cancel_reaches_all_items_in_flight(storage: WorkflowStorage) -> None:
    begun = asyncio.Barrier(4)

    @step
    async def waits(value: int) -> int:
        await begun.wait()
        await asyncio.Event().wait()
        return value

    run = over().foreach(waits, concurrency=3).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(list(range(9))))
    await begun.wait()
    await run.cancel()
    with pytest.raises(WorkflowCancelled):
        await task
    results = (await run.snapshot()).step_results
    assert set(results) == {"foreach-1", "waits[0]", "waits[1]", "waits[2]"}
    assert {r.status for r in results.values()} == {"interrupted"}
    assert len(asyncio.all_tasks()) == 1


async def test_ten_thousand_items(file: Path) -> None:
    items = 10_000

    @step
    async def last(values: list[int]) -> int:
        raise OSError("the record is walked again")

    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=int)
        .then(count)
        .foreach(copy, concurrency=100)
        .then(last)
        .commit()
    )
    await enqueue(file, items)
    tracemalloc.start()
    with pytest.raises(WorkflowFailed, match="walked again"):
        await live(file, flow, Life())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak / items < 1_000
    assert (await snapshot_of(file)).run.steps_done == 2

    @step
    async def total(values: list[int]) -> int:
        return sum(values)

    again = (
        create_workflow(id="flow", input_schema=int, output_schema=int)
        .then(count)
        .foreach(copy, concurrency=100)
        .then(total)
        .commit()
    )
    await run_again(file)
    began = time.perf_counter()
    assert await live(file, again, Life()) == sum(range(items)) * 10
    assert time.perf_counter() - began < 2


def test_what_cannot_be_a_foreach() -> None:
    with pytest.raises(DefinitionError, match="concurrency must be 1 or more"):
        over().foreach(copy, concurrency=0)
    with pytest.raises(DefinitionError, match="two nodes with the id 'copy'"):
        over().foreach(copy).foreach(copy).commit()


def test_the_graph() -> None:
    flow = over().foreach(copy, concurrency=3).commit()
    (node,) = json.loads(flow.graph)
    assert node.pop("body")["id"] == "copy"
    assert node == {"kind": "foreach", "id": "foreach-1", "concurrency": 3, "on_error": "fail"}
    assert flow.leaf_count == 1
