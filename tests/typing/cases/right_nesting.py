"""Workflows within workflows, handlers and options: must pass both checkers, with no cast."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypedDict, assert_type

from pydantic import BaseModel, TypeAdapter

from wrkflw_tui import (
    RetryPolicy,
    Step,
    StepContext,
    StepFailure,
    Workflow,
    WorkflowBuilder,
    create_step,
    create_workflow,
    step,
)


class User(BaseModel):
    name: str


class Admin(User):
    level: int


class Letter(BaseModel):
    text: str


class Problem(BaseModel):
    what: str


@step
async def write(user: User) -> Letter:
    return Letter(text=user.name)


@step
def promote(user: User) -> Admin:
    return Admin(name=user.name, level=1)


@step
def is_new(user: User) -> bool:
    return not user.name


# A handler: for the failure of a step or a workflow, itself a step or a workflow.
@step
def standard_letter(failure: StepFailure) -> Letter:
    return Letter(text=failure.path)


@step
async def tell(failure: StepFailure) -> Problem:
    return Problem(what=failure.path)


@step
def demoted(failure: StepFailure) -> User:
    return User(name=failure.path)


@step
def no_matter_what(failure: object) -> Letter:
    return Letter(text=str(failure))


@step
def say_nothing(failure: StepFailure) -> None: ...


letters = create_workflow(id="letters", input_schema=User, output_schema=Letter).then(write).commit()
handling = (
    create_workflow(id="handling", input_schema=StepFailure, output_schema=Letter)
    .then(standard_letter)
    .commit()
)
with_user = create_workflow(id="w", input_schema=User, output_schema=Letter)
Lettered = WorkflowBuilder[User, Letter, Letter]
assert_type(with_user.then(write, recover=standard_letter), Lettered)
assert_type(with_user.then(write, standard_letter), Lettered)
assert_type(with_user.then(write, recover=handling), Lettered)
assert_type(with_user.then(letters, recover=handling), Lettered)
assert_type(with_user.then(letters, recover=no_matter_what), Lettered)
assert_type(with_user.then(write, recover=None), Lettered)
assert_type(with_user.then(write, recover=standard_letter).commit(), Workflow[User, Letter])

# Another output than the step's: the next step must take both.
assert_type(with_user.then(write, recover=tell), WorkflowBuilder[User, Letter | Problem, Letter])
assert_type(with_user.then(write, recover=say_nothing), WorkflowBuilder[User, Letter | None, Letter])
recovered = (
    create_workflow(id="r", input_schema=User, output_schema=bool)
    .then(promote, recover=demoted)
    .then(is_new)
    .commit()
)
assert_type(recovered, Workflow[User, bool])
told = (
    with_user.then(write, recover=tell)
    .map(lambda it: it if isinstance(it, Letter) else Letter(text=it.what), output_schema=Letter)
    .commit()
)
assert_type(told, Workflow[User, Letter])

# A workflow as an arm, an item's body, a loop's body, and three levels down.
news = create_workflow(id="news", input_schema=User, output_schema=bool).then(is_new).commit()


def is_long(user: User) -> bool:
    return len(user.name) > 10


assert_type(
    with_user.parallel(letters, news, on_error="collect"),
    WorkflowBuilder[User, tuple[Letter | StepFailure, bool | StepFailure], Letter],
)
assert_type(
    with_user.branch((is_long, letters), (lambda user: not user.name, news), otherwise=promote),
    WorkflowBuilder[User, Letter | bool | Admin, Letter],
)
assert_type(
    with_user.branch_all((is_long, letters), (is_long, news)),
    WorkflowBuilder[User, dict[str, Letter | bool], Letter],
)
assert_type(with_user.branch((is_long, letters), otherwise=write), Lettered)

with_users = create_workflow(id="us", input_schema=list[User], output_schema=list[Letter])
assert_type(with_users.foreach(letters, concurrency=4).commit(), Workflow[list[User], list[Letter]])
assert_type(
    with_users.foreach(letters, on_error="collect", id="each"),
    WorkflowBuilder[list[User], list[Letter | StepFailure], list[Letter]],
)
each = create_workflow(id="e", input_schema=list[User], output_schema=list[Letter]).foreach(letters)
nested = (
    create_workflow(id="n", input_schema=list[list[User]], output_schema=list[list[Letter]])
    .foreach(each.commit())
    .commit()
)
assert_type(nested, Workflow[list[list[User]], list[list[Letter]]])


@step
def rename(user: User) -> User:
    return User(name=user.name + "!")


renaming = create_workflow(id="rn", input_schema=User, output_schema=User).then(rename).commit()
rounds = (
    create_workflow(id="rounds", input_schema=User, output_schema=User)
    .do_while(renaming, is_long)
    .do_until(renaming, lambda user, context: context.iteration > 2 and bool(user.name), id="until")
    .commit()
)
assert_type(rounds, Workflow[User, User])


# Options.
class Tally(BaseModel):
    count: int = 0


@dataclass
class Point:
    x: int


class Place(TypedDict):
    name: str


Counts: TypeAdapter[dict[str, int]] = TypeAdapter(dict[str, int])
full = create_workflow(
    id="full",
    input_schema=User,
    output_schema=Letter,
    description="With all of them.",
    retry=RetryPolicy(max_attempts=2),
    tags=("a", "b"),
    timeout=timedelta(hours=1),
    state_schema=Tally,
)
assert_type(full, WorkflowBuilder[User, User, Letter])
create_workflow(id="o", input_schema=User, output_schema=None, state_schema=Counts)
create_workflow(id="o", input_schema=None, output_schema=User, state_schema=Point, timeout=None)
create_workflow(id="o", input_schema=None, output_schema=None, state_schema=Place, tags=["a"])
create_workflow(id="o", input_schema=User, output_schema=User, state_schema=None)
create_workflow(id="o", input_schema=User, output_schema=User, state_schema=dict[str, int])


# Variance: what takes more, or gives less, stands in.
def takes_step(it: Step[Admin, User]) -> None: ...


def takes_workflow(it: Workflow[Admin, User]) -> None: ...


def takes_builder(it: WorkflowBuilder[User, User, Letter]) -> None: ...


promotion = create_workflow(id="p", input_schema=User, output_schema=Admin).then(promote).commit()
takes_step(promote)
takes_workflow(promotion)
takes_workflow(renaming)
takes_builder(with_user.then(promote))


@step
def names_of(users: Sequence[User]) -> list[str]:
    return [user.name for user in users]


@step
def keys_of(found: Mapping[str, Letter | bool]) -> list[str]:
    return list(found)


@step
def first_of(pair: tuple[Letter | bool, bool]) -> bool:
    return pair[1]


listing = (
    create_workflow(id="l", input_schema=list[Admin], output_schema=list[str])
    .then(names_of)
    .commit()
)
assert_type(listing, Workflow[list[Admin], list[str]])
assert_type(
    with_user.branch_all((is_long, letters), (is_long, news)).then(keys_of),
    WorkflowBuilder[User, list[str], Letter],
)
assert_type(
    with_user.parallel(letters, news).then(first_of), WorkflowBuilder[User, bool, Letter]
)


# A function of its own class, a method and a function with a default make steps too.
class Writer:
    def __call__(self, user: User) -> Letter:
        return Letter(text=user.name)

    async def slowly(self, user: User, context: StepContext) -> Letter:
        return Letter(text=f"{context.run_id} {user.name}")


def politely(user: User, greeting: str = "Dear") -> Letter:
    return Letter(text=f"{greeting} {user.name}")


assert_type(step(Writer()), Step[User, Letter])
assert_type(step(Writer().slowly), Step[User, Letter])
assert_type(
    create_step(id="c", input_schema=User, output_schema=Letter, execute=Writer().slowly),
    Step[User, Letter],
)
assert_type(step(politely), Step[User, Letter])

Choice: TypeAdapter[Literal["a", "b"]] = TypeAdapter(Literal["a", "b"])


def chosen(user: User) -> Literal["a", "b"]:
    return "a" if user.name else "b"


assert_type(
    with_user.map(chosen, output_schema=Choice), WorkflowBuilder[User, Literal["a", "b"], Letter]
)
assert_type(with_user.map(chosen), WorkflowBuilder[User, Literal["a", "b"], Letter])
assert_type(
    with_user.map(lambda user, context: f"{user.name} {context.attempt}", output_schema=str),
    WorkflowBuilder[User, str, Letter],
)
