"""Questions to a person: asked, answered, refused, in arms, items and iterations."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

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
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter

from wrkflw_tui import (
    AmbiguousAnswer,
    DefinitionError,
    InvalidAnswer,
    NotSuspended,
    RetryPolicy,
    RunEnded,
    RunNotFound,
    StepContext,
    UnknownPath,
    WorkflowFailed,
    WorkflowStorage,
    WorkflowSuspended,
    step,
)

if TYPE_CHECKING:
    from pathlib import Path


class Approval(BaseModel):
    approved: bool
    note: str = "none"


class Calls(list[str]):
    """Who was entered, by path."""

    def count_of(self, path: str) -> int:
        return self.count(path)


@pytest.fixture
def calls() -> Calls:
    return Calls()


def asking(calls: Calls, id: str = "ask", schema: Any = int, at_least: int = 0) -> Any:
    """A step that asks for a number, and adds it to its input."""

    @step(id=id)
    async def ask(value: int, context: StepContext) -> int:
        calls.append(context.path)
        if value < at_least:
            return value
        more: object = context.suspend(schema, reason=f"How much more than {value}?")
        return value + cast("int", more)

    return ask


def working(calls: Calls, id: str = "work") -> Any:
    @step(id=id)
    async def work(value: int, context: StepContext) -> int:
        calls.append(context.path)
        return value

    return work


# One question


async def test_a_run_that_asks_is_suspended_and_its_answer_ends_it(
    storage: WorkflowStorage, calls: Calls
) -> None:
    @step
    async def approve(value: int, context: StepContext) -> str:
        calls.append(f"{context.path} {context.attempt}")
        answer = context.suspend(
            Approval, reason=f"Send to {value} people?", payload={"people": [value, value]}
        )
        assert type(answer) is Approval
        return f"{answer.approved} {answer.note}"

    @step
    async def send(value: str) -> str:
        calls.append("send")
        return value

    flow = begin(output=str).then(working(calls, "before")).then(approve).then(send).commit()
    run = flow.create_run(storage=storage)
    (question,) = await asks(run.start(40))
    assert (question.path, question.kind, question.key) == ("approve", "answer", "")
    assert (question.reason, question.payload) == ("Send to 40 people?", {"people": [40, 40]})
    assert isinstance(question.schema, dict)
    assert question.schema["required"] == ["approved"]
    snapshot = await run.snapshot()
    assert snapshot.status == "suspended"
    assert snapshot.questions == (question,)
    assert snapshot.step_results["approve"].status == "suspended"
    assert snapshot.execution_path == ("approve",)
    assert "send" not in snapshot.step_results
    assert calls == ["before", "approve 1"]
    assert await run.resume({"approved": True, "note": "go"}) == "True go"
    assert calls == ["before", "approve 1", "approve 2", "send"]
    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.questions) == ("success", ())
    assert [a.status for a in snapshot.attempts("approve")] == ["suspended", "success"]


async def test_an_answer_may_be_an_object_of_the_schema(
    storage: WorkflowStorage, calls: Calls
) -> None:
    @step
    async def approve(value: int, context: StepContext) -> str:
        return context.suspend(Approval).note

    run = begin(output=str).then(approve).commit().create_run(storage=storage)
    await asks(run.start(1))
    assert await run.resume(Approval(approved=False, note="no")) == "no"


async def test_a_run_is_answered_by_another_process_than_the_one_that_asked(
    file: Path, calls: Calls
) -> None:
    flow = begin().then(working(calls)).then(asking(calls)).commit()
    first = WorkflowStorage(file)
    run = flow.create_run("r", storage=first)
    await asks(run.start(1))
    await first.close()
    second = WorkflowStorage(file)
    again = await flow.get_run("r", storage=second)
    assert await again.resume(10) == 11
    assert calls == ["work", "ask", "ask"]
    await second.close()


async def test_an_answer_that_does_not_fit_leaves_the_question_open(
    storage: WorkflowStorage,
) -> None:
    class Amount(BaseModel):
        amount: int = Field(ge=1)
        unit: Literal["kg", "g"] = "kg"

    @step
    async def ask(value: int, context: StepContext) -> str:
        given = context.suspend(Amount)
        return f"{given.amount} {given.unit}"

    run = begin(output=str).then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    before = await run.snapshot()
    with pytest.raises(InvalidAnswer, match=r"amount.*(minimum|less than)") as caught:
        await run.resume({"amount": 0, "unit": "t"})
    assert "unit" in str(caught.value)
    with pytest.raises(InvalidAnswer, match="amount"):
        await run.resume({})
    assert await run.snapshot() == before
    assert await run.resume({"amount": 2}) == "2 kg"


@pytest.mark.parametrize("answer", [object(), "\ud800"], ids=["object", "surrogate"])
async def test_an_answer_that_cannot_be_kept_leaves_the_question_open(
    storage: WorkflowStorage, answer: object
) -> None:
    @step
    async def ask(value: int, context: StepContext) -> str:
        return context.suspend(str)

    run = begin(output=str).then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    with pytest.raises(InvalidAnswer, match="cannot be written as JSON"):
        await run.resume(answer)
    assert await run.resume("yes") == "yes"


async def test_an_empty_answer_takes_the_defaults(storage: WorkflowStorage) -> None:
    class Options(BaseModel):
        note: str = "none"
        copies: int = 3

    @step
    async def ask(value: int, context: StepContext) -> str:
        given = context.suspend(Options)
        return f"{given.note} {given.copies}"

    run = begin(output=str).then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    assert await run.resume({}) == "none 3"


@pytest.mark.parametrize(
    ("schema", "answer"),
    [(bool, False), (int, 0), (str, ""), (None, None), (list[int], [])],
    ids=str,
)
async def test_what_is_falsy_is_an_answer(
    storage: WorkflowStorage, schema: Any, answer: object
) -> None:
    @step
    async def ask(value: int, context: StepContext) -> str:
        return repr(context.suspend(schema))

    run = begin(output=str).then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    assert await run.resume(answer) == repr(answer)


async def test_an_answer_that_only_the_validator_refuses_opens_the_question_again(
    storage: WorkflowStorage,
) -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("only even numbers will do")
        return value

    asked = TypeAdapter(Annotated[int, AfterValidator(even)])
    entered: list[int] = []

    @step
    async def ask(value: int, context: StepContext) -> int:
        entered.append(context.attempt)
        return context.suspend(asked, reason="How many?")

    run = begin().then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    (question,) = await asks(run.resume(3))
    assert question.reason.startswith("How many?")
    assert "only even numbers will do" in question.reason
    snapshot = await run.snapshot()
    assert (snapshot.status, len(snapshot.questions)) == ("suspended", 1)
    (again,) = await asks(run.resume(5))
    assert again.reason.count("did not fit") == 1
    assert await run.resume(4) == 4
    assert entered == [1, 2, 3, 4]


async def test_two_questions_of_one_step_are_asked_one_after_the_other(
    storage: WorkflowStorage,
) -> None:
    entered: list[int] = []

    @step
    async def ask(value: int, context: StepContext) -> str:
        entered.append(context.attempt)
        who = context.suspend(str, reason="Who?", key="who")
        what = context.suspend(str, reason="What?", key="what")
        return f"{who} {what}"

    run = begin(output=str).then(ask).commit().create_run(storage=storage)
    (first,) = await asks(run.start(1))
    assert (first.key, first.reason) == ("who", "Who?")
    with pytest.raises(NotSuspended, match="open are: ask"):
        await run.resume("x", key="what")
    (second,) = await asks(run.resume("Ada"))
    assert (second.key, second.reason) == ("what", "What?")
    assert await run.resume("tea", key="what") == "Ada tea"
    assert entered == [1, 2, 3]


async def test_a_second_question_of_one_step_needs_a_key(storage: WorkflowStorage) -> None:
    @step
    async def ask(value: int, context: StepContext) -> int:
        return context.suspend(int) + context.suspend(int)

    run = begin().then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    with pytest.raises(WorkflowFailed, match="a key=") as caught:
        await run.resume(1)
    assert isinstance(caught.value.__cause__, DefinitionError)


async def test_of_two_answers_at_once_one_counts(storage: WorkflowStorage, calls: Calls) -> None:
    flow = begin().then(asking(calls)).then(working(calls, "behind")).commit()
    run = flow.create_run("r", storage=storage)
    await asks(run.start(1))
    one, other = await flow.get_run("r", storage=storage), await flow.get_run("r", storage=storage)
    outcomes = await asyncio.gather(one.resume(10), other.resume(20), return_exceptions=True)
    assert sum(isinstance(outcome, NotSuspended) for outcome in outcomes) == 1
    (output,) = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert output in (11, 21)
    assert (await run.snapshot()).result == output
    assert calls.count_of("behind") == 1
    assert calls.count_of("ask") == 2


async def test_an_answer_that_nobody_waits_for_is_refused_with_what_is_open(
    storage: WorkflowStorage, calls: Calls
) -> None:
    flow = begin().then(working(calls)).then(asking(calls)).commit()
    run = flow.create_run("r", storage=storage)
    with pytest.raises(RunNotFound, match="no run r"):
        await run.resume(1)
    await asks(run.start(1))
    before = await run.snapshot()
    with pytest.raises(NotSuspended, match="open are: ask"):
        await run.resume(1, path="work")
    with pytest.raises(UnknownPath, match=r"nothing is on record at 'nowhere'.*open are: ask"):
        await run.resume(1, path="nowhere")
    assert await run.snapshot() == before
    assert await run.resume(1, path="ask") == 2
    ended = await run.snapshot()
    with pytest.raises(RunEnded, match="success"):
        await run.resume(1)
    assert await run.snapshot() == ended


async def test_an_answer_to_a_run_that_sleeps_is_refused(file: Path) -> None:
    clock = TurnedClock()
    storage = WorkflowStorage(file, clock=clock)
    run = begin().sleep(HOUR).commit().create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await until_status(run, "sleeping")
    with pytest.raises(NotSuspended, match="no question of it is open"):
        await run.resume(1)
    await clock.until_asleep()
    clock.turn(HOUR)
    assert await task == 1
    await storage.close()


# How a step asks


async def test_a_steps_own_except_does_not_swallow_the_question(storage: WorkflowStorage) -> None:
    @step
    async def careful(value: int, context: StepContext) -> int:
        try:
            return context.suspend(int)
        except Exception:
            return -1

    run = begin().then(careful).commit().create_run(storage=storage)
    await asks(run.start(1))
    assert await run.resume(5) == 5


async def test_a_synchronous_step_asks_from_its_thread(storage: WorkflowStorage) -> None:
    threads: list[int] = []

    @step
    def ask(value: int, context: StepContext) -> int:
        threads.append(threading.get_ident())
        try:
            return context.suspend(int) + value
        except Exception:
            return -1

    run = begin().then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    assert await run.resume(5) == 6
    assert threading.get_ident() not in threads
    assert len(threads) == 2


@pytest.mark.parametrize("nested", [False, True], ids=["one group", "group in a group"])
async def test_a_question_inside_a_task_group_of_the_steps_own(
    storage: WorkflowStorage, nested: bool
) -> None:
    cancelled: list[str] = []

    @step
    async def ask(value: int, context: StepContext) -> int:
        async def beside() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(context.path)
                raise

        async def asks_here() -> int:
            await asyncio.sleep(0)
            return context.suspend(int)

        async def asks_deeper() -> int:
            async with asyncio.TaskGroup() as inner:
                asked = inner.create_task(asks_here())
            return asked.result()

        async with asyncio.TaskGroup() as group:
            other = group.create_task(beside())
            asked = group.create_task(asks_deeper() if nested else asks_here())
            answer = await asked
            other.cancel()
        return answer + value

    run = begin().then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    assert cancelled == ["ask"]
    assert await run.resume(5) == 6


async def test_a_question_of_a_step_with_a_timeout(storage: WorkflowStorage) -> None:
    @step(timeout=MINUTE)
    async def ask(value: int, context: StepContext) -> int:
        return context.suspend(int) + value

    run = begin().then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    assert await run.resume(5) == 6


async def test_asking_uses_up_no_attempt_and_an_answer_holds_for_all(
    storage: WorkflowStorage,
) -> None:
    at_once = RetryPolicy(max_attempts=3, initial_delay=0 * HOUR)
    entered: list[int] = []

    @step(retry=at_once)
    async def ask(value: int, context: StepContext) -> int:
        entered.append(context.attempt)
        answer = context.suspend(int)
        if len(entered) < 4:
            raise OSError("not yet")
        return answer

    run = begin().then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    assert await run.resume(5) == 5
    attempts = (await run.snapshot()).attempts("ask")
    assert [a.status for a in attempts] == ["suspended", "failed", "failed", "success"]


async def test_attempts_that_failed_before_the_question_count_after_it(
    storage: WorkflowStorage,
) -> None:
    at_once = RetryPolicy(max_attempts=2, initial_delay=0 * HOUR)

    @step(retry=at_once)
    async def ask(value: int, context: StepContext) -> int:
        if context.attempt == 1:
            raise OSError("first")
        context.suspend(int)
        raise OSError("after the answer")

    run = begin().then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    with pytest.raises(WorkflowFailed, match="after the answer"):
        await run.resume(5)
    attempts = (await run.snapshot()).attempts("ask")
    assert [a.status for a in attempts] == ["failed", "suspended", "failed"]


async def test_a_run_that_failed_after_the_answer_is_not_asked_again(
    storage: WorkflowStorage, calls: Calls
) -> None:
    is_broken = True

    @step
    async def behind(value: int) -> int:
        if is_broken:
            raise OSError("broken")
        return value

    run = begin().then(asking(calls)).then(behind).commit().create_run(storage=storage)
    await asks(run.start(1))
    with pytest.raises(WorkflowFailed, match="broken"):
        await run.resume(5)
    is_broken = False
    assert await run.recover() == 6
    assert calls == ["ask", "ask"]


@pytest.mark.parametrize(
    "payload", [object(), {"inside": [object()]}, "\ud800"], ids=["object", "deeper", "surrogate"]
)
async def test_a_payload_that_cannot_be_kept_fails_the_step_that_asked(
    storage: WorkflowStorage, payload: object
) -> None:
    @step
    async def ask(value: int, context: StepContext) -> int:
        return context.suspend(int, payload=payload)

    run = begin().then(ask).commit().create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="cannot be written as JSON") as caught:
        await run.start(1)
    assert caught.value.path == "ask"
    assert (await run.snapshot()).questions == ()


# Arms


async def test_two_arms_ask_and_each_is_answered_for_itself(
    storage: WorkflowStorage, calls: Calls
) -> None:
    flow = (
        begin(output=tuple[int, int, int])
        .parallel(asking(calls, "a"), asking(calls, "b"), working(calls, "c"))
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert paths(await asks(run.start(1))) == ["a", "b"]
    with pytest.raises(AmbiguousAnswer, match="a, b: say which with path="):
        await run.resume(1)
    assert paths(await asks(run.resume(10, path="a"))) == ["b"]
    snapshot = await run.snapshot()
    assert snapshot.status == "suspended"
    assert paths(snapshot.questions) == ["b"]
    assert snapshot.step_results["a"].output == 11
    assert await run.resume(20) == (11, 21, 1)
    assert {path: calls.count_of(path) for path in "abc"} == {"a": 2, "b": 2, "c": 1}


async def test_an_arm_may_ask_inside_a_workflow_of_its_own(
    storage: WorkflowStorage, calls: Calls
) -> None:
    inner = begin("inner").then(working(calls, "first")).then(asking(calls)).commit()
    flow = begin(output=tuple[int, int]).parallel(inner, asking(calls, "b")).commit()
    run = flow.create_run(storage=storage)
    assert sorted(paths(await asks(run.start(1)))) == ["b", "inner/ask"]
    await asks(run.resume(5, path="inner/ask"))
    assert await run.resume(6) == (6, 7)
    assert calls.count_of("inner/first") == 1


async def test_a_failed_arm_withdraws_the_question_of_the_other(
    storage: WorkflowStorage, calls: Calls
) -> None:
    asked = asyncio.Event()
    is_broken = True

    @step
    async def fails(value: int) -> int:
        if is_broken:
            await asked.wait()
            raise OSError("broken")
        return value

    @step
    async def ask(value: int, context: StepContext) -> int:
        calls.append(context.path)
        asked.set()
        return context.suspend(int)

    run = begin(output=tuple[int, int]).parallel(fails, ask).commit().create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="broken") as caught:
        await run.start(1)
    assert caught.value.path == "fails"
    snapshot = await run.snapshot()
    assert (snapshot.status, snapshot.questions) == ("failed", ())
    assert snapshot.step_results["ask"].status == "interrupted"
    with pytest.raises(RunEnded):
        await run.resume(1)
    is_broken = False
    assert paths(await asks(run.recover())) == ["ask"]  # asked anew
    assert await run.resume(7) == (1, 7)


async def test_an_arm_that_would_ask_beside_a_failed_one_is_not_heard(
    storage: WorkflowStorage, calls: Calls
) -> None:
    failed = asyncio.Event()

    @step
    async def fails(value: int) -> int:
        try:
            raise OSError("broken")
        finally:
            failed.set()

    @step
    async def asks_late(value: int, context: StepContext) -> int:
        await failed.wait()
        for _ in range(5):
            await asyncio.sleep(0.01)
        return context.suspend(int)

    flow = begin(output=tuple[int, int]).parallel(fails, asks_late).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="broken"):
        await run.start(1)
    assert (await run.snapshot()).step_results["asks-late"].status == "interrupted"


async def test_a_collected_failure_leaves_the_question_of_the_other_open(
    storage: WorkflowStorage, calls: Calls
) -> None:
    @step
    async def fails(value: int) -> int:
        raise OSError("broken")

    flow = (
        begin(output=str)
        .parallel(fails, asking(calls), on_error="collect")
        .map(str, output_schema=str)
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert paths(await asks(run.start(1))) == ["ask"]
    assert "broken" in await run.resume(7)


async def test_an_answer_while_another_arm_is_at_work_loses_nothing_of_it(
    storage: WorkflowStorage, calls: Calls
) -> None:
    goes_on = asyncio.Event()

    @step
    async def busy(value: int, context: StepContext) -> int:
        calls.append(context.path)
        await goes_on.wait()
        return value

    flow = begin(output=tuple[int, int]).parallel(asking(calls), busy).commit()
    run = flow.create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    await until(lambda: "busy" in calls and "ask" in calls, "both arms are at work")
    other = await flow.get_run("r", storage=storage)
    await until_asked(run)
    answered = asyncio.create_task(other.resume(10))
    await until(lambda: calls.count_of("ask") == 2, "the answer reached the running walk")
    assert (await run.snapshot()).status == "running"
    goes_on.set()
    assert await task == (11, 1)
    assert await answered == (11, 1)
    assert calls.count_of("busy") == 1
    assert len((await run.snapshot()).attempts("busy")) == 1


async def test_no_more_arms_than_the_limit_ask_at_once(
    storage: WorkflowStorage, calls: Calls
) -> None:
    arms = [asking(calls, id) for id in "abc"]
    flow = begin(output=tuple[int, int, int]).parallel(*arms, limit=2).commit()
    run = flow.create_run(storage=storage)
    assert paths(await asks(run.start(0))) == ["a", "b"]
    assert paths(await asks(run.resume(1, path="a"))) == ["b", "c"]
    await asks(run.resume(3, path="c"))
    assert await run.resume(2) == (1, 2, 3)


async def test_a_failed_item_withdraws_the_questions_of_the_others(
    storage: WorkflowStorage, calls: Calls
) -> None:
    @step
    async def item(value: int, context: StepContext) -> int:
        if value == 2:
            raise OSError("broken")
        return context.suspend(int)

    flow = begin(input=list[int], output=list[int]).foreach(item, concurrency=3).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="broken") as caught:
        await run.start([0, 1, 2, 3])
    assert caught.value.path == "item[2]"
    snapshot = await run.snapshot()
    assert snapshot.questions == ()
    assert "item[3]" not in snapshot.step_results


async def test_a_failed_arm_withdraws_questions_however_deep(
    storage: WorkflowStorage, calls: Calls
) -> None:
    asked = asyncio.Barrier(3)

    @step
    async def fails(value: int) -> int:
        await asked.wait()
        raise OSError("broken")

    @step
    async def ask(value: int, context: StepContext) -> int:
        await asked.wait()
        return context.suspend(int)

    pair = begin("pair").parallel(ask, ask.with_id("b")).map(sum, output_schema=int).commit()
    inner = begin("inner").then(pair).commit()
    flow = begin().parallel(inner, fails).map(sum, output_schema=int).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="broken"):
        await run.start(1)
    snapshot = await run.snapshot()
    assert snapshot.questions == ()
    assert {r.status for r in snapshot.step_results.values()} == {"failed", "interrupted"}


async def test_a_question_beside_a_retry_that_is_far_off(file: Path, calls: Calls) -> None:
    clock = TurnedClock()
    storage = WorkflowStorage(file, clock=clock)

    @step(retry=RetryPolicy(max_attempts=2, initial_delay=MINUTE, jitter=0))
    async def shaky(value: int, context: StepContext) -> int:
        if context.attempt == 1:
            raise OSError("once")
        return value

    flow = begin(output=tuple[int, int]).parallel(shaky, asking(calls)).commit()
    run = flow.create_run(storage=storage)
    await asks(run.start(1))
    assert (await run.snapshot()).wake_at == clock.now() + MINUTE
    task = asyncio.create_task(run.resume(5))
    await until_status(run, "sleeping")
    await clock.until_asleep()
    clock.turn(MINUTE)
    assert await task == (1, 6)
    await storage.close()


# Iterations and items


async def test_every_iteration_asks_for_itself(storage: WorkflowStorage, calls: Calls) -> None:
    flow = begin().do_until(asking(calls), lambda n: n >= 30).commit()
    run = flow.create_run(storage=storage)
    assert paths(await asks(run.start(0))) == ["ask[0]"]
    assert paths(await asks(run.resume(5))) == ["ask[1]"]
    (third,) = await asks(run.resume(10))
    assert (third.path, third.reason) == ("ask[2]", "How much more than 15?")
    assert await run.resume(15) == 30
    results = (await run.snapshot()).step_results
    assert [(results[f"ask[{n}]"].input, results[f"ask[{n}]"].output) for n in range(3)] == [
        (0, 5),
        (5, 15),
        (15, 30),
    ]
    assert calls == [path for n in range(3) for path in [f"ask[{n}]"] * 2]


async def test_a_loop_over_a_workflow_that_asks(storage: WorkflowStorage, calls: Calls) -> None:
    @step
    async def increment(value: int, context: StepContext) -> int:
        calls.append(context.path)
        return value + 1

    body = begin("body").then(increment).then(asking(calls)).commit()
    flow = begin().then(working(calls, "first")).do_until(body, lambda n: n > 20).commit()
    run = flow.create_run(storage=storage)
    assert paths(await asks(run.start(0))) == ["body[0]/ask"]
    assert paths(await asks(run.resume(2))) == ["body[1]/ask"]
    assert await run.resume(21) == 25
    assert calls.count_of("first") == 1
    assert [calls.count_of(f"body[{n}]/increment") for n in range(2)] == [1, 1]


async def test_items_that_ask_fill_the_window_and_are_answered_by_path(
    storage: WorkflowStorage, calls: Calls
) -> None:
    flow = (
        begin(input=list[int], output=list[int])
        .foreach(asking(calls, "item", at_least=2), concurrency=2)
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert paths(await asks(run.start([1, 2, 3, 4, 5]))) == ["item[1]", "item[2]"]
    assert calls == ["item[0]", "item[1]", "item[2]"]
    snapshot = await run.snapshot()
    assert snapshot.status == "suspended"
    assert paths(snapshot.questions) == ["item[1]", "item[2]"]
    calls.clear()
    assert sorted(paths(await asks(run.resume(10, path="item[2]")))) == ["item[1]", "item[3]"]
    assert calls == ["item[2]", "item[3]"]
    await asks(run.resume(10, path="item[1]"))
    await asks(run.resume(10, path="item[3]"))
    assert await run.resume(10) == [1, 12, 13, 14, 15]
    assert {f"item[{n}]": calls.count_of(f"item[{n}]") for n in range(5)} == {
        "item[0]": 0,
        "item[1]": 1,
        "item[2]": 1,
        "item[3]": 2,
        "item[4]": 2,
    }


async def test_recovering_a_run_that_waits_asks_nothing_anew(
    storage: WorkflowStorage, calls: Calls
) -> None:
    run = begin().then(asking(calls)).commit().create_run(storage=storage)
    first = await asks(run.start(1))
    assert await asks(run.recover()) == first
    assert calls == ["ask"]
    assert await run.resume(3) == 4


def test_what_is_raised_names_the_questions() -> None:
    from wrkflw_tui import Question

    error = WorkflowSuspended("r", [Question("ask", "answer", "", "Send?")])
    assert str(error) == "run r waits for: ask: Send?"
