"""What a step asks of its context: must pass both checkers with no error and no cast."""

import logging
from typing import Literal, NoReturn, TypedDict, assert_type

from pydantic import BaseModel, TypeAdapter

from wrkflw_tui import (
    GiveUp,
    Step,
    StepContext,
    StepFailure,
    StepNotRun,
    Workflow,
    create_step,
    create_workflow,
    step,
)


class Letter(BaseModel):
    text: str


class Receipt(BaseModel):
    sent: bool


class Approval(BaseModel):
    approved: bool
    comment: str = ""


class Refusal(BaseModel):
    why: str


class Tally(BaseModel):
    count: int = 0


class Place(TypedDict):
    name: str


Verdict: TypeAdapter[Approval | Refusal] = TypeAdapter(Approval | Refusal)
YesOrNo: TypeAdapter[Literal["yes", "no"]] = TypeAdapter(Literal["yes", "no"])


# A question gives the answer, typed.
@step
def ask(letter: Letter, context: StepContext) -> Receipt:
    approval = context.suspend(Approval, reason="Send it?", payload=letter, key="first")
    assert_type(approval, Approval)
    assert_type(context.suspend(Approval), Approval)
    assert_type(context.suspend(bool, reason="Really?", key="second"), bool)
    assert_type(context.suspend(list[str], key="names", payload={"a": [1, None]}), list[str])
    assert_type(context.suspend(Place, key="place"), Place)
    assert_type(context.suspend(YesOrNo, key="third"), Literal["yes", "no"])
    assert_type(context.suspend(Verdict, key="fourth"), Approval | Refusal)
    return Receipt(sent=approval.approved)


@step
async def ask_for_one_of_two(letter: Letter, context: StepContext) -> Receipt:
    context.suspend(None, reason="Go on?", key=None)
    match context.suspend(Verdict, reason="Send it?"):
        case Approval(approved=approved):
            return Receipt(sent=approved)
        case Refusal(why=why):
            raise GiveUp(why)


# A step that ends with bail returns nothing more; what comes after one is narrowed.
@step
def always_bail(letter: Letter, context: StepContext) -> Receipt:
    context.bail(Receipt(sent=False))


@step
def bail_unless_sent(receipt: Receipt | None, context: StepContext) -> Receipt:
    if receipt is None:
        context.bail(Receipt(sent=False))
    assert_type(receipt, Receipt)
    return receipt


@step
async def bail_in_the_end(letter: Letter, context: StepContext) -> Receipt:
    if letter.text:
        return Receipt(sent=True)
    context.bail(None)


def refuse(context: StepContext) -> NoReturn:
    context.bail("refused")


@step
def bail_by_another(letter: Letter, context: StepContext) -> Receipt:
    refuse(context)


assert_type(always_bail, Step[Letter, Receipt])
assert_type(bail_unless_sent, Step[Receipt | None, Receipt])
assert_type(bail_by_another, Step[Letter, Receipt])


# State.
Counts: TypeAdapter[dict[str, int]] = TypeAdapter(dict[str, int])


@step
def count(letter: Letter, context: StepContext) -> int:
    tally = context.get_state(Tally)
    assert_type(tally, Tally)
    context.set_state(Tally(count=tally.count + len(letter.text)))
    assert_type(context.get_state(Counts), dict[str, int])
    assert_type(context.get_state(Place), Place)
    context.set_state({"count": 1})
    return tally.count


counting = (
    create_workflow(id="counting", input_schema=Letter, output_schema=int, state_schema=Tally)
    .then(count)
    .commit()
)
assert_type(counting, Workflow[Letter, int])


# Results of other steps, of nested workflows and of items.
def shout(letter: Letter) -> str:
    return letter.text.upper()


either = create_step(id="either", input_schema=Letter, output_schema=Verdict, execute=lambda letter: Approval(approved=bool(letter.text)))
silent = create_step(id="silent", input_schema=Letter, output_schema=None, execute=lambda letter: None)
shouting = create_step(id="shout", input_schema=Letter, output_schema=str, execute=shout)
each = (
    create_workflow(id="each", input_schema=list[Letter], output_schema=list[str])
    .foreach(shouting)
    .commit()
)
each_counted = (
    create_workflow(id="each-counted", input_schema=list[Letter], output_schema=list[int])
    .foreach(counting)
    .commit()
)


@step
def look(receipt: Receipt, context: StepContext) -> Receipt:
    assert_type(context.get_step_result(ask), Receipt)
    assert_type(context.get_step_result(either), Approval | Refusal)
    assert_type(context.get_step_result(shouting.with_id("again")), str)
    assert_type(context.get_step_result(counting), int)
    assert_type(context.get_step_result(each), list[str])
    assert_type(context.get_step_results(shouting), list[str])
    assert_type(context.get_step_results(counting), list[int])
    assert_type(context.get_step_results(either), list[Approval | Refusal])
    assert_type(context.get_init_data(Letter), Letter)
    assert_type(context.get_init_data(Verdict), Approval | Refusal)
    context.get_init_data(None)
    try:
        return context.get_step_result(ask)
    except StepNotRun:
        return receipt


@step
def where(failure: StepFailure, context: StepContext) -> str:
    assert_type(context.run_id, str)
    assert_type(context.workflow_id, str)
    assert_type(context.step_id, str)
    assert_type(context.path, str)
    assert_type(context.attempt, int)
    assert_type(context.iteration, int)
    assert_type(context.idempotency_key, str)
    assert_type(context.log, logging.Logger)
    assert_type(context.cancelled, bool)
    context.raise_if_cancelled()
    context.report_progress(1)
    context.report_progress(0.5, total=1.5, message="half of it")
    context.report_progress(done=1, total=None)
    assert_type((failure.path, failure.type, failure.message), tuple[str, str, str])
    return context.path
