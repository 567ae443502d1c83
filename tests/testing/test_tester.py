"""Workflows as their authors test them: in memory, with steps replaced and answers scripted."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest.mock import AsyncMock

import pytest
from pydantic import BaseModel

from wrkflw_tui import (
    DefinitionError,
    InvalidAnswer,
    RetryPolicy,
    StepContext,
    StepFailure,
    WorkflowFailed,
    WorkflowSuspended,
    create_workflow,
    step,
)
from wrkflw_tui.testing import Clock, WorkflowTester

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)


class User(BaseModel):
    name: str


class Approval(BaseModel):
    ok: bool


class Receipt(BaseModel):
    text: str


@step(retry=RetryPolicy(max_attempts=3, initial_delay=timedelta(minutes=1)))
async def fetch_user(id: int) -> User:
    raise AssertionError("a test fetches nobody")


@step
def ask(user: User, context: StepContext) -> User:
    approval = context.suspend(Approval, reason=f"Send to {user.name}?")
    return user if approval.ok else User(name="nobody")


@step
def send_email(user: User) -> Receipt:
    raise AssertionError("a test sends nothing")


async def ada(id: int) -> User:
    return User(name=f"ada {id}")


def send(user: User) -> Receipt:
    return Receipt(text=f"to {user.name}")


campaign = (
    create_workflow(id="campaign", input_schema=int, output_schema=Receipt)
    .then(fetch_user)
    .then(ask)
    .sleep(HOUR)
    .then(send_email)
    .commit()
)
FAKES = {"fetch-user": ada, "send-email": send}


async def test_steps_are_replaced_and_sleeps_are_skipped() -> None:
    async with WorkflowTester(
        campaign, replace=FAKES, answers={"ask": Approval(ok=True)}
    ) as tester:
        began = tester.clock.now()
        assert await tester.run(7) == Receipt(text="to ada 7")
        assert tester.clock.now() - began == HOUR
        assert tester.calls("fetch-user") == [7]
        assert tester.calls(send_email) == [User(name="ada 7")]
        snapshot = await tester.last_run.snapshot()
        assert [*snapshot.step_results] == ["fetch-user", "ask", "sleep-1", "send-email"]
        assert [a.status for a in snapshot.attempts("ask")] == ["suspended", "success"]
        assert len(tester.calls("ask")) == 2


async def test_the_authors_workflow_stays_as_it_is() -> None:
    nodes, graph = campaign.nodes, campaign.graph
    async with WorkflowTester(
        campaign, replace=FAKES, answers={"ask": Approval(ok=True)}
    ) as tester:
        await tester.run(7)
        assert tester.workflow.graph == graph
        assert tester.workflow.definition_hash == campaign.definition_hash
    assert campaign.nodes is nodes
    with pytest.raises(AssertionError, match="sends nothing"):
        await send_email(User(name="x"))


async def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with WorkflowTester(
        campaign, replace=FAKES, answers={"ask": Approval(ok=True)}
    ) as tester:
        await tester.run(7)
    assert os.listdir(tmp_path) == []


async def test_scripted_failures_come_first() -> None:
    fail = {"fetch-user": [TimeoutError("once"), OSError("twice")]}
    async with WorkflowTester(
        campaign, replace=FAKES, fail=fail, answers={"ask": Approval(ok=True)}
    ) as tester:
        began = tester.clock.now()
        assert await tester.run(7) == Receipt(text="to ada 7")
        assert tester.clock.now() - began == HOUR + timedelta(minutes=1 + 2), "without jitter"
        attempts = (await tester.last_run.snapshot()).attempts("fetch-user")
        assert [a.error.message if a.error else "" for a in attempts] == ["once", "twice", ""]
        assert tester.calls("fetch-user") == [7, 7, 7]


async def test_a_run_that_failed_is_recovered() -> None:
    error = OSError("no mail server")
    async with WorkflowTester(
        campaign, replace=FAKES, fail={"send-email": [error]}, answers={"ask": Approval(ok=True)}
    ) as tester:
        with pytest.raises(WorkflowFailed) as failed:
            await tester.run(7)
        assert failed.value.path == "send-email"
        assert failed.value.__cause__ is error
        assert await tester.last_run.recover() == Receipt(text="to ada 7")
        assert len(tester.calls("fetch-user")) == 1


async def test_a_question_without_an_answer_is_the_tests() -> None:
    async with WorkflowTester(campaign, replace=FAKES) as tester:
        with pytest.raises(WorkflowSuspended) as suspended:
            await tester.run(7)
        assert [q.reason for q in suspended.value.questions] == ["Send to ada 7?"]
        resumed = tester.last_run.resume(Approval(ok=False))
        assert await tester.clock.until(resumed) == Receipt(text="to nobody")


async def test_answers_are_given_one_by_one_to_items() -> None:
    everyone = (
        create_workflow(id="everyone", input_schema=list[User], output_schema=list[User])
        .foreach(ask)
        .commit()
    )
    users = [User(name=name) for name in "abc"]
    answers = [Approval(ok=True), Approval(ok=False), {"ok": True}]
    async with WorkflowTester(everyone, answers={"ask": answers}) as tester:
        given = await tester.run(users)
        assert [user.name for user in given] == ["a", "nobody", "c"]
    async with WorkflowTester(everyone, answers={"ask": answers[:2]}) as tester:
        with pytest.raises(WorkflowSuspended) as suspended:
            await tester.run(users)
        assert [q.path for q in suspended.value.questions] == ["ask[2]"]
    async with WorkflowTester(everyone, answers={"ask": Approval(ok=True)}) as tester:
        assert await tester.run(users) == users


async def test_a_question_is_answered_while_others_are_at_work() -> None:
    clock = Clock()
    began = clock.now()
    answered: list[timedelta] = []

    @step
    async def decide(value: int, context: StepContext) -> bool:
        context.suspend(bool)
        answered.append(clock.now() - began)
        return True

    @step
    async def slow(value: int) -> int:
        await clock.sleep(HOUR)
        return value

    both = (
        create_workflow(id="both", input_schema=int, output_schema=tuple[bool, int])
        .parallel(decide, slow)
        .commit()
    )
    async with WorkflowTester(both, clock=clock, answers={"decide": True}) as tester:
        assert await tester.run(1) == (True, 1)
    assert answered == [timedelta(0)]


@pytest.mark.parametrize("answer", [{"ok": "perhaps"}, "yes", None])
async def test_an_answer_that_does_not_fit_is_the_tests_error(answer: object) -> None:
    async with WorkflowTester(campaign, replace=FAKES, answers={"ask": answer}) as tester:
        with pytest.raises(InvalidAnswer, match="the answer to ask"):
            await tester.run(7)


async def test_two_questions_of_one_step_are_answered_in_turn() -> None:
    @step
    def twice(value: int, context: StepContext) -> int:
        first = context.suspend(int, key="first")
        return value + first * context.suspend(int, key="second")

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(twice).commit()
    async with WorkflowTester(flow, answers={"twice": [3, 5]}) as tester:
        assert await tester.run(1) == 16


class TestNested:
    inner = (
        create_workflow(id="inner", input_schema=User, output_schema=Receipt)
        .then(send_email)
        .commit()
    )
    outer = (
        create_workflow(id="outer", input_schema=list[User], output_schema=list[Receipt])
        .foreach(inner)
        .commit()
    )

    async def test_steps_are_found_by_id_anywhere(self) -> None:
        async with WorkflowTester(self.outer, replace={"send-email": send}) as tester:
            users = [User(name="a"), User(name="b")]
            assert [r.text for r in await tester.run(users)] == ["to a", "to b"]
            assert tester.calls("inner/send-email") == users

    async def test_a_whole_workflow_is_replaced(self) -> None:
        async with WorkflowTester(self.outer, replace={"inner": send}) as tester:
            assert [r.text for r in await tester.run([User(name="a")])] == ["to a"]
            assert tester.calls("inner") == [User(name="a")]

    async def test_an_id_that_is_in_two_places_needs_a_path(self) -> None:
        other = (
            create_workflow(id="other", input_schema=User, output_schema=Receipt)
            .then(send_email)
            .commit()
        )
        both = (
            create_workflow(id="both", input_schema=User, output_schema=tuple[Receipt, Receipt])
            .parallel(self.inner, other)
            .commit()
        )
        with pytest.raises(ValueError, match="inner/send-email or other/send-email"):
            WorkflowTester(both, replace={"send-email": send})
        fakes = {"inner/send-email": send, "other/send-email": lambda user: Receipt(text="other")}
        async with WorkflowTester(both, replace=fakes) as tester:
            assert [r.text for r in await tester.run(User(name="a"))] == ["to a", "other"]

    async def test_names_that_do_not_fit_are_named(self) -> None:
        with pytest.raises(ValueError, match="no step 'send'; there are inner, inner/send-email"):
            WorkflowTester(self.outer, replace={"send": send})
        with pytest.raises(ValueError, match="fail: there is no step 'x'"):
            WorkflowTester(self.outer, fail={"x": []})
        with pytest.raises(ValueError, match="answers: there is no step 'x'"):
            WorkflowTester(self.outer, answers={"x": 1})
        with pytest.raises(ValueError, match="'inner' is a workflow"):
            WorkflowTester(self.outer, fail={"inner": [OSError()]})
        with pytest.raises(ValueError, match="inside 'inner'"):
            WorkflowTester(self.outer, replace={"inner": send, "send-email": send})
        with pytest.raises(ValueError, match="for an event 'paid'; awaited are none"):
            WorkflowTester(self.outer, events={"paid": 1})
        async with WorkflowTester(self.outer) as tester:
            with pytest.raises(ValueError, match="calls: there is no step 'x'"):
                tester.calls("x")
            with pytest.raises(LookupError, match="nothing was run"):
                _ = tester.last_run


async def test_every_kind_of_node_is_reached() -> None:
    @step
    async def add(value: int) -> int:
        raise AssertionError("replaced")

    @step
    async def handler(failure: StepFailure) -> int:
        raise AssertionError("replaced")

    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=int)
        .then(add.with_id("a"), recover=handler)
        .branch((lambda value: value > 0, add.with_id("b")), otherwise=add.with_id("c"))
        .parallel(add.with_id("d"), add.with_id("e"))
        .map(lambda pair: sum(pair), int)
        .do_until(add.with_id("f"), lambda value: value > 100)
        .branch_all((lambda value: True, add.with_id("g")))
        .map(lambda given: given["g"], int)
        .commit()
    )

    async def plus(value: int) -> int:
        return value + 10

    fakes = {
        **dict.fromkeys("bcdefg", plus),
        "a": AsyncMock(side_effect=OSError("no")),
        "handler": lambda failure: 1,
    }
    async with WorkflowTester(flow, replace=fakes) as tester:
        assert await tester.run(0) == 112
        assert tester.calls("f") == [42, 52, 62, 72, 82, 92]
        assert tester.calls("c") == []
        [failure] = tester.calls(handler)
        assert failure.path == "a"


async def test_what_a_replacement_takes_and_gives_is_validated() -> None:
    async with WorkflowTester(
        campaign, replace=FAKES | {"fetch-user": lambda id: {"nom": "ada"}}
    ) as tester:
        with pytest.raises(WorkflowFailed, match="fetch-user failed with ValidationError"):
            await tester.run(7)
    with pytest.raises(DefinitionError, match="replacement of 'fetch-user'"):
        WorkflowTester(campaign, replace={"fetch-user": lambda: User(name="x")})  # pyright: ignore[reportArgumentType] - it takes nothing


async def test_a_replacement_may_be_a_step_and_take_a_context() -> None:
    @step
    async def named(id: int, context: StepContext) -> User:
        return User(name=f"{context.path} {context.attempt}")

    fakes = FAKES | {"fetch-user": named}
    async with WorkflowTester(
        campaign, replace=fakes, answers={"ask": Approval(ok=True)}
    ) as tester:
        assert (await tester.run(7)).text == "to fetch-user 1"


async def test_events_are_there_when_they_are_awaited() -> None:
    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=str)
        .sleep(HOUR)
        .wait_for("paid", str, timeout=HOUR)
        .map(lambda first: first, str)
        .wait_for("paid", str, id="again")
        .commit()
    )
    async with WorkflowTester(flow, events={"paid": ["first", "second"]}) as tester:
        assert await tester.run(1) == "second"
        results = (await tester.last_run.snapshot()).step_results
        assert results["again"].input == "first"
    async with WorkflowTester(flow, events={"paid": "only"}) as tester:
        with pytest.raises(WorkflowSuspended, match="event 'paid' at again"):
            await tester.run(1)
    async with WorkflowTester(flow, events={"paid": 17}) as tester:
        with pytest.raises(InvalidAnswer, match="event 'paid' does not fit"):
            await tester.run(1)


async def test_the_test_may_turn_the_clock_itself() -> None:
    async with WorkflowTester(
        campaign, replace=FAKES, answers={"ask": Approval(ok=True)}
    ) as tester:
        run = tester.create_run("run-1")
        running = asyncio.create_task(run.start(7))
        await tester.clock.advance(50 * timedelta(minutes=1))
        assert (await run.snapshot()).status == "sleeping"
        assert tester.calls("send-email") == []
        await tester.clock.advance(timedelta(minutes=10))
        assert await running == Receipt(text="to ada 7")


async def test_a_fork_is_told_the_same() -> None:
    async with WorkflowTester(
        campaign, replace=FAKES, answers={"ask": Approval(ok=True)}
    ) as tester:
        await tester.run(7)
        fork = await tester.last_run.fork("ask", input_data=User(name="bob"))
        assert await tester.clock.until(fork.start()) == Receipt(text="to bob")
        assert len(tester.calls("fetch-user")) == 1


async def test_many_runs_of_one_tester() -> None:
    async with WorkflowTester(
        campaign, replace=FAKES, answers={"ask": Approval(ok=True)}
    ) as tester:
        runs = [tester.create_run().start(n) for n in range(30)]
        receipts = await tester.clock.until(asyncio.gather(*runs))
        assert [r.text for r in receipts] == [f"to ada {n}" for n in range(30)]
        assert len(await tester.storage.list_runs(status="success")) == 30


async def test_what_a_step_does_to_its_input_is_not_seen_in_its_calls() -> None:
    @step
    async def spoils(values: list[int]) -> int:
        values.clear()
        return 0

    flow = create_workflow(id="flow", input_schema=list[int], output_schema=int).then(spoils)
    async with WorkflowTester(flow.commit()) as tester:
        await tester.run([1, 2])
        assert tester.calls(spoils) == [[1, 2]]
