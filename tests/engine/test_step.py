"""Steps as they are defined, and called without an engine."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import pytest
from pydantic import BaseModel, TypeAdapter

from wrkflw_tui import (
    DefinitionError,
    RetryPolicy,
    Step,
    StepContext,
    StepNotRun,
    create_step,
    create_workflow,
    step,
)

if TYPE_CHECKING:
    from wrkflw_tui import WorkflowStorage


class UserId(BaseModel):
    user_id: str


class User(BaseModel):
    name: str


@step
async def fetch_user(request: UserId) -> User:
    """Fetch a user."""
    return User(name=f"user {request.user_id}")


def test_id_description_and_schemas_are_read_off_the_function() -> None:
    assert fetch_user.id == "fetch-user"
    assert fetch_user.description == "Fetch a user."
    assert fetch_user.input_schema.source is UserId
    assert fetch_user.output_schema.source is User
    assert repr(fetch_user) == "<Step fetch-user: UserId -> User>"


def test_leading_underscores_are_no_part_of_the_id() -> None:
    @step
    def _tidy_up(value: int) -> int:
        return value

    assert _tidy_up.id == "tidy-up"


def test_options_of_the_decorator() -> None:
    policy = RetryPolicy(max_attempts=5)

    @step(id="Other_id", description="said", retry=policy, timeout=timedelta(seconds=3))
    def some(value: int) -> int:
        """Not this."""
        return value

    assert (some.id, some.description) == ("Other_id", "said")
    assert some.retry is policy
    assert some.timeout == timedelta(seconds=3)


def test_annotations_as_strings_name_classes_of_the_callers_locals() -> None:
    class Local(BaseModel):
        n: int

    @step
    def one(value: Local) -> Local:
        return value

    @step(id="two")
    def other(value: Local) -> list[Local]:
        return [value]

    assert one.input_schema.source is Local
    assert other.output_schema.source == list[Local]


def test_an_unknown_name_in_an_annotation_is_named() -> None:
    with pytest.raises(DefinitionError, match="'Nowhere'"):

        @step
        def lost(value: Nowhere) -> int:  # noqa: F821  # pyright: ignore[reportUndefinedVariable] - wrong on purpose
            return 1


def test_a_missing_input_annotation_is_a_clear_error() -> None:
    with pytest.raises(DefinitionError, match=r"untyped needs a type on its parameter 'value'"):

        @step
        def untyped(value) -> int:
            return 1


def test_a_missing_return_annotation_is_a_clear_error() -> None:
    with pytest.raises(DefinitionError, match=r"untyped needs a return type"):

        @step
        def untyped(value: int):
            return 1


def test_a_step_without_a_parameter_is_refused() -> None:
    with pytest.raises(DefinitionError, match="must take its input"):
        step(lambda: 1)  # pyright: ignore[reportArgumentType, reportCallIssue] - wrong on purpose


@pytest.mark.parametrize(
    "function",
    [lambda a, b, c: 1, lambda a, *, needed: 1, lambda: 1],
    ids=["three", "keyword", "none"],
)
def test_a_function_of_another_shape_is_refused(function: object) -> None:
    with pytest.raises(DefinitionError, match="must take its input"):
        create_step(id="x", input_schema=int, output_schema=int, execute=function)  # pyright: ignore[reportArgumentType, reportCallIssue] - wrong on purpose


def test_a_second_parameter_with_a_default_is_not_the_context() -> None:
    @step
    def scaled(value: int, factor: int = 3) -> int:
        return value * factor

    assert not scaled.wants_context


@pytest.mark.parametrize("id", ["", "a b", "a/b", "a[0]", "é", "a.b"])
def test_an_invalid_id_is_refused(id: str) -> None:
    with pytest.raises(DefinitionError, match="no valid id"):
        create_step(id=id, input_schema=int, output_schema=int, execute=abs)
    with pytest.raises(DefinitionError, match="no valid id"):
        fetch_user.with_id(id)


def test_a_timeout_of_nothing_is_refused() -> None:
    with pytest.raises(DefinitionError, match="timeout"):
        step(timeout=timedelta(0))(fetch_user.function)


def test_a_type_that_cannot_be_validated_is_refused_where_it_is_defined() -> None:
    with pytest.raises(DefinitionError, match="Thread is no type that Pydantic can validate"):

        @step
        def odd(value: threading.Thread) -> int:
            return 1


def test_create_step_is_the_explicit_form() -> None:
    async def lookup(request: UserId) -> User:
        return User(name=request.user_id)

    made = create_step(
        id="fetch-user",
        description="said",
        input_schema=UserId,
        output_schema=User,
        execute=lookup,
        timeout=timedelta(seconds=1),
    )
    assert (made.id, made.description, made.is_async) == ("fetch-user", "said", True)


def test_schemas_may_be_none_or_an_adapter() -> None:
    one = create_step(
        id="a", input_schema=None, output_schema=TypeAdapter(int | str), execute=lambda _: 1
    )
    assert str(one.input_schema) == "None"
    assert one.output_schema.validate("x") == "x"

    @step
    def pick(value: Literal["a", "b"]) -> None: ...

    assert pick.input_schema.validate("a") == "a"
    assert pick.output_schema.validate(None) is None


async def test_an_awaited_call_runs_the_plain_function() -> None:
    assert await fetch_user(UserId(user_id="7")) == User(name="user 7")


async def test_a_synchronous_step_is_called_on_another_thread() -> None:
    @step
    def where(value: int) -> int:
        return threading.get_ident()

    assert await where(1) != threading.get_ident()


async def test_a_step_that_takes_a_context_must_be_given_one() -> None:
    @step
    def located(value: int, context: StepContext) -> str:
        return context.path

    with pytest.raises(TypeError, match="takes a StepContext"):
        await located(1)


def test_with_id_is_a_second_use_of_the_same_step() -> None:
    twin = fetch_user.with_id("again")
    assert twin.id == "again"
    assert twin.function is fetch_user.function
    assert fetch_user.id == "fetch-user"
    assert isinstance(twin, Step)


async def test_a_callable_object_is_a_step() -> None:
    class Doubler:
        async def __call__(self, value: int) -> int:
            return value * 2

    made = step(id="doubler")(Doubler())
    assert made.is_async
    assert made.input_schema.source is int
    assert await made(4) == 8


async def test_what_a_context_tells(storage: WorkflowStorage) -> None:
    seen: list[StepContext] = []

    @step
    def look(value: int, context: StepContext) -> int:
        seen.append(context)
        assert context.get_init_data(int) == 3
        return value

    inner = create_workflow(id="inner", input_schema=int, output_schema=int).then(look).commit()
    outer = create_workflow(id="outer", input_schema=int, output_schema=int).then(inner).commit()
    run = outer.create_run(storage=storage, run_id="r-1")
    await run.start(3)
    (context,) = seen
    assert (context.run_id, context.workflow_id, context.step_id) == ("r-1", "outer", "look")
    assert (context.path, context.attempt) == ("inner/look", 1)
    assert context.idempotency_key == "r-1/inner/look"
    assert not context.cancelled
    context.raise_if_cancelled()


async def test_the_idempotency_key_is_the_same_for_every_attempt(
    storage: WorkflowStorage,
) -> None:
    keys: list[str] = []
    attempts: list[int] = []

    @step(retry=RetryPolicy(max_attempts=3, initial_delay=timedelta(0)))
    async def shaky(value: int, context: StepContext) -> int:
        keys.append(context.idempotency_key)
        attempts.append(context.attempt)
        if context.attempt < 3:
            raise OSError("not yet")
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(shaky).commit()
    await flow.create_run(storage=storage).start(1)
    assert attempts == [1, 2, 3]
    assert len(set(keys)) == 1


async def test_results_of_other_steps_are_typed_and_found_outward(
    storage: WorkflowStorage,
) -> None:
    @step
    async def later(value: User) -> User:
        return value

    @step
    async def look(value: User, context: StepContext) -> str:
        with pytest.raises(StepNotRun, match="'later'"):
            context.get_step_result(later)
        return context.get_step_result(fetch_user).name

    @step
    async def after(value: str, context: StepContext) -> str:
        with pytest.raises(StepNotRun):
            context.get_step_result(look)  # it lies within the nested workflow
        return context.get_step_result(inner) + "!"

    inner = create_workflow(id="inner", input_schema=User, output_schema=str).then(look).commit()
    flow = (
        create_workflow(id="w", input_schema=UserId, output_schema=str)
        .then(fetch_user)
        .then(inner)
        .then(after)
        .commit()
    )
    assert await flow.create_run(storage=storage).start(UserId(user_id="7")) == "user 7!"
