"""Forks: a new run over the results that came before a step of another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from engine.turning import asks, begin, paths, until
from pydantic import BaseModel

from wrkflw_tui import (
    DefinitionChanged,
    ForkOrigin,
    InvalidInput,
    RunAlreadyClaimed,
    RunNotFound,
    StepContext,
    StepFailure,
    UnknownPath,
    WorkflowFailed,
    WorkflowStorage,
    step,
)

if TYPE_CHECKING:
    from pathlib import Path


class Steps:
    """Steps that add one and note their paths; those in `broken` fail."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.broken: set[str] = set()

        @step
        async def work(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            if context.path in self.broken:
                raise OSError("broken")
            return value + 1

        self.work = work

    def __call__(self, id: str) -> Any:
        return self.work.with_id(id)

    def chain(self, *ids: str, name: str = "flow") -> Any:
        builder = begin(name)
        for id in ids:
            builder = builder.then(self(id))
        return builder.commit()


@pytest.fixture
def steps() -> Steps:
    return Steps()


async def test_a_fork_takes_over_what_came_before_and_leaves_the_old_run_alone(
    storage: WorkflowStorage, steps: Steps
) -> None:
    run = steps.chain("a", "b", "c").create_run(storage=storage)
    assert await run.start(1) == 4
    before = await run.snapshot()
    steps.calls.clear()
    fork = await run.fork(at="b", input_data=100)
    assert fork.run_id != run.run_id
    snapshot = await fork.snapshot()
    assert snapshot.status == "queued"
    assert snapshot.forked_from == ForkOrigin(run.run_id, "b")
    assert steps.calls == []
    assert await fork.start() == 102
    assert steps.calls == ["b", "c"]
    results = (await fork.snapshot()).step_results
    assert results["a"] == before.step_results["a"]
    assert (results["b"].input, results["b"].output) == (100, 101)
    assert (await fork.snapshot()).input_data == 1
    assert await run.snapshot() == before


async def test_without_an_input_the_step_gets_the_value_in_hand(
    storage: WorkflowStorage, steps: Steps
) -> None:
    run = steps.chain("a", "b").create_run(storage=storage)
    await run.start(1)
    fork = await run.fork(at="b")
    assert await fork.start() == 3
    assert (await fork.snapshot()).step_results["b"].input == 2


async def test_none_is_an_input_like_others(storage: WorkflowStorage) -> None:
    @step
    async def first(value: int) -> int | None:
        return value

    @step
    async def look(value: int | None) -> str:
        return repr(value)

    flow = begin(output=str).then(first).then(look).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(1) == "1"
    assert await (await run.fork(at="look", input_data=None)).start() == "None"


async def test_a_fork_of_a_failed_run_at_the_failed_step_goes_on_from_there(
    storage: WorkflowStorage, steps: Steps
) -> None:
    run = steps.chain("a", "b", "c").create_run(storage=storage)
    steps.broken.add("b")
    with pytest.raises(WorkflowFailed):
        await run.start(1)
    steps.broken.clear()
    steps.calls.clear()
    assert await (await run.fork(at="b")).start() == 4
    assert steps.calls == ["b", "c"]
    assert (await run.snapshot()).status == "failed"


async def test_a_fork_starts_once_and_can_itself_be_forked(
    storage: WorkflowStorage, steps: Steps
) -> None:
    run = steps.chain("a", "b", "c").create_run(storage=storage)
    await run.start(1)
    fork = await run.fork(at="b", input_data=100)
    await fork.start()
    again = await fork.fork(at="c")
    steps.calls.clear()
    assert await again.start() == 102
    assert steps.calls == ["c"]
    assert (await again.snapshot()).forked_from == ForkOrigin(fork.run_id, "c")


@pytest.mark.parametrize("answer", [True, False])
async def test_behind_a_branch_the_decision_is_kept_and_at_the_branch_it_is_taken_anew(
    storage: WorkflowStorage, steps: Steps, answer: bool
) -> None:
    says = True

    def decides(value: int) -> bool:
        steps.calls.append("asked")
        return says

    flow = (
        begin().branch((decides, steps("yes")), otherwise=steps("no")).then(steps("end")).commit()
    )
    run = flow.create_run(storage=storage)
    await run.start(1)
    says = answer
    steps.calls.clear()
    assert await (await run.fork(at="end", input_data=50)).start() == 51
    assert steps.calls == ["end"]
    steps.calls.clear()
    assert await (await run.fork(at="yes", input_data=50)).start() == 52
    assert steps.calls == ["yes", "end"]
    steps.calls.clear()
    await (await run.fork(at="branch-1")).start()
    assert steps.calls == ["asked", "yes" if answer else "no", "end"]


async def test_a_fork_at_one_item_takes_over_the_others(
    storage: WorkflowStorage, steps: Steps
) -> None:
    flow = (
        begin(input=list[int])
        .foreach(steps("item"), concurrency=3)
        .map(sum, output_schema=int)
        .then(steps("end"))
        .commit()
    )
    run = flow.create_run(storage=storage)
    await run.start(list(range(10)))
    steps.calls.clear()
    fork = await run.fork(at="item[6]", input_data=1000)
    assert await fork.start() == sum(range(1, 11)) - 7 + 1001 + 1
    assert steps.calls == ["item[6]", "end"]
    snapshot = await fork.snapshot()
    assert snapshot.step_results["item[5]"].output == 6
    assert snapshot.step_results["map-1"].output == 55 - 7 + 1001


async def test_a_fork_of_a_failed_foreach_at_its_failed_item(
    storage: WorkflowStorage, steps: Steps
) -> None:
    flow = begin(input=list[int]).foreach(steps("item")).map(sum, output_schema=int).commit()
    run = flow.create_run(storage=storage)
    steps.broken.add("item[1]")
    with pytest.raises(WorkflowFailed):
        await run.start([1, 2, 3])
    steps.broken.clear()
    steps.calls.clear()
    assert await (await run.fork(at="item[1]")).start() == 9
    assert steps.calls == ["item[1]", "item[2]"]


async def test_a_fork_at_a_foreach_or_a_loop_begins_it_anew(
    storage: WorkflowStorage, steps: Steps
) -> None:
    flow = (
        begin()
        .then(steps("a"))
        .do_while(steps("round"), lambda n: n < 4)
        .map(lambda n: [n, n], output_schema=list[int])
        .foreach(steps("item"))
        .map(sum, output_schema=int)
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(0) == 10
    steps.calls.clear()
    assert await (await run.fork(at="do-while-1")).start() == 10
    assert steps.calls == ["round[0]", "round[1]", "round[2]", "item[0]", "item[1]"]
    steps.calls.clear()
    assert await (await run.fork(at="foreach-1")).start() == 10
    assert steps.calls == ["item[0]", "item[1]"]


async def test_a_fork_at_an_iteration_keeps_the_earlier_ones_only(
    storage: WorkflowStorage, steps: Steps
) -> None:
    flow = begin().do_while(steps("round"), lambda n: n < 4).then(steps("end")).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(0) == 5
    steps.calls.clear()
    fork = await run.fork(at="round[1]", input_data=2)
    assert await fork.start() == 5
    assert steps.calls == ["round[1]", "round[2]", "end"]
    assert (await fork.snapshot()).step_results["round[0]"].output == 1


async def test_a_fork_in_one_arm_takes_over_the_others(
    storage: WorkflowStorage, steps: Steps
) -> None:
    inner = steps.chain("x", "y", name="inner")
    flow = (
        begin()
        .then(steps("a"))
        .parallel(steps("one"), inner, steps("two"))
        .map(sum, output_schema=int)
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(0) == 7
    steps.calls.clear()
    assert await (await run.fork(at="one", input_data=10)).start() == 16
    assert steps.calls == ["one"]
    steps.calls.clear()
    assert await (await run.fork(at="inner/y", input_data=10)).start() == 15
    assert steps.calls == ["inner/y"]
    steps.calls.clear()
    assert await (await run.fork(at="inner", input_data=10)).start() == 16
    assert steps.calls == ["inner/x", "inner/y"]


async def test_a_fork_within_an_items_workflow(storage: WorkflowStorage, steps: Steps) -> None:
    inner = steps.chain("x", "y", name="inner")
    flow = begin(input=list[int]).foreach(inner).map(sum, output_schema=int).commit()
    run = flow.create_run(storage=storage)
    assert await run.start([0, 10, 20]) == 36
    steps.calls.clear()
    assert await (await run.fork(at="inner[1]/y", input_data=100)).start() == 2 + 101 + 22
    assert steps.calls == ["inner[1]/y"]


async def test_a_fork_keeps_the_failure_that_was_mended_or_collected(
    storage: WorkflowStorage, steps: Steps
) -> None:
    steps.broken |= {"shaky", "arm"}

    @step
    async def mend(failure: StepFailure) -> int:
        steps.calls.append("mend")
        return 7

    flow = (
        begin(output=str)
        .then(steps("shaky"), recover=mend)
        .parallel(steps("arm"), steps("other"), on_error="collect")
        .map(lambda both: f"{both[0]}, {both[1]}", output_schema=str, id="text")
        .map(lambda text: text, output_schema=str, id="end")
        .commit()
    )
    run = flow.create_run(storage=storage)
    output = await run.start(1)
    assert output == "arm: OSError: broken, 8"
    steps.broken.clear()
    steps.calls.clear()
    assert await (await run.fork(at="end")).start() == output
    assert await (await run.fork(at="text")).start() == output
    assert steps.calls == []
    assert await (await run.fork(at="mend")).start() == "8, 8"
    assert steps.calls == ["mend", "arm", "other"]
    steps.calls.clear()
    assert await (await run.fork(at="shaky")).start() == "3, 3"
    assert steps.calls == ["shaky", "arm", "other"]


async def test_a_fork_of_a_suspended_run_asks_anew(storage: WorkflowStorage, steps: Steps) -> None:
    @step
    async def ask(value: int, context: StepContext) -> int:
        return value + context.suspend(int)

    flow = begin().then(steps("a")).then(ask).then(steps("end")).commit()
    run = flow.create_run(storage=storage)
    await asks(run.start(0))
    fork = await run.fork(at="ask", input_data=100)
    assert paths(await asks(fork.start())) == ["ask"]
    assert await fork.resume(5) == 106
    assert (await run.snapshot()).status == "suspended"
    assert await run.resume(1) == 3
    behind = await run.fork(at="end")
    assert await behind.start() == 3
    asks_again = await run.fork(at="ask")
    assert paths(await asks(asks_again.start())) == ["ask"]


async def test_a_fork_has_the_state_that_there_was(storage: WorkflowStorage) -> None:
    class Count(BaseModel):
        total: int = 0
        last: str = ""

    @step
    async def add(value: int, context: StepContext) -> int:
        state = context.get_state(Count)
        context.set_state(Count(total=state.total + value, last=context.path))
        return context.get_state(Count).total

    flow = (
        begin(state_schema=Count).then(add).then(add.with_id("b")).then(add.with_id("c")).commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(1) == 4
    fork = await run.fork(at="b")
    assert (await fork.snapshot()).state == {"total": 1, "last": "add"}
    assert await fork.start() == 4
    assert (await run.snapshot()).state == {"total": 4, "last": "c"}


async def test_a_fork_is_refused_where_it_cannot_begin(
    storage: WorkflowStorage, steps: Steps
) -> None:
    flow = begin().then(steps("a")).map(lambda n: n, output_schema=int).then(steps("b")).commit()
    run = flow.create_run("r", storage=storage)
    with pytest.raises(RunNotFound):
        await run.fork(at="a")
    steps.broken.add("a")
    with pytest.raises(WorkflowFailed):
        await run.start(1)
    with pytest.raises(UnknownPath, match="never came to 'b'; it came to: a"):
        await run.fork(at="b")
    with pytest.raises(UnknownPath, match="never came to 'nowhere'"):
        await run.fork(at="nowhere")
    with pytest.raises(UnknownPath, match="'nowhere' is not in the workflow"):
        await run.fork(at="nowhere", input_data=1)
    with pytest.raises(UnknownPath, match="is a map"):
        await run.fork(at="map-1", input_data=1)
    with pytest.raises(InvalidInput, match="the input of 'a' does not fit"):
        await run.fork(at="a", input_data="no number")
    assert len(await storage.list_runs()) == 1


async def test_a_fork_of_a_run_that_is_walked_is_refused(storage: WorkflowStorage) -> None:
    entered, goes_on = asyncio.Event(), asyncio.Event()

    @step
    async def work(value: int) -> int:
        entered.set()
        await goes_on.wait()
        return value

    run = begin().then(work).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await until(entered.is_set, "it is at work")
    with pytest.raises(RunAlreadyClaimed, match="fork it once it rests or has ended"):
        await run.fork(at="work")
    goes_on.set()
    await task
    assert len(await storage.list_runs()) == 1


async def test_a_fork_over_another_definition_is_refused_with_what_differs(
    storage: WorkflowStorage, steps: Steps
) -> None:
    run = steps.chain("a", "b", "c").create_run("r", storage=storage)
    await run.start(1)
    changed = await steps.chain("new", "a", "b", "c").get_run("r", storage=storage)
    with pytest.raises(DefinitionChanged, match="new was added before"):
        await changed.fork(at="c")
    # Before the first step nothing is taken over that could differ.
    assert await (await changed.fork(at="a")).start() == 5
    added = await steps.chain("a", "b", "c", "d").get_run("r", storage=storage)
    steps.calls.clear()
    assert await (await added.fork(at="c")).start() == 5
    assert steps.calls == ["c", "d"]


async def test_a_fork_is_taken_up_by_another_process(file: Path, steps: Steps) -> None:
    flow = steps.chain("a", "b")
    first = WorkflowStorage(file)
    run = flow.create_run(storage=first)
    await run.start(1)
    fork = await run.fork(at="b", input_data=10)
    await first.close()
    second = WorkflowStorage(file)
    assert await (await flow.get_run(fork.run_id, storage=second)).recover() == 11
    await second.close()
