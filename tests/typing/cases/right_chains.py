"""Must pass both checkers with no error and no cast."""

from datetime import timedelta
from typing import Annotated, Literal, assert_type

from pydantic import BaseModel, Field, TypeAdapter

from wrkflw_tui import (
    RetryPolicy,
    Step,
    StepContext,
    StepFailure,
    Workflow,
    WorkflowBuilder,
    WorkflowRun,
    WorkflowSnapshot,
    WorkflowStorage,
    create_step,
    create_workflow,
    step,
)


class UserId(BaseModel):
    user_id: str


class User(BaseModel):
    name: str


class Admin(User):
    level: int


class Letter(BaseModel):
    text: str


class Receipt(BaseModel):
    sent: bool


@step
async def fetch_user(request: UserId) -> User:
    return User(name=request.user_id)


@step
def fetch_admin(request: UserId) -> Admin:
    return Admin(name=request.user_id, level=1)


@step(retry=RetryPolicy(max_attempts=5), timeout=timedelta(seconds=30))
def send_letter(letter: Letter, context: StepContext) -> Receipt:
    user = context.get_step_result(fetch_user)
    assert_type(user, User)
    assert_type(context.get_init_data(UserId), UserId)
    assert_type(context.attempt, int)
    return Receipt(sent=bool(user.name))


@step(id="async-with-options")
async def with_options(letter: Letter, context: StepContext) -> Receipt:
    return Receipt(sent=bool(letter.text))


@step
async def nothing(value: None) -> None: ...


def to_letter(user: User) -> Letter:
    return Letter(text=user.name)


def to_letter_in_context(user: User, context: StepContext) -> Letter:
    return Letter(text=f"{user.name} {context.run_id}")


assert_type(fetch_user, Step[UserId, User])
assert_type(fetch_admin, Step[UserId, Admin])
assert_type(send_letter, Step[Letter, Receipt])
assert_type(with_options, Step[Letter, Receipt])
assert_type(nothing, Step[None, None])
assert_type(fetch_user.with_id("again"), Step[UserId, User])

builder = create_workflow(id="campaign", input_schema=UserId, output_schema=Receipt)
assert_type(builder, WorkflowBuilder[UserId, UserId, Receipt])
assert_type(builder.then(fetch_user), WorkflowBuilder[UserId, User, Receipt])

campaign = builder.then(fetch_user).map(to_letter).then(send_letter).commit()
assert_type(campaign, Workflow[UserId, Receipt])

by_lambda = (
    create_workflow(id="lambda", input_schema=UserId, output_schema=str)
    .then(fetch_user)
    .map(lambda user: user.name, output_schema=str)
    .commit()
)
assert_type(by_lambda, Workflow[UserId, str])

in_context = (
    create_workflow(id="context", input_schema=UserId, output_schema=Letter)
    .then(fetch_user)
    .map(to_letter_in_context, id="letter")
    .commit()
)
assert_type(in_context, Workflow[UserId, Letter])

# A subclass where the base is asked for: into the next step, into a map, and as the output.
narrowing = (
    create_workflow(id="narrowing", input_schema=UserId, output_schema=Letter)
    .then(fetch_admin)
    .map(to_letter)
    .commit()
)
as_output = (
    create_workflow(id="as-output", input_schema=UserId, output_schema=User)
    .then(fetch_admin)
    .commit()
)
assert_type(as_output, Workflow[UserId, User])


def takes_any_user(found: Step[UserId, User]) -> None: ...


def takes_admins(found: Step[Admin, Receipt]) -> None: ...


@step
def greet(user: User) -> Receipt:
    return Receipt(sent=True)


takes_any_user(fetch_admin)
takes_admins(greet)

# A workflow wherever a step is.
outer = (
    create_workflow(id="outer", input_schema=UserId, output_schema=bool)
    .then(campaign)
    .map(lambda receipt: receipt.sent, output_schema=bool)
    .commit()
)
assert_type(outer, Workflow[UserId, bool])

# No class: an adapter. Nothing at all: None.
Size = TypeAdapter(Annotated[int, Field(gt=0)])
Choice: TypeAdapter[Literal["a", "b"]] = TypeAdapter(Literal["a", "b"])
Either: TypeAdapter[User | Letter] = TypeAdapter(User | Letter)


def choose(size: int) -> Literal["a", "b"]:
    return "a" if size > 1 else "b"


def either(choice: Literal["a", "b"]) -> User | Letter:
    return User(name=choice) if choice == "a" else Letter(text=choice)


chosen = create_step(id="choose", input_schema=Size, output_schema=Choice, execute=choose)
assert_type(chosen, Step[int, Literal["a", "b"]])
one_of = create_step(id="either", input_schema=Choice, output_schema=Either, execute=either)
assert_type(one_of, Step[Literal["a", "b"], User | Letter])

adapted = (
    create_workflow(id="adapted", input_schema=Size, output_schema=Either)
    .then(chosen)
    .then(one_of)
    .commit()
)
assert_type(adapted, Workflow[int, User | Letter])


async def look_up(request: UserId) -> User:
    return User(name=request.user_id)


explicit = create_step(
    id="look-up", description="said", input_schema=UserId, output_schema=User, execute=look_up
)
assert_type(explicit, Step[UserId, User])


def now(_: None) -> str:
    return "now"


def forget(_: str) -> None: ...


started = create_step(id="now", input_schema=None, output_schema=str, execute=now)
assert_type(started, Step[None, str])
ended = create_step(id="forget", input_schema=str, output_schema=None, execute=forget)
assert_type(ended, Step[str, None])
both = (
    create_workflow(id="both", input_schema=None, output_schema=None)
    .then(started)
    .then(ended)
    .then(nothing)
    .commit()
)
assert_type(both, Workflow[None, None])


async def main() -> None:
    run = campaign.create_run(storage=WorkflowStorage("runs.db"))
    assert_type(run, WorkflowRun[UserId, Receipt])
    assert_type(await run.start(UserId(user_id="7")), Receipt)
    assert_type(await run.start(input_data=UserId(user_id="7")), Receipt)
    assert_type(await run.snapshot(), WorkflowSnapshot)
    await both.create_run().start(None)
    assert_type(await fetch_user(UserId(user_id="7")), User)
    assert_type(await fetch_admin(UserId(user_id="7")), Admin)


def look(context: StepContext) -> None:
    assert_type(context.get_step_result(campaign), Receipt)
    assert_type(context.get_step_result(one_of), User | Letter)
    assert_type(context.get_init_data(Size), int)


# Arms: a tuple of what each gives, a union where one is taken, a dict where several may be.
@step
def shout(user: User) -> str:
    return user.name.upper()


@step
def size(user: User) -> int:
    return len(user.name)


@step
def is_new(user: User) -> bool:
    return not user.name


def is_long(user: User) -> bool:
    return len(user.name) > 10


letter_flow = (
    create_workflow(id="letter-flow", input_schema=User, output_schema=Letter)
    .map(to_letter)
    .commit()
)
with_user = create_workflow(id="arms", input_schema=UserId, output_schema=str).then(fetch_user)
assert_type(
    with_user.parallel(shout, size), WorkflowBuilder[UserId, tuple[str, int], str]
)
assert_type(
    with_user.parallel(shout, letter_flow, is_new, limit=2, id="three"),
    WorkflowBuilder[UserId, tuple[str, Letter, bool], str],
)
eight = with_user.parallel(
    shout,
    size,
    is_new,
    letter_flow,
    shout.with_id("e"),
    size.with_id("f"),
    is_new.with_id("g"),
    greet,
)
assert_type(
    eight, WorkflowBuilder[UserId, tuple[str, int, bool, Letter, str, int, bool, Receipt], str]
)
assert_type(
    with_user.parallel(shout, size, on_error="collect"),
    WorkflowBuilder[UserId, tuple[str | StepFailure, int | StepFailure], str],
)
in_parallel = with_user.parallel(shout, size).map(
    lambda both: both[0] * both[1], output_schema=str
).commit()
assert_type(in_parallel, Workflow[UserId, str])

assert_type(
    with_user.branch((is_long, shout), (lambda user: user.name == "x", size)),
    WorkflowBuilder[UserId, str | int, str],
)
assert_type(
    with_user.branch((is_long, shout), otherwise=letter_flow),
    WorkflowBuilder[UserId, str | Letter, str],
)
assert_type(
    with_user.branch((is_long, shout), (is_long, size), (is_long, is_new), otherwise=greet),
    WorkflowBuilder[UserId, str | int | bool | Receipt, str],
)
by_branch = with_user.branch(
    (is_long, shout), (lambda user: not user.name, shout.with_id("again"))
).commit()
assert_type(by_branch, Workflow[UserId, str])
assert_type(
    with_user.branch_all((is_long, shout), (lambda user: not user.name, size), id="all"),
    WorkflowBuilder[UserId, dict[str, str | int], str],
)


# Items: a subclass where the base is asked for, a whole workflow as the body.
@step
def find_all(request: UserId) -> list[Admin]:
    return []


with_users = create_workflow(id="each", input_schema=UserId, output_schema=list[str]).then(find_all)
assert_type(with_users.foreach(shout), WorkflowBuilder[UserId, list[str], list[str]])
assert_type(with_users.foreach(shout, concurrency=8).commit(), Workflow[UserId, list[str]])
assert_type(
    with_users.foreach(letter_flow, id="letters"),
    WorkflowBuilder[UserId, list[Letter], list[str]],
)
assert_type(
    with_users.foreach(shout, on_error="collect"),
    WorkflowBuilder[UserId, list[str | StepFailure], list[str]],
)


# Loops.
@step
def grow(letter: Letter) -> Letter:
    return Letter(text=letter.text + "!")


def is_short(letter: Letter) -> bool:
    return len(letter.text) < 10


def went_round(letter: Letter, context: StepContext) -> bool:
    assert_type(context.iteration, int)
    return context.iteration > 3


looping = (
    create_workflow(id="looping", input_schema=Letter, output_schema=Letter)
    .do_while(grow, is_short)
    .do_until(grow.with_id("more"), went_round, max_iterations=5, id="rounds")
    .do_while(grow.with_id("again"), lambda letter: len(letter.text) < 20)
    .do_until(grow.with_id("last"), lambda letter, context: context.iteration == 2)
    .commit()
)
assert_type(looping, Workflow[Letter, Letter])


def look_at_items(context: StepContext, failure: StepFailure) -> None:
    assert_type(context.get_step_results(shout), list[str])
    assert_type(context.get_step_results(letter_flow), list[Letter])
    assert_type(failure.path, str)
