"""Taking a run on record up again, with what it was given and what it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from wrkflw_tui import (
    GiveUp,
    InvalidInput,
    StepContext,
    WorkflowFailed,
    WorkflowSuspended,
    create_workflow,
    step,
)

if TYPE_CHECKING:
    from wrkflw_tui import Workflow, WorkflowStorage


class Letter(BaseModel):
    text: str | None


def flow_of(schema: TypeAdapter[int], broken: list[bool]) -> Workflow[int, int]:
    def fail_while_broken(value: int) -> int:
        if broken:
            raise GiveUp("broken")
        return value

    return (
        create_workflow(id="w", input_schema=schema, output_schema=int)
        .then(step(id="once-broken")(fail_while_broken))
        .commit()
    )


async def test_a_run_whose_input_fits_no_more_is_left_to_be_taken_up_again(
    storage: WorkflowStorage,
) -> None:
    broken = [True]
    run = flow_of(TypeAdapter(int), broken).create_run(storage=storage)
    with pytest.raises(WorkflowFailed):
        await run.start(-1)
    broken.clear()
    strict: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(gt=0)])
    for _ in range(2):
        with pytest.raises(InvalidInput, match="greater than 0"):
            await (await flow_of(strict, broken).get_run(run.run_id, storage)).recover()
        assert (await run.snapshot()).status == "failed", "it is as it was"
    assert await run.recover() == -1


async def test_a_question_may_ask_for_nothing_but_to_go_on(storage: WorkflowStorage) -> None:
    @step
    def ask(value: int, context: StepContext) -> int:
        context.suspend(None, reason="Go on?")
        return value + 1

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(ask).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowSuspended, match=r"Go on\?"):
        await run.start(1)
    assert await run.resume(None) == 2


async def test_a_fork_is_given_none_where_none_is_said(storage: WorkflowStorage) -> None:
    @step
    def first(value: int) -> str | None:
        return f"value {value}"

    @step
    def second(text: str | None) -> Letter:
        return Letter(text=text)

    flow = (
        create_workflow(id="w", input_schema=int, output_schema=Letter)
        .then(first)
        .then(second)
        .commit()
    )
    run = flow.create_run(storage=storage)
    await run.start(1)
    assert await (await run.fork(at="second")).start() == Letter(text="value 1")
    assert await (await run.fork(at="second", input_data=None)).start() == Letter(text=None)
