"""What an author writes to test a workflow: no cast, no ignored error."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import assert_type

from pydantic import BaseModel

from wrkflw_tui import StepContext, WorkflowRun, create_workflow, step
from wrkflw_tui.testing import Clock, RecordedContext, WorkflowTester, step_context


class User(BaseModel):
    name: str


class Receipt(BaseModel):
    text: str


class Seen(BaseModel):
    count: int = 0


@step
async def fetch_user(id: int) -> User:
    return User(name=str(id))


@step
def send_email(user: User, context: StepContext) -> Receipt:
    return Receipt(text=user.name)


@step
async def add_up(prices: list[float], context: StepContext) -> float:
    return sum(prices)


flow = (
    create_workflow(id="flow", input_schema=int, output_schema=Receipt)
    .then(fetch_user)
    .then(send_email)
    .commit()
)


async def ada(id: int) -> User:
    return User(name="ada")


def send(user: User, context: StepContext) -> Receipt:
    return Receipt(text=context.path)


async def a_run() -> None:
    async with WorkflowTester(
        flow,
        clock=Clock(datetime(2026, 1, 1, tzinfo=UTC)),
        replace={"fetch-user": ada, "send-email": send, "inner/send-email": send_email},
        fail={"fetch-user": [TimeoutError("once"), OSError()]},
        answers={"ask": [Receipt(text="yes"), True]},
        events={"paid": {"amount": 3}},
    ) as tester:
        assert_type(await tester.run(7), Receipt)
        assert_type(tester.calls("send-email"), list[object])
        assert_type(tester.calls(send_email), list[User])
        assert_type(tester.last_run, WorkflowRun[int, Receipt])


async def a_replacement_in_one_line() -> None:
    async with WorkflowTester(flow, replace={"fetch-user": lambda id: User(name="ada")}) as tester:
        await tester.run(7)


async def a_clock_that_the_test_turns() -> None:
    async with WorkflowTester(flow) as tester:
        run = tester.create_run("run-1")
        running = asyncio.create_task(run.start(7))
        await tester.clock.advance(timedelta(hours=1))
        assert_type(await running, Receipt)
        assert_type(await tester.clock.until(run.recover()), Receipt)
        assert_type(tester.clock.now(), datetime)


async def a_step_alone() -> None:
    context = step_context(
        send_email,
        results={fetch_user: User(name="ada")},
        item_results={add_up: [1.0, 2.0]},
        init_data=7,
        state=Seen(),
        answers=[1, "two"],
    )
    assert_type(context, RecordedContext)
    assert_type(await send_email(User(name="ada"), context), Receipt)
    assert_type(context.get_state(Seen), Seen)
    assert_type([progress.done for progress in context.progress], list[float])
