"""Loops: how often they go round, what their conditions see, and what is on record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from engine.lives import Life, enqueue, live, run_again, snapshot_of

from wrkflw_tui import DefinitionError, StepContext, WorkflowFailed, create_workflow, step

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui import WorkflowBuilder, WorkflowStorage


@step
async def grow(value: int) -> int:
    return value + 1


def begin(id: str = "flow") -> WorkflowBuilder[int, int, int]:
    return create_workflow(id=id, input_schema=int, output_schema=int)


def is_ten(value: int) -> bool:
    return value == 10


async def test_while_then_until(storage: WorkflowStorage) -> None:
    between: list[int] = []

    def note(value: int) -> int:
        between.append(value)
        return value

    flow = (
        begin()
        .do_while(grow, lambda n: n < 3)
        .map(note)
        .do_until(grow.with_id("more"), is_ten)
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(0) == 10
    assert between == [3]
    snapshot = await run.snapshot()
    results = snapshot.step_results
    assert [results[f"grow[{n}]"].output for n in range(3)] == [1, 2, 3]
    assert [results[f"do-while-1[{n}]"].output for n in range(3)] == [True, True, False]
    assert results["do-while-1[1]"].kind == "decision"
    assert (results["do-while-1"].kind, results["do-while-1"].output) == ("loop", 3)
    assert "grow[3]" not in results
    assert results["more[6]"].output == 10
    assert snapshot.run.steps_done == snapshot.run.steps_total == 3


async def test_the_body_runs_once_where_the_first_look_is_enough(storage: WorkflowStorage) -> None:
    flow = begin().do_until(grow, lambda n: True).do_while(grow.with_id("b"), lambda n: False)
    assert await flow.commit().create_run(storage=storage).start(0) == 2


async def test_a_condition_sees_the_iteration(storage: WorkflowStorage) -> None:
    seen: list[tuple[int, str]] = []

    def three_times(value: int, context: StepContext) -> bool:
        seen.append((context.iteration, context.path))
        return context.iteration == 3

    run = begin().do_until(grow, three_times, id="rounds").commit().create_run(storage=storage)
    assert await run.start(0) == 3
    assert seen == [(1, "rounds[0]"), (2, "rounds[1]"), (3, "rounds[2]")]


async def test_a_condition_that_raises(storage: WorkflowStorage) -> None:
    def breaks(value: int) -> bool:
        if value == 2:
            raise ZeroDivisionError("two")
        return True

    run = begin().do_while(grow, breaks).commit().create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="ZeroDivisionError: two") as caught:
        await run.start(0)
    assert caught.value.path == "do-while-1[1]"
    snapshot = await run.snapshot()
    assert snapshot.status == "failed"
    assert snapshot.step_results["do-while-1[1]"].status == "failed"
    assert snapshot.step_results["do-while-1"].status == "failed"


async def test_the_most_iterations(storage: WorkflowStorage) -> None:
    run = begin().do_until(grow, lambda n: False, max_iterations=4).commit()
    started = run.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="after 4 iterations") as caught:
        await started.start(0)
    assert (caught.value.path, caught.value.error.type) == ("do-until-1", "TooManyIterations")
    results = (await started.snapshot()).step_results
    assert "grow[3]" in results
    assert "grow[4]" not in results


async def test_a_body_may_be_a_whole_workflow(storage: WorkflowStorage) -> None:
    seen: list[tuple[str, int]] = []

    @step
    async def inner_step(value: int, context: StepContext) -> int:
        seen.append((context.path, context.get_step_result(grow)))
        return value

    body = begin("body").then(grow).then(inner_step).commit()
    run = begin().do_until(body, lambda n: n == 2).commit().create_run(storage=storage)
    assert await run.start(0) == 2
    assert seen == [("body[0]/inner-step", 1), ("body[1]/inner-step", 2)]


async def test_from_outside_a_body_is_its_last_iteration(file: Path) -> None:
    is_broken = True

    @step
    async def behind(value: int, context: StepContext) -> int:
        if is_broken:
            raise OSError("broken")
        return context.get_step_result(grow) * 100

    flow = begin().do_until(grow, is_ten).then(behind).commit()
    await enqueue(file)
    with pytest.raises(WorkflowFailed):
        await live(file, flow, Life())
    is_broken = False
    await run_again(file)
    assert await live(file, flow, Life()) == 1000


@pytest.mark.parametrize("commits", range(1, 8))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_death_at_any_commit(file: Path, commits: int, before: bool) -> None:
    calls: list[str] = []
    asked: list[str] = []

    @step
    async def work(value: int, context: StepContext) -> int:
        calls.append(context.path)
        return value + 1

    def goes_on(value: int, context: StepContext) -> bool:
        asked.append(context.path)
        return value < 6

    body = begin("body").then(work.with_id("a")).then(work.with_id("b")).commit()
    flow = begin().do_while(body, goes_on).then(work.with_id("behind")).commit()
    await enqueue(file)
    assert await live(file, flow, Life(commits, before)) is None
    snapshot = await snapshot_of(file)
    if snapshot.status == "success":
        return
    recorded = {path for path, r in snapshot.step_results.items() if r.status == "success"}
    calls.clear()
    asked.clear()
    assert await live(file, flow, Life()) == 7
    steps = [f"body[{n}]/{id}" for n in range(3) for id in "ab"] + ["behind"]
    assert calls == [path for path in steps if path not in recorded]
    decisions = [f"do-while-1[{n}]" for n in range(3)]
    assert asked == [path for path in decisions if path not in recorded]


async def test_a_failed_body_goes_on_where_it_failed(file: Path) -> None:
    calls: list[int] = []
    is_broken = True

    @step
    async def work(value: int) -> int:
        calls.append(value)
        if value == 2 and is_broken:
            raise OSError("broken")
        return value + 1

    flow = begin().do_until(work, is_ten).commit()
    await enqueue(file)
    with pytest.raises(WorkflowFailed) as caught:
        await live(file, flow, Life())
    assert caught.value.path == "work[2]"
    is_broken = False
    await run_again(file)
    assert await live(file, flow, Life()) == 10
    assert calls == [0, 1, 2, *range(2, 10)]


def test_what_cannot_be_a_loop() -> None:
    async def later(value: int) -> bool:
        return True

    bad: Any = later
    with pytest.raises(DefinitionError, match="is async"):
        begin().do_while(grow, bad)
    with pytest.raises(DefinitionError, match="max_iterations must be 1 or more"):
        begin().do_while(grow, is_ten, max_iterations=0)
    with pytest.raises(DefinitionError, match="two nodes with the id 'grow'"):
        begin().then(grow).do_while(grow, is_ten).commit()


def test_the_graph() -> None:
    flow = begin().do_until(grow, is_ten).commit()
    (node,) = json.loads(flow.graph)
    assert node.pop("body")["id"] == "grow"
    assert node == {
        "kind": "loop",
        "id": "do-until-1",
        "until": True,
        "condition": "is_ten",
        "max_iterations": 1000,
    }
    assert flow.leaf_count == 1
