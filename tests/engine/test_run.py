"""Runs: the scenarios of a sequence, of failing, of timeouts and of being cancelled."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, ValidationError

from wrkflw_tui import (
    GiveUp,
    InvalidInput,
    RetryPolicy,
    RunAlreadyClaimed,
    RunAlreadyStarted,
    RunEnded,
    RunNotFound,
    StepContext,
    StepTimeout,
    UnstorableValue,
    WorkflowCancelled,
    WorkflowFailed,
    create_step,
    create_workflow,
    step,
)
from wrkflw_tui.store.claims import Claim, release

if TYPE_CHECKING:
    from wrkflw_tui import Workflow, WorkflowStorage

AT_ONCE = timedelta(0)


class Order(BaseModel):
    item: str
    count: int = 1


@step
async def add_one(value: int) -> int:
    return value + 1


@step
def double(value: int) -> int:
    return value * 2


def chain(*ids: str) -> Workflow[int, int]:
    builder = create_workflow(id="chain", input_schema=int, output_schema=int)
    for id in ids:
        builder = builder.then(add_one.with_id(id))
    return builder.commit()


# A sequence


async def test_one_step_is_on_record_with_input_and_output(storage: WorkflowStorage) -> None:
    run = chain("one").create_run(storage=storage)
    assert await run.start(1) == 2
    snapshot = await run.snapshot()
    assert snapshot.status == "success"
    assert (snapshot.input_data, snapshot.result) == (1, 2)
    (result,) = snapshot.step_results.values()
    assert (result.path, result.kind, result.status, result.attempt) == (
        "one",
        "step",
        "success",
        1,
    )
    assert (result.input, result.output) == (1, 2)
    assert result.finished_at is not None
    assert snapshot.created_at <= result.started_at <= result.finished_at <= snapshot.updated_at
    assert snapshot.run.steps_done == snapshot.run.steps_total == 1
    assert snapshot.execution_path == ()


async def test_the_second_steps_input_is_the_firsts_output(storage: WorkflowStorage) -> None:
    flow = (
        create_workflow(id="w", input_schema=int, output_schema=str)
        .then(add_one)
        .then(double)
        .map(lambda n: f"it is {n}", output_schema=str)
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(3) == "it is 8"
    snapshot = await run.snapshot()
    results = list(snapshot.step_results.values())
    assert [(r.path, r.input, r.output) for r in results] == [
        ("add-one", 3, 4),
        ("double", 4, 8),
        ("map-1", 8, "it is 8"),
    ]
    assert [(r.order, r.ended) for r in results] == [(1, 2), (3, 4), (5, 6)]


async def test_a_nested_workflow_has_a_row_of_its_own(storage: WorkflowStorage) -> None:
    inner = create_workflow(id="inner", input_schema=int, output_schema=int).then(double).commit()
    flow = (
        create_workflow(id="outer", input_schema=int, output_schema=int)
        .then(add_one)
        .then(inner)
        .then(add_one.with_id("last"))
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(1) == 5
    snapshot = await run.snapshot()
    assert {path: (r.kind, r.output) for path, r in snapshot.step_results.items()} == {
        "add-one": ("step", 2),
        "inner": ("workflow", 4),
        "inner/double": ("step", 4),
        "last": ("step", 5),
    }
    assert snapshot.run.steps_done == snapshot.run.steps_total == 3


async def test_runs_started_together_are_independent(storage: WorkflowStorage) -> None:
    calls: list[int] = []

    @step
    async def note(value: int) -> int:
        calls.append(value)
        await asyncio.sleep(0)
        return value * 10

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(note).commit()
    runs = [flow.create_run(storage=storage) for _ in range(3)]
    outputs = await asyncio.gather(*(run.start(n) for n, run in enumerate(runs)))
    assert outputs == [0, 10, 20]
    assert sorted(calls) == [0, 1, 2]
    assert len({run.run_id for run in runs}) == 3
    for n, run in enumerate(runs):
        snapshot = await run.snapshot()
        assert (snapshot.input_data, snapshot.result) == (n, n * 10)


async def test_a_given_id_is_used_and_cannot_be_started_again(storage: WorkflowStorage) -> None:
    calls: list[int] = []

    @step
    async def note(value: int) -> int:
        calls.append(value)
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(note).commit()
    first = flow.create_run("mine", storage=storage)
    assert first.run_id == "mine"
    await first.start(1)
    before = await first.snapshot()
    with pytest.raises(RunAlreadyStarted, match="mine"):
        await first.start(2)
    with pytest.raises(RunAlreadyStarted, match="mine"):
        await flow.create_run("mine", storage=storage).start(3)
    assert calls == [1]
    assert await first.snapshot() == before


async def test_of_two_starts_of_one_id_at_once_one_executes(storage: WorkflowStorage) -> None:
    runs = [chain("one").create_run("mine", storage=storage) for _ in range(2)]
    outcomes = await asyncio.gather(*(run.start(1) for run in runs), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["RunAlreadyStarted", "int"]


async def test_an_id_is_made_that_sorts_by_time(storage: WorkflowStorage) -> None:
    ids: list[str] = []
    for _ in range(2):
        run = chain("one").create_run(storage=storage)
        await run.start(1)
        assert run.run_id is not None
        ids.append(run.run_id)
    assert all(id[14] == "7" for id in ids)


async def test_bad_workflow_input_raises_before_anything_is_on_record(
    storage: WorkflowStorage,
) -> None:
    @step
    async def count(order: Order) -> int:
        return order.count

    flow = create_workflow(id="w", input_schema=Order, output_schema=int).then(count).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(InvalidInput, match=r"'w' does not fit(.|\n)*item"):
        await run.start({"count": 3})  # pyright: ignore[reportArgumentType] - wrong on purpose
    assert await storage.list_runs() == []
    with pytest.raises(RunNotFound):
        await run.snapshot()
    assert await run.start({"item": "x"}) == 1  # pyright: ignore[reportArgumentType] - plain data that fits
    assert (await run.snapshot()).input_data == {"item": "x", "count": 1}


async def test_the_configured_file_is_used_where_no_storage_is_given(
    file: object, monkeypatch: pytest.MonkeyPatch, storage: WorkflowStorage
) -> None:
    from wrkflw_tui.engine import defaults

    monkeypatch.setattr(defaults, "storage_factory", lambda: storage)
    run = chain("one").create_run()
    await run.start(1)
    assert (await storage.load_snapshot(run.run_id)).status == "success"


async def test_nothing_is_written_before_the_start(storage: WorkflowStorage) -> None:
    run = chain("one").create_run(storage=storage)
    with pytest.raises(RunNotFound):
        await run.snapshot()
    with pytest.raises(RunNotFound):
        await run.cancel()
    assert await storage.list_runs() == []


# What does not fit


async def test_bad_step_output_fails_the_step_without_a_retry(storage: WorkflowStorage) -> None:
    calls: list[int] = []

    def wrong(value: int) -> Any:
        calls.append(value)
        return {"item": "x", "count": "many"}

    bad = create_step(
        id="bad",
        input_schema=int,
        output_schema=Order,
        execute=wrong,
        retry=RetryPolicy(max_attempts=5, initial_delay=AT_ONCE),
    )
    flow = create_workflow(id="w", input_schema=int, output_schema=Order).then(bad).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="count") as caught:
        await run.start(1)
    assert caught.value.path == "bad"
    assert isinstance(caught.value.__cause__, ValidationError)
    assert calls == [1]
    snapshot = await run.snapshot()
    assert snapshot.status == "failed"
    error = snapshot.step_results["bad"].error
    assert error is not None
    assert error.type == "ValidationError"
    assert "count" in error.message


async def test_bad_step_input_fails_the_step_that_asked_for_it(storage: WorkflowStorage) -> None:
    called: list[object] = []

    class Strict(BaseModel):
        count: int
        colour: str

    @step
    async def ask(value: Strict) -> int:
        called.append(value)
        return value.count

    flow = (
        create_workflow(id="w", input_schema=Order, output_schema=int)
        .then(ask)  # pyright: ignore[reportArgumentType] - wrong on purpose
        .commit()
    )
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="colour") as caught:
        await run.start(Order(item="x"))
    assert caught.value.path == "ask"
    assert called == []
    result = (await run.snapshot()).step_results["ask"]
    assert (result.status, result.attempt, result.input) == (
        "failed",
        1,
        {"item": "x", "count": 1},
    )


@pytest.mark.parametrize("place", ["input", "output", "workflow input", "workflow output"])
async def test_a_validator_that_raises_what_it_likes_fails_the_run(
    storage: WorkflowStorage, place: str
) -> None:
    def broken(value: int) -> int:
        raise KeyError("from the validator")

    odd: Any = Annotated[int, AfterValidator(broken)]
    inner = create_workflow(
        id="inner",
        input_schema=odd if place == "workflow input" else int,
        output_schema=odd if place == "workflow output" else int,
    )
    inner = inner.then(
        create_step(
            id="one",
            input_schema=odd if place == "input" else int,
            output_schema=odd if place == "output" else int,
            execute=abs,
        )
    )
    flow = (
        create_workflow(id="w", input_schema=int, output_schema=int).then(inner.commit()).commit()
    )
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="from the validator"):
        await run.start(1)
    snapshot = await run.snapshot()
    assert snapshot.status == "failed"
    assert snapshot.step_results["inner"].status == "failed"
    with pytest.raises(InvalidInput):
        await inner_run(odd, storage)


async def inner_run(schema: object, storage: WorkflowStorage) -> None:
    flow = create_workflow(id="w", input_schema=schema, output_schema=int)  # pyright: ignore[reportArgumentType, reportCallIssue] - to a checker only a TypeAdapter may hold it
    await flow.then(add_one).commit().create_run(storage=storage).start(1)


async def test_a_model_with_more_fields_passes_where_fewer_are_asked_for(
    storage: WorkflowStorage,
) -> None:
    class Rich(Order):
        colour: str = "red"

    class OnlyCount(BaseModel):
        count: int

    @step
    async def make(value: int) -> Rich:
        return Rich(item="x", count=value)

    @step
    async def base(value: Order) -> Order:
        assert type(value) in (Order, Rich)
        return value

    @step
    async def fewer(value: OnlyCount) -> int:
        assert type(value) is OnlyCount
        return value.count

    flow = (
        create_workflow(id="w", input_schema=int, output_schema=int)
        .then(make)
        .then(base)
        .then(fewer)  # pyright: ignore[reportArgumentType] - the fields fit, the classes do not
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(5) == 5
    snapshot = await run.snapshot()
    assert snapshot.step_results["make"].output == {"item": "x", "count": 5, "colour": "red"}
    assert snapshot.step_results["base"].output == {"item": "x", "count": 5}


# Errors


async def test_an_error_keeps_its_name_message_causes_and_traceback(
    storage: WorkflowStorage,
) -> None:
    @step
    async def fails(value: int) -> int:
        try:
            return {}["absent"]
        except KeyError as cause:
            raise ConnectionError("no line") from cause

    inner = create_workflow(id="inner", input_schema=int, output_schema=int).then(fails).commit()
    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(inner).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match=r"inner/fails.*ConnectionError: no line") as caught:
        await run.start(1)
    assert caught.value.path == "inner/fails"
    assert caught.value.run_id == run.run_id
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert isinstance(caught.value.__cause__.__cause__, KeyError)
    snapshot = await run.snapshot()
    for path in ("inner/fails", "inner"):
        error = snapshot.step_results[path].error
        assert error is not None
        assert (error.type, error.message) == ("ConnectionError", "no line")
        assert 'raise ConnectionError("no line") from cause' in error.traceback
        assert error.cause is not None
        assert error.cause.type == "KeyError"
        assert 'return {}["absent"]' in error.cause.traceback
    assert snapshot.error is not None
    assert snapshot.error.path == "inner/fails"
    assert snapshot.error == caught.value.error.__class__(
        **{
            name: getattr(caught.value.error, name)
            for name in ("type", "message", "traceback", "cause")
        },
        path="inner/fails",
    )


async def test_a_failed_step_ends_the_run_and_later_ones_are_never_called(
    storage: WorkflowStorage,
) -> None:
    calls: list[int] = []

    @step
    def fails(value: int) -> int:
        raise SystemExit(3)

    @step
    def after(value: int) -> int:
        calls.append(value)
        return value

    flow = (
        create_workflow(id="w", input_schema=int, output_schema=int)
        .then(add_one)
        .then(fails)
        .then(after)
        .commit()
    )
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="SystemExit"):
        await run.start(1)
    snapshot = await run.snapshot()
    assert snapshot.status == "failed"
    assert list(snapshot.step_results) == ["add-one", "fails"]
    assert calls == []


async def test_a_map_that_raises_fails_at_its_path(storage: WorkflowStorage) -> None:
    flow = (
        create_workflow(id="w", input_schema=int, output_schema=float)
        .map(lambda n: 1 / n, output_schema=float, id="divide")
        .commit()
    )
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed) as caught:
        await run.start(0)
    assert caught.value.path == "divide"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert (await run.snapshot()).step_results["divide"].status == "failed"


async def test_an_error_whose_text_cannot_be_had_is_on_record_all_the_same(
    storage: WorkflowStorage,
) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("nothing to say")

    @step
    async def fails(value: int) -> int:
        raise Mute

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(fails).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="Mute"):
        await run.start(1)
    error = (await run.snapshot()).error
    assert error is not None
    assert error.type == "Mute"


async def test_a_circle_of_causes_is_cut(storage: WorkflowStorage) -> None:
    @step
    async def fails(value: int) -> int:
        one, two = ValueError("one"), ValueError("two")
        one.__cause__, two.__cause__ = two, one
        raise one

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(fails).commit()
    with pytest.raises(WorkflowFailed) as caught:
        await flow.create_run(storage=storage).start(1)
    assert caught.value.error.cause is not None
    assert caught.value.error.cause.message == "two"
    assert caught.value.error.cause.cause is None


async def test_an_output_that_would_not_read_back_fails_the_step(storage: WorkflowStorage) -> None:
    @step
    async def blob(value: int) -> bytes:
        return b"\xff\xfe"

    flow = create_workflow(id="w", input_schema=int, output_schema=bytes).then(blob).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed) as caught:
        await run.start(1)
    assert isinstance(caught.value.__cause__, UnstorableValue)
    assert (await run.snapshot()).step_results["blob"].status == "failed"


# Retries


def shaky(failures: int, policy: RetryPolicy | None, error: type[Exception] = OSError):
    calls: list[int] = []

    @step(id="shaky", retry=policy)
    async def shaky_step(value: int, context: StepContext) -> int:
        calls.append(context.attempt)
        if len(calls) <= failures:
            raise error(f"failure {len(calls)}")
        return value

    return shaky_step, calls


def policy(attempts: int, **more: Any) -> RetryPolicy:
    return RetryPolicy(max_attempts=attempts, initial_delay=AT_ONCE, **more)


async def test_a_step_is_tried_once_unless_a_policy_says_more(storage: WorkflowStorage) -> None:
    shaky_step, calls = shaky(1, None)
    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(shaky_step).commit()
    with pytest.raises(WorkflowFailed, match="failure 1"):
        await flow.create_run(storage=storage).start(1)
    assert calls == [1]


async def test_every_attempt_is_on_record_and_the_last_error_is_raised(
    storage: WorkflowStorage,
) -> None:
    shaky_step, calls = shaky(9, policy(3))
    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(shaky_step).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="failure 3"):
        await run.start(1)
    assert calls == [1, 2, 3]
    attempts = (await run.snapshot()).attempts("shaky")
    assert [(a.attempt, a.status, a.error and a.error.message) for a in attempts] == [
        (1, "failed", "failure 1"),
        (2, "failed", "failure 2"),
        (3, "failed", "failure 3"),
    ]


async def test_an_attempt_that_succeeds_ends_the_tries(storage: WorkflowStorage) -> None:
    shaky_step, calls = shaky(1, policy(3))
    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(shaky_step).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(7) == 7
    assert calls == [1, 2]
    assert (await run.snapshot()).step_results["shaky"].attempt == 2


async def test_each_attempt_gets_an_input_of_its_own(storage: WorkflowStorage) -> None:
    seen: list[Order] = []

    @step(retry=policy(2))
    async def spoils(order: Order) -> int:
        seen.append(order.model_copy())
        order.count = 99
        if len(seen) == 1:
            raise OSError("again")
        return order.count

    flow = create_workflow(id="w", input_schema=Order, output_schema=int).then(spoils).commit()
    given = Order(item="x")
    assert await flow.create_run(storage=storage).start(given) == 99
    assert seen == [Order(item="x"), Order(item="x")]
    assert given == Order(item="x")


@pytest.mark.parametrize(("own", "outer", "called"), [(2, 3, 2), (None, 3, 3), (3, 2, 3)])
async def test_the_steps_policy_beats_the_workflows(
    storage: WorkflowStorage, own: int | None, outer: int, called: int
) -> None:
    shaky_step, calls = shaky(9, None if own is None else policy(own))
    flow = (
        create_workflow(id="w", input_schema=int, output_schema=int, retry=policy(outer))
        .then(shaky_step)
        .commit()
    )
    with pytest.raises(WorkflowFailed):
        await flow.create_run(storage=storage).start(1)
    assert len(calls) == called


async def test_nested_policies_do_not_multiply(storage: WorkflowStorage) -> None:
    shaky_step, calls = shaky(9, policy(2))
    inner = (
        create_workflow(id="inner", input_schema=int, output_schema=int, retry=policy(4))
        .then(shaky_step)
        .commit()
    )
    flow = (
        create_workflow(id="w", input_schema=int, output_schema=int, retry=policy(3))
        .then(inner)
        .commit()
    )
    with pytest.raises(WorkflowFailed):
        await flow.create_run(storage=storage).start(1)
    assert len(calls) == 2


async def test_a_nested_step_without_a_policy_has_the_next_one_outward(
    storage: WorkflowStorage,
) -> None:
    shaky_step, calls = shaky(9, None)
    inner = create_workflow(id="inner", input_schema=int, output_schema=int).then(shaky_step)
    flow = (
        create_workflow(id="w", input_schema=int, output_schema=int, retry=policy(3))
        .then(inner.commit())
        .commit()
    )
    with pytest.raises(WorkflowFailed):
        await flow.create_run(storage=storage).start(1)
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("error", "options", "called"),
    [
        (GiveUp, {}, 1),
        (ValueError, {"give_up_on": (ValueError,)}, 1),
        (ValueError, {"retry_on": (OSError,)}, 1),
        (UnicodeError, {"give_up_on": (ValueError,)}, 1),
        (KeyError, {"give_up_on": (ValueError,)}, 3),
    ],
)
async def test_what_is_not_tried_again(
    storage: WorkflowStorage, error: type[Exception], options: dict[str, object], called: int
) -> None:
    shaky_step, calls = shaky(9, policy(3, **options), error)
    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(shaky_step).commit()
    with pytest.raises(WorkflowFailed):
        await flow.create_run(storage=storage).start(1)
    assert len(calls) == called


# Timeouts

SHORT = timedelta(milliseconds=20)


async def test_an_async_step_past_its_timeout_is_cancelled_and_tried_again(
    storage: WorkflowStorage,
) -> None:
    ended: list[int] = []

    @step(timeout=SHORT, retry=policy(2))
    async def slow(value: int, context: StepContext) -> int:
        try:
            await asyncio.Event().wait()
        finally:
            assert context.cancelled
            ended.append(context.attempt)
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(slow).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match=r"slow took longer than its timeout of 0\.02 s") as e:
        await run.start(1)
    assert isinstance(e.value.__cause__, StepTimeout)
    assert ended == [1, 2]
    attempts = (await run.snapshot()).attempts("slow")
    assert [(a.status, a.error and a.error.type) for a in attempts] == [
        ("failed", "StepTimeout")
    ] * 2


async def test_a_sync_step_past_its_timeout_is_told_so(storage: WorkflowStorage) -> None:
    told = threading.Event()

    @step(timeout=SHORT)
    def slow(value: int, context: StepContext) -> int:
        while not context.cancelled:
            threading.Event().wait(0.001)
        told.set()
        context.raise_if_cancelled()
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(slow).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed) as caught:
        await run.start(1)
    assert told.is_set()
    assert isinstance(caught.value.__cause__, StepTimeout)


async def test_a_sync_step_that_does_not_stop_is_left_behind(
    storage: WorkflowStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wrkflw_tui.engine.attempt.GRACE", SHORT)
    release_it = threading.Event()
    entered: list[int] = []

    @step(timeout=SHORT, retry=policy(2))
    def slow(value: int, context: StepContext) -> int:
        entered.append(context.attempt)
        if context.attempt == 1:
            release_it.wait()
            return -1
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(slow).commit()
    run = flow.create_run(storage=storage)
    try:
        assert await run.start(5) == 5
    finally:
        release_it.set()
    assert entered == [1, 2]
    attempts = (await run.snapshot()).attempts("slow")
    assert [(a.status, a.output) for a in attempts] == [("failed", None), ("success", 5)]


async def test_a_step_that_swallows_its_cancellation_still_times_out(
    storage: WorkflowStorage,
) -> None:
    @step(timeout=SHORT)
    async def stubborn(value: int) -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return value
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(stubborn).commit()
    with pytest.raises(WorkflowFailed) as caught:
        await flow.create_run(storage=storage).start(1)
    assert isinstance(caught.value.__cause__, StepTimeout)


async def test_a_steps_own_timeout_error_is_an_ordinary_error(storage: WorkflowStorage) -> None:
    @step(timeout=timedelta(minutes=1))
    async def impatient(value: int) -> int:
        raise TimeoutError("mine")

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(impatient).commit()
    with pytest.raises(WorkflowFailed, match="TimeoutError: mine") as caught:
        await flow.create_run(storage=storage).start(1)
    assert type(caught.value.__cause__) is TimeoutError


async def test_a_step_in_time_is_not_disturbed(storage: WorkflowStorage) -> None:
    @step(timeout=timedelta(minutes=1))
    async def quick(value: int) -> int:
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(quick).commit()
    assert await flow.create_run(storage=storage).start(1) == 1


# Cancelling


async def test_cancel_ends_an_async_step_and_the_run(storage: WorkflowStorage) -> None:
    entered = asyncio.Event()
    calls: list[str] = []

    @step
    async def waits(value: int) -> int:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            calls.append("cleaned")
        return value

    @step
    async def after(value: int) -> int:
        calls.append("after")
        return value

    inner = create_workflow(id="inner", input_schema=int, output_schema=int).then(waits).commit()
    flow = (
        create_workflow(id="w", input_schema=int, output_schema=int)
        .then(inner)
        .then(after)
        .commit()
    )
    run, other = flow.create_run(storage=storage), chain("one").create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await entered.wait()
    await other.start(1)
    await run.cancel()
    with suppress(RunEnded):
        await run.cancel()  # asked for once more, perhaps before it took effect
    with pytest.raises(WorkflowCancelled, match=run.run_id):
        await task
    assert calls == ["cleaned"]
    snapshot = await run.snapshot()
    assert snapshot.status == "cancelled"
    assert {p: r.status for p, r in snapshot.step_results.items()} == {
        "inner": "interrupted",
        "inner/waits": "interrupted",
    }
    assert snapshot.run.finished_at is not None
    assert (await other.snapshot()).status == "success"
    with pytest.raises(RunEnded):
        await run.cancel()
    assert (await run.snapshot()) == snapshot


async def test_the_callers_own_task_is_not_cancelled_with_the_run(
    storage: WorkflowStorage,
) -> None:
    @step
    async def cancels(value: int) -> int:
        await run.cancel()
        await asyncio.sleep(0)
        raise AssertionError("not reached")

    @step
    async def own_doing(value: int) -> int:
        raise asyncio.CancelledError

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(cancels).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowCancelled):
        await run.start(1)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    flow = create_workflow(id="w2", input_schema=int, output_schema=int).then(own_doing).commit()
    with pytest.raises(WorkflowFailed, match="CancelledError"):
        await flow.create_run(storage=storage).start(1)


async def test_cancel_leaves_the_thread_of_a_sync_step_behind(storage: WorkflowStorage) -> None:
    loop = asyncio.get_running_loop()
    entered = asyncio.Event()
    let_go = threading.Event()
    contexts: list[StepContext] = []

    @step
    def works(value: int, context: StepContext) -> int:
        contexts.append(context)
        loop.call_soon_threadsafe(entered.set)
        let_go.wait()
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(works).commit()
    run = flow.create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await entered.wait()
    await run.cancel()
    try:
        with pytest.raises(WorkflowCancelled):
            await task
        assert contexts[0].cancelled
        assert (await run.snapshot()).step_results["works"].status == "interrupted"
    finally:
        let_go.set()


async def test_a_cancelled_step_with_a_timeout_cleans_up_before_its_end_is_recorded(
    storage: WorkflowStorage,
) -> None:
    entered = asyncio.Event()
    status_at_clean_up: list[str] = []

    @step(timeout=timedelta(minutes=1))
    async def waits(value: int) -> int:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                await asyncio.sleep(0)
            status_at_clean_up.append((await run.snapshot()).status)
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(waits).commit()
    run = flow.create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await entered.wait()
    await run.cancel()
    with pytest.raises(WorkflowCancelled):
        await task
    assert status_at_clean_up == ["running"]


async def test_the_callers_own_cancellation_leaves_the_run_to_be_gone_on_with(
    storage: WorkflowStorage,
) -> None:
    entered = asyncio.Event()

    @step
    async def waits(value: int) -> int:
        entered.set()
        await asyncio.Event().wait()
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(waits).commit()
    run = flow.create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    snapshot = await run.snapshot()
    assert snapshot.status == "queued"
    assert snapshot.run.finished_at is None
    assert snapshot.step_results["waits"].status == "interrupted"


@pytest.mark.parametrize("own", [True, False], ids=["run.cancel", "task.cancel"])
async def test_a_cancel_while_the_end_is_written_comes_too_late(
    storage: WorkflowStorage, own: bool
) -> None:
    """Cancelled at every turn of the loop in which the last commit is under way."""
    for turns in range(12):
        last = asyncio.Event()

        @step
        async def ends(value: int, last: asyncio.Event = last) -> int:
            last.set()
            return value

        flow = create_workflow(id="w", input_schema=int, output_schema=int).then(ends).commit()
        run = flow.create_run(storage=storage)
        task = asyncio.create_task(run.start(1))
        await last.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.done():
            break
        if own:
            with suppress(RunEnded):
                await run.cancel()
        else:
            task.cancel()
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        status = (await run.snapshot()).status
        if own:
            expected = "success" if outcome == 1 else "cancelled"
            assert outcome == 1 or isinstance(outcome, WorkflowCancelled)
            assert status == expected
        else:
            assert isinstance(outcome, asyncio.CancelledError)
            assert status in ("success", "queued")


@pytest.mark.parametrize("fails", [True, False])
async def test_a_run_that_another_process_claimed_is_given_up(
    storage: WorkflowStorage, fails: bool
) -> None:
    @step
    async def loses(value: int, context: StepContext) -> int:
        await storage.database.write(
            lambda c: release(c, Claim(1, context.run_id, "w", 1), "crashed")
        )
        if fails:
            raise OSError("by then it was another's")
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(loses).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(RunAlreadyClaimed, match="another process"):
        await run.start(1)
    snapshot = await run.snapshot()
    assert snapshot.status == "queued"
    assert snapshot.step_results["loses"].status == "crashed"
