"""A workflow that was edited while its run rests: what still fits goes on, the rest is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from engine.turning import HOUR, TurnedClock, asks, begin, paths
from pydantic import BaseModel

from wrkflw_tui import (
    DefinitionChanged,
    InvalidInput,
    StepContext,
    StepFailure,
    WorkflowFailed,
    WorkflowStorage,
    step,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

RUN = "r"


@step
async def work(value: int) -> int:
    calls.append(value)
    return value + 1


@step
async def ask(value: int, context: StepContext) -> int:
    return value + context.suspend(int)


calls: list[int] = []
A, B, C, NEW = (work.with_id(id) for id in ("a", "b", "c", "new"))


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def chain(*steps: Any, name: str = "flow") -> Any:
    builder = begin(name)
    for one in steps:
        builder = builder.then(one)
    return builder.commit()


async def rest(storage: WorkflowStorage, flow: Any, input: Any = 0) -> Any:
    """Start the run, which has to come to rest with a question."""
    run = flow.create_run(RUN, storage=storage)
    await asks(run.start(input))
    return run


async def differs(storage: WorkflowStorage, changed: Any, *said: str) -> None:
    """The run says what differs, in whichever way it is taken up, and is left as it was."""
    run = await changed.get_run(RUN, storage=storage)
    before = await run.snapshot()
    with pytest.raises(DefinitionChanged) as caught:
        await run.recover()
    for text in said:
        assert text in str(caught.value)
    assert "fork the run at a step before it" in str(caught.value)
    assert await run.snapshot() == before


async def test_a_step_inserted_before_the_question_is_named_and_nothing_is_guessed(
    storage: WorkflowStorage,
) -> None:
    run = await rest(storage, chain(A, ask, B))
    called = list(calls)
    await differs(storage, chain(A, NEW, ask, B), "new was added before ask, which was reached")
    await differs(storage, chain(NEW, A, ask, B), "new was added before ask")
    assert calls == called
    assert await run.resume(1) == 3


async def test_a_step_that_was_moved_from_behind_the_question_to_before_it_is_named(
    storage: WorkflowStorage,
) -> None:
    run = await rest(storage, chain(A, ask, B, C))
    called = list(calls)
    await differs(storage, chain(A, B, ask, C), "b comes before ask, which was reached")
    await differs(storage, chain(C, A, ask, B), "c comes before ask, which was reached")
    assert calls == called
    assert await run.resume(1) == 4


async def test_the_answer_is_kept_where_the_definition_does_not_fit(
    storage: WorkflowStorage,
) -> None:
    run = await rest(storage, chain(A, ask, B))
    changed = await chain(A, NEW, ask, B).get_run(RUN, storage=storage)
    with pytest.raises(DefinitionChanged):
        await changed.resume(10)
    assert (await run.snapshot()).status == "queued"
    assert await run.recover() == 12


async def test_steps_added_behind_are_simply_run(storage: WorkflowStorage) -> None:
    await rest(storage, chain(A, ask))
    changed = chain(A, ask, B, C, chain(NEW, name="inner"))
    assert await (await changed.get_run(RUN, storage=storage)).resume(1) == 5
    assert calls == [0, 2, 3, 4]


async def test_steps_behind_may_be_taken_away_or_changed(storage: WorkflowStorage) -> None:
    await rest(storage, chain(A, ask, B, C))
    changed = begin().then(A).then(ask).map(lambda n: n * 10, output_schema=int).commit()
    assert await (await changed.get_run(RUN, storage=storage)).resume(1) == 20


async def test_what_a_reached_node_is_now_is_told(storage: WorkflowStorage) -> None:
    run = await rest(storage, chain(A, B, ask))
    await differs(storage, chain(A, ask), "b is gone")
    await differs(storage, chain(B, A, ask), "b comes before a now")
    mapped = begin().map(lambda n: n, output_schema=int, id="a").then(B).then(ask).commit()
    await differs(storage, mapped, "a was a step and is a map now")
    nested = chain(chain(A, name="a"), B, ask)
    await differs(storage, nested, "a was a step and is a workflow now")
    await differs(storage, chain(A, B, ask.with_id("other")), "ask is gone")
    several = chain(NEW, ask)
    await differs(storage, several, "a is gone", "b is gone", "new was added before")
    assert await run.resume(1) == 3


async def test_a_step_inserted_in_a_nested_workflow_that_was_reached(
    storage: WorkflowStorage,
) -> None:
    def flow(*inner: Any) -> Any:
        return chain(A, chain(*inner, name="inner"), C)

    run = await rest(storage, flow(B, ask))
    await differs(storage, flow(B, NEW, ask), "inner/new was added before inner/ask")
    changed = await flow(B, ask, NEW).get_run(RUN, storage=storage)
    assert await changed.resume(1) == 5
    assert (await run.snapshot()).status == "success"


async def test_a_nested_workflow_that_is_done_may_change_inside(storage: WorkflowStorage) -> None:
    await rest(storage, chain(chain(A, name="inner"), ask))
    changed = chain(chain(NEW, B, C, name="inner"), ask)
    assert await (await changed.get_run(RUN, storage=storage)).resume(1) == 2


async def test_an_arm_that_asks_and_one_that_is_new_or_gone(storage: WorkflowStorage) -> None:
    def flow(*arms: Any) -> Any:
        return begin().parallel(*arms).map(sum, output_schema=int).commit()

    await rest(storage, flow(A, ask))
    await differs(storage, flow(ask, B), "a is gone")
    await differs(storage, flow(A, B), "ask is gone")
    changed = await flow(A, ask, NEW).get_run(RUN, storage=storage)
    assert await changed.resume(5) == 1 + 5 + 1


async def test_a_branch_whose_arms_changed(storage: WorkflowStorage) -> None:
    def flow(*, arm: Any = ask, otherwise: Any = B, id: str = "which") -> Any:
        return begin().then(A).branch((lambda n: True, arm), otherwise=otherwise, id=id).commit()

    await rest(storage, flow())
    await differs(storage, flow(arm=NEW), "ask is gone")
    await differs(storage, flow(id="other"), "which is gone")
    changed = await flow(otherwise=NEW).get_run(RUN, storage=storage)
    assert await changed.resume(5) == 6


async def test_a_sleep_and_a_wait_that_were_reached(file: Path) -> None:
    clock = TurnedClock()
    storage = WorkflowStorage(file, clock=clock)
    waits = begin("waits").sleep(HOUR).wait_for("go", int).commit()

    def flow(*first: Any) -> Any:
        builder = begin()
        for one in first:
            builder = builder.then(one)
        return builder.parallel(waits, ask).map(sum, output_schema=int).commit()

    run = await rest(storage, flow())
    await differs(storage, flow(NEW), "new was added before")
    clock.turn(HOUR)
    assert paths(await asks(run.recover())) == ["ask", "waits/wait-for-1"]
    await differs(storage, flow(NEW), "new was added before")
    await run.send_event("go", 1)
    assert await run.resume(2) == 3
    await storage.close()


async def test_a_failed_step_may_be_replaced_that_is_how_it_is_mended(
    storage: WorkflowStorage,
) -> None:
    @step
    async def fails(value: int) -> int:
        raise OSError("broken")

    run = chain(A, fails, B).create_run(RUN, storage=storage)
    with pytest.raises(WorkflowFailed):
        await run.start(0)
    mended = chain(A, NEW, C, B)
    assert await (await mended.get_run(RUN, storage=storage)).recover() == 4
    assert calls == [0, 1, 2, 3]


async def test_what_was_mended_by_a_handler_stays_mended(storage: WorkflowStorage) -> None:
    @step
    async def fails(value: int) -> int:
        raise OSError("broken")

    @step
    async def mend(failure: StepFailure) -> int:
        return -1

    flow = begin().then(fails, recover=mend).then(ask).commit()
    await rest(storage, flow)
    without = chain(fails, ask)
    await differs(storage, without, "mend is gone")
    assert await (await flow.get_run(RUN, storage=storage)).resume(5) == 4


async def test_the_run_follows_the_new_definition_from_then_on(storage: WorkflowStorage) -> None:
    await rest(storage, chain(A, ask))
    changed = chain(A, ask, NEW, ask.with_id("again"))
    again = await changed.get_run(RUN, storage=storage)
    assert paths(await asks(again.resume(1))) == ["again"]
    snapshot = await again.snapshot()
    assert snapshot.graph_json == changed.graph
    await differs(storage, chain(A, ask, ask.with_id("again")), "new is gone")
    assert await again.resume(1) == 4


async def test_an_input_that_does_not_fit_any_more_is_said_and_the_run_left_as_it_was(
    storage: WorkflowStorage,
) -> None:
    class Order(BaseModel):
        item: str

    class Changed(Order):
        count: int

    def flow(schema: Any) -> Any:
        return begin(input=schema).map(lambda order: 1, output_schema=int).then(ask).commit()

    run = flow(Order).create_run(RUN, storage=storage)
    await asks(run.start(Order(item="x")))
    before = await run.snapshot()
    changed = await flow(Changed).get_run(RUN, storage=storage)
    for _ in range(2):
        with pytest.raises(InvalidInput, match="count"):
            await changed.recover()
    assert await run.snapshot() == before
    assert await run.resume(1) == 2


@pytest.fixture
async def storage(file: Path) -> AsyncIterator[WorkflowStorage]:
    storage = WorkflowStorage(file)
    yield storage
    await storage.close()
