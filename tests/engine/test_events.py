"""Events: early ones, late ones, which wait they serve, and what is refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from engine.turning import (
    HOUR,
    MINUTE,
    TurnedClock,
    asks,
    begin,
    paths,
    until,
    until_asked,
    until_status,
)
from pydantic import AfterValidator, BaseModel, TypeAdapter

from wrkflw_tui import (
    EventTimeout,
    InvalidAnswer,
    NotSuspended,
    RunEnded,
    RunNotFound,
    StepContext,
    WorkflowFailed,
    WorkflowStorage,
    step,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Payment(BaseModel):
    amount: int
    currency: str = "EUR"


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
async def turned(file: Path, clock: TurnedClock) -> AsyncIterator[WorkflowStorage]:
    storage = WorkflowStorage(file, clock=clock)
    yield storage
    await storage.close()


def amount_of(payment: Payment) -> int:
    return payment.amount


def paid(timeout: timedelta | None = None, id: str = "flow") -> Any:
    waits = begin(id).wait_for("invoice-paid", Payment, timeout, id="paid")
    return waits.map(amount_of, id="amount").commit()


async def test_a_run_waits_for_its_event_and_goes_on_with_the_payload(
    storage: WorkflowStorage,
) -> None:
    run = paid().create_run(storage=storage)
    (awaited,) = await asks(run.start(1))
    assert (awaited.path, awaited.kind, awaited.key) == ("paid", "event", "invoice-paid")
    assert str(awaited) == "event 'invoice-paid' at paid"
    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.questions) == ("suspended", (awaited,))
    await run.send_event("invoice-paid", Payment(amount=7))
    assert (await run.snapshot()).status == "queued"
    assert await run.recover() == 7
    assert (await run.snapshot()).step_results["paid"].output == {"amount": 7, "currency": "EUR"}


async def test_an_event_that_comes_early_is_kept(storage: WorkflowStorage) -> None:
    at_work, goes_on = asyncio.Event(), asyncio.Event()

    @step
    async def work(value: int) -> int:
        at_work.set()
        await goes_on.wait()
        return value

    flow = begin().then(work).wait_for("go", int, timedelta(seconds=1)).commit()
    run = flow.create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await at_work.wait()
    await run.send_event("go", 5)
    goes_on.set()
    assert await task == 5


async def test_an_event_reaches_a_walk_whose_other_arm_is_busy(storage: WorkflowStorage) -> None:
    goes_on = asyncio.Event()
    called: list[int] = []

    @step
    async def busy(value: int) -> int:
        await goes_on.wait()
        return value

    @step
    async def behind(value: int) -> int:
        called.append(value)
        return value

    inner = begin("inner").wait_for("go", int).then(behind).commit()
    run = begin(output=tuple[int, int]).parallel(inner, busy).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await until_status(run, "running")
    await run.send_event("go", 5)
    await until(lambda: called == [5], "the event was taken")
    goes_on.set()
    assert await task == (5, 1)


async def test_one_event_serves_one_wait_the_earliest_opened(storage: WorkflowStorage) -> None:
    flow = begin(output=tuple[int, int]).parallel(paid(id="one"), paid(id="other")).commit()
    run = flow.create_run(storage=storage)
    assert paths(await asks(run.start(1))) == ["one/paid", "other/paid"]
    await run.send_event("invoice-paid", {"amount": 1})
    assert paths(await asks(run.recover())) == ["other/paid"]
    await run.send_event("invoice-paid", {"amount": 2})
    assert await run.recover() == (1, 2)


async def test_the_earliest_opened_is_served_also_where_its_arm_comes_last(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    late = begin("late").sleep(HOUR).wait_for("go", int).commit()
    early = begin("early").wait_for("go", int).commit()
    run = begin(output=tuple[int, int]).parallel(late, early).commit().create_run(storage=turned)
    assert paths(await asks(run.start(1))) == ["early/wait-for-1"]
    clock.turn(HOUR)
    assert paths(await asks(run.recover())) == ["early/wait-for-1", "late/wait-for-1"]
    await run.send_event("go", 1)
    assert paths(await asks(run.recover())) == ["late/wait-for-1"]
    await run.send_event("go", 2)
    assert await run.recover() == (2, 1)


async def test_events_sent_together_go_to_the_waits_in_the_order_of_their_opening(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    late = begin("late").sleep(HOUR).wait_for("go", int).commit()
    early = begin("early").wait_for("go", int).commit()
    run = begin(output=tuple[int, int]).parallel(late, early).commit().create_run(storage=turned)
    await asks(run.start(1))
    clock.turn(HOUR)
    await asks(run.recover())
    for number in (1, 2):
        await run.send_event("go", number)
    assert await run.recover() == (2, 1)


async def test_an_event_goes_to_the_next_wait_where_the_first_is_given_up(
    storage: WorkflowStorage,
) -> None:
    fails_now, goes_on = asyncio.Event(), asyncio.Event()
    called: list[int] = []

    @step
    async def fails(value: int) -> int:
        await fails_now.wait()
        raise OSError("broken")

    @step
    async def busy(value: int) -> int:
        await goes_on.wait()
        return value

    @step
    async def note(value: int) -> int:
        called.append(value)
        return value

    first = begin("first").wait_for("go", int).commit()
    given_up = begin("given-up", tuple[int, int, int]).parallel(fails, first, busy).commit()
    second = begin("second").then(note).wait_for("go", int).then(note.with_id("b")).commit()
    flow = (
        begin(output=str)
        .parallel(given_up, second, on_error="collect")
        .map(lambda both: f"{both[0]}, {both[1]}", output_schema=str)
        .commit()
    )
    run = flow.create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await until(lambda: called, "the second arm is about to wait")
    await until_asked(run, 2)
    fails_now.set()
    await until_asked(run, 1)
    await run.send_event("go", 5)
    await until(lambda: called == [1, 5], "the second arm was served")
    goes_on.set()
    assert await task == "given-up/fails: OSError: broken, 5"


async def test_two_events_of_one_name_are_taken_in_the_order_of_sending(
    storage: WorkflowStorage,
) -> None:
    flow = (
        begin(output=int).wait_for("go", int, id="first").wait_for("go", int, id="second").commit()
    )
    run = flow.create_run(storage=storage)
    await asks(run.start(1))
    await run.send_event("go", 1)
    await run.send_event("go", 2)
    assert await run.recover() == 2
    assert (await run.snapshot()).step_results["first"].output == 1


async def test_an_event_is_its_runs_own(storage: WorkflowStorage) -> None:
    one, other = paid().create_run(storage=storage), paid().create_run(storage=storage)
    await asks(one.start(1))
    await asks(other.start(1))
    await one.send_event("invoice-paid", {"amount": 3})
    await asks(other.recover())
    assert await one.recover() == 3


async def test_an_event_that_does_not_come_in_time_is_a_failed_step(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    run = paid(HOUR).create_run(storage=turned)
    await asks(run.start(1))
    snapshot = await run.snapshot()
    assert snapshot.wake_at == clock.now() + HOUR
    assert snapshot.step_results["paid"].wake_at == snapshot.wake_at
    clock.turn(HOUR - MINUTE)
    await asks(run.recover())
    assert (await run.snapshot()).wake_at == snapshot.wake_at
    clock.turn(MINUTE)
    with pytest.raises(WorkflowFailed, match="'invoice-paid' did not come in 1:00:00") as caught:
        await run.recover()
    assert isinstance(caught.value.__cause__, EventTimeout)
    assert caught.value.path == "paid"
    assert (await run.snapshot()).questions == ()
    with pytest.raises(RunEnded):
        await run.send_event("invoice-paid", {"amount": 3})


async def test_an_instant_that_is_near_is_waited_for_and_so_is_the_event(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    flow = paid(timedelta(seconds=4))
    late, served = flow.create_run(storage=turned), flow.create_run(storage=turned)
    tasks = [asyncio.create_task(run.start(1)) for run in (late, served)]
    await clock.until_asleep(2)
    await served.send_event("invoice-paid", {"amount": 3})
    assert await tasks[1] == 3
    clock.turn(timedelta(seconds=4))
    with pytest.raises(WorkflowFailed, match="did not come"):
        await tasks[0]


async def test_a_run_whose_event_did_not_come_waits_anew_when_recovered(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    run = paid(HOUR).create_run(storage=turned)
    await asks(run.start(1))
    clock.turn(HOUR)
    with pytest.raises(WorkflowFailed):
        await run.recover()
    await asks(run.recover())
    assert (await run.snapshot()).wake_at == clock.now() + HOUR
    await run.send_event("invoice-paid", {"amount": 3})
    assert await run.recover() == 3


async def test_an_event_that_nobody_will_wait_for_is_refused_with_what_is_awaited(
    storage: WorkflowStorage,
) -> None:
    run = paid().create_run("r", storage=storage)
    with pytest.raises(RunNotFound):
        await run.send_event("invoice-paid", {"amount": 3})
    await asks(run.start(1))
    before = await run.snapshot()
    with pytest.raises(NotSuspended, match=r"never waits for an event 'paid'.*'invoice-paid'"):
        await run.send_event("paid")
    assert await run.snapshot() == before


async def test_an_event_for_a_workflow_that_waits_for_none_is_refused(
    storage: WorkflowStorage,
) -> None:
    @step
    async def ask(value: int, context: StepContext) -> int:
        return context.suspend(int)

    run = begin().then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    with pytest.raises(NotSuspended, match="it waits for none"):
        await run.send_event("go")


async def test_a_payload_that_does_not_fit_is_refused(storage: WorkflowStorage) -> None:
    run = paid().create_run(storage=storage)
    await asks(run.start(1))
    before = await run.snapshot()
    with pytest.raises(InvalidAnswer, match="'invoice-paid' does not fit: amount"):
        await run.send_event("invoice-paid", {"amount": "many"})
    with pytest.raises(InvalidAnswer, match="cannot be written as JSON"):
        await run.send_event("invoice-paid", {"amount": 3, "currency": "\ud800"})
    assert await run.snapshot() == before
    await run.send_event("invoice-paid", {"amount": 3})
    assert await run.recover() == 3


@pytest.mark.parametrize("error", [ValueError, KeyError])
async def test_a_payload_that_only_the_validator_refuses_fails_the_wait(
    storage: WorkflowStorage, error: type[Exception]
) -> None:
    def even(value: int) -> int:
        if value % 2:
            raise error("only even numbers will do")
        return value

    asked = TypeAdapter(Annotated[int, AfterValidator(even)])
    run = begin().wait_for("go", asked).commit().create_run(storage=storage)
    await asks(run.start(1))
    await run.send_event("go", 3)
    with pytest.raises(WorkflowFailed, match="only even numbers will do") as caught:
        await run.recover()
    assert isinstance(caught.value.__cause__, InvalidAnswer)
    assert caught.value.path == "wait-for-1"
    await asks(run.recover())  # it waits for another one
    await run.send_event("go", 4)
    assert await run.recover() == 4


async def test_an_event_without_a_payload(storage: WorkflowStorage) -> None:
    flow = begin(output=str).wait_for("go", None).map(repr, output_schema=str).commit()
    run = flow.create_run(storage=storage)
    await asks(run.start(1))
    await run.send_event("go")
    assert await run.recover() == "None"


async def test_an_answer_is_no_event(storage: WorkflowStorage) -> None:
    run = paid().create_run(storage=storage)
    await asks(run.start(1))
    with pytest.raises(NotSuspended, match="does not wait for that answer"):
        await run.resume({"amount": 3}, path="paid")


async def test_a_failed_arm_ends_the_wait_of_the_other(storage: WorkflowStorage) -> None:
    @step
    async def fails(value: int) -> int:
        raise OSError("broken")

    flow = begin(output=tuple[int, int]).parallel(fails, paid(id="inner")).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="broken"):
        await run.start(1)
    assert (await run.snapshot()).questions == ()


async def test_a_wait_for_an_event_beside_one_that_sleeps(
    turned: WorkflowStorage, clock: TurnedClock
) -> None:
    """It is suspended with an instant: the one or the other walks it on."""
    sleeps = begin("sleeps").sleep(HOUR).commit()
    flow = begin(output=tuple[int, int]).parallel(sleeps, paid(id="waits")).commit()
    run = flow.create_run(storage=turned)
    await asks(run.start(1))
    assert (await run.snapshot()).wake_at == clock.now() + HOUR
    await run.send_event("invoice-paid", {"amount": 3})
    task = asyncio.create_task(run.recover())
    await until_status(run, "sleeping")
    await clock.until_asleep()
    clock.turn(HOUR)
    assert await task == (1, 3)


async def test_waits_of_iterations_and_items_are_served_in_turn(storage: WorkflowStorage) -> None:
    body = begin("body").wait_for("go", int).commit()
    loop = begin().do_until(body, lambda n: n >= 3).commit().create_run(storage=storage)
    await asks(loop.start(0))
    for number in (1, 2, 3):
        await loop.send_event("go", number)
    assert await loop.recover() == 3
    each = begin(input=list[int], output=list[int]).foreach(body, concurrency=2).commit()
    run = each.create_run(storage=storage)
    opened = ["body[0]/wait-for-1", "body[1]/wait-for-1"]
    assert paths(await asks(run.start([0, 0, 0]))) == opened
    for number in (1, 2, 3):
        await run.send_event("go", number)
    assert await run.recover() == [1, 2, 3]
