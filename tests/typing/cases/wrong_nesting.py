"""Workflows within workflows, handlers and options that do not fit: each marked line must fail."""

from datetime import timedelta

from pydantic import BaseModel, TypeAdapter

from wrkflw_tui import (
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


@step
async def write(user: User) -> Letter:
    return Letter(text=user.name)


@step
def send(letter: Letter) -> bool:
    return bool(letter.text)


@step
def standard_letter(failure: StepFailure) -> Letter:
    return Letter(text=failure.path)


@step
def give_up(failure: StepFailure) -> int:
    return len(failure.path)


@step
def of_error(error: Exception) -> Letter:
    return Letter(text=str(error))


@step
def rename(user: User) -> User:
    return user


@step
def demote(admin: Admin) -> User:
    return admin


def not_a_step(failure: StepFailure) -> Letter:
    return Letter(text=failure.path)


def is_user(user: User) -> bool:
    return bool(user.name)


def name_of(user: User) -> str:
    return user.name


async def is_user_later(user: User) -> bool:
    return bool(user.name)


with_user = create_workflow(id="w", input_schema=User, output_schema=Letter)
letters = create_workflow(id="l", input_schema=User, output_schema=Letter).then(write).commit()
sending = create_workflow(id="s", input_schema=Letter, output_schema=bool).then(send).commit()
not_committed = create_workflow(id="n", input_schema=User, output_schema=Letter).then(write)
renaming = create_workflow(id="r", input_schema=User, output_schema=User).then(rename).commit()

# A handler takes a StepFailure; what it gives the next step, or the end, must take.
with_user.then(write, recover=write)  # E: StepFailure|overload
with_user.then(write, recover=letters)  # E: StepFailure|overload
with_user.then(write, recover=of_error)  # E: StepFailure|overload
with_user.then(write, recover=not_a_step)  # E: Runnable|overload
with_user.then(write, recover=lambda failure: failure.path)  # E: Runnable|overload
with_user.then(send, recover=standard_letter)  # E: Letter|overload
with_user.then(write, recover=give_up).commit()  # E: commit|_Commit
with_user.then(write, recover=give_up).then(send)  # E: int
with_user.then(letters, recover=give_up).then(sending)  # E: int
with_user.then(write, recover=standard_letter).then(rename)  # E: User

# A workflow that asks for another value, or gives another; or that is none yet.
with_user.then(not_committed)  # E: WorkflowBuilder|overload
with_user.then(letters.create_run())  # E: WorkflowRun|overload
with_user.parallel(letters, sending)  # E: Letter|overload
with_user.parallel(letters, not_committed)  # E: WorkflowBuilder|overload
with_user.parallel(letters)  # E: overload|argument
with_user.parallel(letters, write, limit="2")  # E: limit|overload
with_user.branch((is_user, sending))  # E: Letter|overload
with_user.branch((is_user, letters), otherwise=sending)  # E: Letter|overload
with_user.branch((is_user, not_committed))  # E: WorkflowBuilder|overload
with_user.branch(is_user, letters)  # E: tuple|overload
with_user.branch((letters, is_user))  # E: Workflow|overload
with_user.branch((name_of, letters))  # E: str|overload
with_user.branch((is_user_later, letters))  # E: Coroutine|overload
with_user.branch((is_user, letters), otherwise=renaming).then(send)  # E: User
with_user.branch_all((is_user, sending))  # E: Letter|overload
with_user.branch_all((is_user, letters), otherwise=letters)  # E: otherwise|overload
with_user.branch_all((is_user, letters)).then(sending)  # E: dict

with_users = create_workflow(id="us", input_schema=list[User], output_schema=list[Letter])
with_users.foreach(sending)  # E: Letter|overload
with_users.foreach(letters).then(letters)  # E: list
with_users.foreach(letters, concurrency="4")  # E: concurrency|overload
with_users.foreach(letters, 4)  # E: positional|overload
with_users.foreach(not_committed)  # E: WorkflowBuilder|overload
with_users.foreach(demote)  # E: Admin|overload
create_workflow(id="t", input_schema=tuple[User, User], output_schema=str).foreach(write)  # E: tuple|overload

with_user.do_while(letters, is_user)  # E: Letter|overload
with_user.do_until(sending, is_user)  # E: Letter|overload
with_user.do_while(renaming)  # E: condition|overload
with_user.do_while(renaming, name_of)  # E: str|overload
with_user.do_while(renaming, is_user_later)  # E: Coroutine|overload
with_user.do_until(renaming, lambda user: user.nothing)  # E: nothing
with_user.do_until(renaming, lambda user, context: context.nothing)  # E: nothing|lambda
with_user.do_until(renaming, lambda user: user.name)  # E: str|overload
with_user.do_until(renaming, is_user, max_iterations="3")  # E: str|overload
with_user.do_until(demote, is_user)  # E: Admin|overload

# Options.
create_workflow(id="o", input_schema=User, output_schema=User, state_schema=3)  # E: int|overload
create_workflow(id="o", input_schema=User, output_schema=User, state_schema="User")  # E: str|overload
create_workflow(id="o", input_schema=User, output_schema=User, state_schema=User(name="x"))  # E: User|overload
create_workflow(id="o", input_schema=User, output_schema=User, timeout=5)  # E: int|overload
create_workflow(id="o", input_schema=User, output_schema=User, retry=3)  # E: int|overload
create_workflow(id="o", input_schema=User, output_schema=User, tags=[1])  # E: int|overload
create_workflow(id="o", input_schema=User, output_schema=User, nothing=1)  # E: nothing|overload
create_workflow("o", User, User)  # E: positional|overload


# Variance: what takes less, or gives more, does not stand in.
def takes_step(it: Step[User, Admin]) -> None: ...


def takes_workflow(it: Workflow[User, Admin]) -> None: ...


def takes_builder(it: WorkflowBuilder[User, Admin, Letter]) -> None: ...


takes_step(rename)  # E: Admin
takes_step(demote)  # E: User
takes_workflow(renaming)  # E: Admin
takes_builder(with_user.then(rename))  # E: Admin
takes_step(letters)  # E: Workflow

# Functions of which no step can be made, and maps of another shape.
step(lambda: 1)  # E: overload|incompatible
step(id="x")(3)  # E: overload|int
create_step(id="x", input_schema=User, output_schema=TypeAdapter(str), execute=name_of, timeout=3)  # E: int|overload
with_user.map(name_of, 3)  # E: int|overload
with_user.map(name_of, output_schema="str")  # E: str|overload
with_user.map(lambda user, context: context.nothing, output_schema=str)  # E: nothing|lambda
with_user.map(write).commit()  # E: commit|_Commit|overload


def of_timeout(user: User, context: StepContext, after: timedelta) -> Letter:
    return Letter(text=f"{user.name} {context.path} {after}")


with_user.map(of_timeout)  # E: after|overload|timedelta
