"""State: what steps of a workflow share, what is kept of it, and what is dropped."""

from __future__ import annotations

import asyncio
from datetime import date  # noqa: TC003 - Pydantic reads it
from typing import TYPE_CHECKING, Any

import pytest
from engine.lives import Life, enqueue, live, snapshot_of
from engine.turning import HOUR, asks, begin
from pydantic import BaseModel, Field

from wrkflw_tui import (
    InvalidState,
    NoState,
    RetryPolicy,
    StepContext,
    WorkflowFailed,
    step,
)

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui import WorkflowStorage

AT_ONCE = 0 * HOUR


class Totals(BaseModel):
    sent: int = 0
    failed: int = 0
    note: str = ""


class Other(BaseModel):
    sent: int = 100


def setter(id: str, **fields: Any) -> Any:
    @step(id=id)
    async def change(value: int, context: StepContext) -> int:
        context.set_state(context.get_state(Totals).model_copy(update=fields))
        return value

    return change


@step
async def read(value: int, context: StepContext) -> str:
    return context.get_state(Totals).model_dump_json()


def flow_of(*steps: Any, id: str = "flow", output: Any = str, **options: Any) -> Any:
    builder = begin(id, output=output, state_schema=Totals, **options)
    for one in steps:
        builder = builder.then(one)
    return builder.commit()


async def test_the_last_state_set_in_a_step_is_seen_at_once_and_by_the_next(
    storage: WorkflowStorage,
) -> None:
    seen: list[int] = []

    @step
    async def twice(value: int, context: StepContext) -> int:
        seen.append(context.get_state(Totals).sent)
        context.set_state(Totals(sent=1, note="first"))
        seen.append(context.get_state(Totals).sent)
        context.set_state(Totals(sent=2))
        seen.append(context.get_state(Totals).sent)
        return value

    run = flow_of(twice, read).create_run(storage=storage)
    assert await run.start(1) == '{"sent":2,"failed":0,"note":""}'
    assert seen == [0, 1, 2]
    assert (await run.snapshot()).state == {"sent": 2, "failed": 0, "note": ""}


async def test_what_a_failed_attempt_set_is_gone(storage: WorkflowStorage) -> None:
    seen: list[Totals] = []

    @step(retry=RetryPolicy(max_attempts=2, initial_delay=AT_ONCE))
    async def shaky(value: int, context: StepContext) -> int:
        seen.append(context.get_state(Totals))
        state = context.get_state(Totals)
        context.set_state(state.model_copy(update={"failed": state.failed + context.attempt}))
        if context.attempt == 1:
            raise OSError("once")
        return value

    run = flow_of(setter("before", sent=5), shaky, read).create_run(storage=storage)
    assert await run.start(1) == '{"sent":5,"failed":2,"note":""}'
    assert seen == [Totals(sent=5)] * 2


async def test_what_the_last_attempt_set_is_gone_with_its_failure(
    storage: WorkflowStorage,
) -> None:
    @step
    async def fails(value: int, context: StepContext) -> int:
        context.set_state(Totals(failed=1))
        raise OSError("broken")

    @step
    async def mend(failure: Any, context: StepContext) -> int:
        assert context.get_state(Totals).failed == 0
        return 0

    flow = begin(output=str, state_schema=Totals).then(fails, recover=mend).then(read).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(1) == Totals().model_dump_json()


async def test_an_output_that_does_not_fit_drops_the_state_too(storage: WorkflowStorage) -> None:
    @step
    async def wrong(value: int, context: StepContext) -> int:
        context.set_state(Totals(sent=1))
        text: Any = "no number"
        return text

    run = flow_of(wrong, read).create_run(storage=storage)
    with pytest.raises(WorkflowFailed):
        await run.start(1)
    assert (await run.snapshot()).state is None


async def test_arms_that_set_different_fields_keep_both(storage: WorkflowStorage) -> None:
    both = asyncio.Barrier(2)

    def arm(id: str, **fields: Any) -> Any:
        @step(id=id)
        async def change(value: int, context: StepContext) -> int:
            state = context.get_state(Totals)
            await both.wait()  # each has read before either has set
            context.set_state(state.model_copy(update=fields))
            return value

        return change

    flow = (
        begin(output=str, state_schema=Totals)
        .parallel(arm("a", sent=1), arm("b", failed=2))
        .map(sum, output_schema=int)
        .then(read)
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(1) == '{"sent":1,"failed":2,"note":""}'


async def test_of_two_arms_that_set_one_field_the_last_to_end_wins(
    storage: WorkflowStorage,
) -> None:
    first_ended = asyncio.Event()

    @step
    async def first(value: int, context: StepContext) -> int:
        context.set_state(Totals(note="first"))
        first_ended.set()
        return value

    @step
    async def last(value: int, context: StepContext) -> int:
        context.set_state(Totals(note="last"))
        await first_ended.wait()
        await asyncio.sleep(0)
        return value

    flow = begin(output=str, state_schema=Totals).parallel(last, first).map(sum, output_schema=int)
    run = flow.then(read).commit().create_run(storage=storage)
    assert '"last"' in await run.start(1)


async def test_state_flows_into_nested_workflows_of_the_same_schema_and_back(
    storage: WorkflowStorage,
) -> None:
    seen: list[int] = []

    @step
    async def add(value: int, context: StepContext) -> int:
        state = context.get_state(Totals)
        seen.append(state.sent)
        context.set_state(Totals(sent=state.sent + 1))
        return value

    deep = flow_of(add, id="deep", output=int)
    inner = flow_of(add, deep, id="inner", output=int)
    run = flow_of(add, inner, read).create_run(storage=storage)
    assert await run.start(1) == '{"sent":3,"failed":0,"note":""}'
    assert seen == [0, 1, 2]


async def test_a_nested_workflow_of_another_schema_has_a_state_of_its_own(
    storage: WorkflowStorage,
) -> None:
    @step
    async def add(value: int, context: StepContext) -> int:
        state = context.get_state(Other)
        context.set_state(Other(sent=state.sent + 1))
        return state.sent

    inner = begin("inner", state_schema=Other).then(add).then(add.with_id("again")).commit()
    run = flow_of(setter("before", sent=5), inner, read).create_run(storage=storage)
    assert await run.start(1) == '{"sent":5,"failed":0,"note":""}'
    assert (await run.snapshot()).step_results["inner"].output == 101


async def test_a_nested_workflow_without_a_schema_has_no_state(storage: WorkflowStorage) -> None:
    inner = begin("inner").then(setter("change", sent=1)).commit()
    run = flow_of(inner, read).create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="'inner' has no state") as caught:
        await run.start(1)
    assert isinstance(caught.value.__cause__, NoState)
    assert caught.value.path == "inner/change"


async def test_items_have_states_of_their_own_where_their_workflow_has_one(
    storage: WorkflowStorage,
) -> None:
    @step
    async def add(value: int, context: StepContext) -> int:
        context.set_state(Other(sent=context.get_state(Other).sent + value))
        return context.get_state(Other).sent

    item = begin("item", state_schema=Other).then(add).commit()
    flow = begin(input=list[int], output=list[int]).foreach(item, concurrency=2).commit()
    assert await flow.create_run(storage=storage).start([1, 2, 3]) == [101, 102, 103]


@pytest.mark.parametrize(
    ("given", "names"),
    [({"sent": "many"}, "sent"), (3, "Totals"), ({"note": "\ud800"}, "note|surrogate|unicode")],
    ids=["field", "type", "surrogate"],
)
async def test_a_state_that_does_not_fit_fails_the_step(
    storage: WorkflowStorage, given: Any, names: str
) -> None:
    @step
    async def wrong(value: int, context: StepContext) -> int:
        context.set_state(given)
        return value

    run = flow_of(setter("before", sent=1), wrong, read).create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match=f"(?s)cannot be set to that.*({names})") as caught:
        await run.start(1)
    assert caught.value.path == "wrong"
    assert isinstance(caught.value.__cause__, InvalidState)
    assert (await run.snapshot()).state == {"sent": 1, "failed": 0, "note": ""}


async def test_a_state_that_would_not_read_back_fails_the_step(storage: WorkflowStorage) -> None:
    class Loose(BaseModel):
        when: date | str = ""

    @step
    async def wrong(value: int, context: StepContext) -> int:
        context.set_state(Loose(when="2030-01-01"))
        return value

    run = begin(state_schema=Loose).then(wrong).commit().create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="read back differently") as caught:
        await run.start(1)
    assert isinstance(caught.value.__cause__, InvalidState)


async def test_a_state_without_defaults_has_to_be_set_first(storage: WorkflowStorage) -> None:
    class Needs(BaseModel):
        count: int = Field(ge=0)

    @step
    async def looks(value: int, context: StepContext) -> int:
        with pytest.raises(NoState, match="nothing of the state"):
            context.get_state(Needs)
        context.set_state(Needs(count=value))
        return context.get_state(Needs).count

    run = begin(state_schema=Needs).then(looks).commit().create_run(storage=storage)
    assert await run.start(4) == 4


async def test_fields_that_a_state_no_longer_has_are_gone(storage: WorkflowStorage) -> None:
    """A mapping's keys are fields too: one that was left out is not there any more."""
    mapping: Any = dict[str, int]

    @step
    async def put(value: int, context: StepContext) -> int:
        context.set_state({"a": 1, "b": 2})
        return value

    @step
    async def take(value: int, context: StepContext) -> int:
        context.set_state({"b": 3})
        assert context.get_state(mapping) == {"b": 3}
        return value

    @step
    async def look(value: int, context: StepContext) -> str:
        return repr(context.get_state(mapping))

    flow = begin(output=str, state_schema=mapping).then(put).then(take).then(look).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(1) == "{'b': 3}"
    assert (await run.snapshot()).state == {"b": 3}


async def test_maps_conditions_and_sleeps_see_and_set_the_state(storage: WorkflowStorage) -> None:
    def count(value: int, context: StepContext) -> int:
        context.set_state(Totals(sent=value))
        return value

    def reads(value: int, context: StepContext) -> bool:
        return context.get_state(Totals).sent == value

    is_set: Any = reads

    def not_long(value: int, context: StepContext) -> Any:
        return context.get_state(Totals).failed * HOUR

    flow = (
        begin(output=str, state_schema=Totals)
        .map(count)
        .branch((is_set, setter("yes", note="yes")), otherwise=setter("no", note="no"))
        .sleep(not_long)
        .then(read)
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(7) == '{"sent":7,"failed":0,"note":"yes"}'


async def test_the_state_set_before_a_question_is_kept(storage: WorkflowStorage) -> None:
    seen: list[int] = []

    @step
    async def ask(value: int, context: StepContext) -> int:
        state = context.get_state(Totals)
        seen.append(state.sent)
        context.set_state(Totals(sent=state.sent + 1))
        context.suspend(int)
        return value

    run = flow_of(ask, read).create_run(storage=storage)
    await asks(run.start(1))
    assert (await run.snapshot()).state == {"sent": 1, "failed": 0, "note": ""}
    assert await run.resume(1) == '{"sent":2,"failed":0,"note":""}'
    assert seen == [0, 1]


@pytest.mark.parametrize("commits", range(1, 6))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_death_at_any_commit_loses_no_state_and_adds_none(
    file: Path, commits: int, before: bool
) -> None:
    @step
    async def add(value: int, context: StepContext) -> int:
        context.set_state(Totals(sent=context.get_state(Totals).sent + 1))
        return value

    steps = [add.with_id(f"s{n}") for n in range(4)]
    inner = flow_of(*steps[2:], id="inner", output=int)
    flow = flow_of(*steps[:2], inner, output=int)
    await enqueue(file, 1)
    assert await live(file, flow, Life(commits, before)) is None
    if (await snapshot_of(file)).status != "success":
        assert await live(file, flow, Life()) == 1
    assert (await snapshot_of(file)).state == {"sent": 4, "failed": 0, "note": ""}
