"""A step's context without an engine: what it gives, and what it keeps of the step's doing."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from wrkflw_tui import NoState, StepCancelled, StepContext, StepNotRun, step
from wrkflw_tui.testing import Bail, Suspend, step_context


class Order(BaseModel):
    id: str
    count: int = 1


class Seen(BaseModel):
    orders: int = 0
    last: str = ""


@step
async def read_order(id: str) -> Order:
    return Order(id=id)


@step
async def price(order: Order) -> float:
    return 2.5 * order.count


@step
async def sum_up(order: Order, context: StepContext) -> float:
    seen = context.get_state(Seen)
    context.set_state(Seen(orders=seen.orders + 1, last=order.id))
    context.report_progress(1, 2, "half")
    context.report_progress(2, 2)
    return sum(context.get_step_results(price))


@step
def confirm(order: Order, context: StepContext) -> str:
    if context.attempt > 1:
        context.bail("given up")
    context.raise_if_cancelled()
    return f"{context.suspend(str, reason='Who?')} {context.suspend(int, key='count')}"


async def test_progress_and_state_are_kept() -> None:
    context = step_context(sum_up, item_results={price: [2.5, 5.0]}, state=Seen(orders=3))
    assert await sum_up(Order(id="a"), context) == 7.5
    assert [(p.done, p.total, p.message) for p in context.progress] == [(1, 2, "half"), (2, 2, "")]
    assert context.get_state(Seen) == Seen(orders=4, last="a")


def test_what_was_not_given_is_not_there() -> None:
    context = step_context(sum_up)
    assert (context.run_id, context.path, context.attempt) == ("run-1", "sum-up", 1)
    assert context.idempotency_key == "run-1/sum-up"
    with pytest.raises(NoState):
        context.get_state(Seen)
    with pytest.raises(StepNotRun):
        context.get_step_result(read_order)
    with pytest.raises(StepNotRun):
        context.get_step_results(price)


def test_results_and_the_input_are_read_as_from_the_record() -> None:
    order = Order(id="a", count=2)
    context = step_context(confirm, results={read_order: order}, init_data=Order(id="b"))
    assert context.get_step_result(read_order) == order
    assert context.get_step_result(read_order) is not order
    assert context.get_init_data(Order) == Order(id="b")
    with pytest.raises(ValidationError):
        step_context(confirm, results={read_order: "no order"})


async def test_questions_are_answered_or_asked() -> None:
    order = Order(id="a")
    assert await confirm(order, step_context(confirm, answers=["Ada", 3])) == "Ada 3"
    with pytest.raises(Suspend) as asked:
        await confirm(order, step_context(confirm))
    assert (asked.value.reason, asked.value.key) == ("Who?", "")
    with pytest.raises(Suspend) as asked:
        await confirm(order, step_context(confirm, answers=["Ada"]))
    assert asked.value.key == "count"


async def test_a_step_that_bails_or_is_cancelled() -> None:
    order = Order(id="a")
    with pytest.raises(Bail) as ended:
        await confirm(order, step_context(confirm, attempt=2))
    assert ended.value.output == "given up"
    with pytest.raises(StepCancelled):
        await confirm(order, step_context(confirm, cancelled=True))
    context = step_context(confirm)
    context.cancel()
    assert context.cancelled
