"""Each marked line must fail in both checkers, and no other line in either."""

from pydantic import BaseModel, TypeAdapter

from wrkflw_tui import create_workflw  # E: create_workflw
from wrkflw_tui import Step, StepContext, WorkflowStorage, create_step, create_workflow, step


class UserId(BaseModel):
    user_id: str


class User(BaseModel):
    name: str


class Admin(User):
    level: int


class Letter(BaseModel):
    text: str


@step
async def fetch_user(request: UserId) -> User:
    return User(name=request.user_id)


@step
def demote(admin: Admin) -> User:
    return admin


@step
async def send(letter: Letter) -> bool:
    return bool(letter.text)


def to_letter(user: User) -> Letter:
    return Letter(text=user.name)


def letter_to_user(letter: Letter) -> User:
    return User(name=letter.text)


start = create_workflow(id="w", input_schema=UserId, output_schema=User)
with_user = create_workflow(id="w", input_schema=UserId, output_schema=User).then(fetch_user)
inner = create_workflow(id="inner", input_schema=Letter, output_schema=bool).then(send).commit()

# The value in hand is not what the next step asks for.
start.then(send)  # E: Letter
with_user.then(send)  # E: Letter
with_user.then(fetch_user)  # E: UserId
with_user.then(demote)  # E: Admin
with_user.then(inner)  # E: Letter
with_user.then(to_letter)  # E: to_letter|Runnable|then

# A map of another value, or of another output than said.
with_user.map(letter_to_user)  # E: Letter
with_user.map(lambda user: user.nothing, output_schema=str)  # E: nothing
with_user.map(to_letter, output_schema=User).commit()  # E: Letter|User
with_user.map(lambda user: user.name, output_schema=int).commit()  # E: str|int
with_user.map(lambda user: user.name, output_schema=str).commit()  # E: commit|_Commit

# The end is not what was declared.
start.commit()  # E: commit|_Commit
with_user.map(to_letter).commit()  # E: commit|_Commit

# The input of a run, and what it gives.
run = with_user.commit().create_run(storage=WorkflowStorage("runs.db"))


async def main() -> None:
    await run.start(User(name="x"))  # E: UserId
    await run.start("7")  # E: UserId
    await run.start()  # E: input_data|Missing
    letter: Letter = await run.start(UserId(user_id="7"))  # E: Letter
    await fetch_user("7")  # E: UserId
    print(letter)


def look(context: StepContext) -> None:
    letter: Letter = context.get_step_result(fetch_user)  # E: Letter
    done: str = context.get_step_result(inner)  # E: str
    given: int = context.get_init_data(TypeAdapter(str))  # E: str|int
    context.nothing  # E: nothing
    context.path = "x"  # E: path
    print(letter, done, given)


# A function whose shape no step has.
@step  # E: overload|incompatible
def three(a: int, b: StepContext, c: int) -> int:
    return a


@step  # E: overload|incompatible
def wrong_context(a: int, b: str) -> int:
    return a


@step(id=3)  # E: int|"id"|Literal
def wrong_option(a: int) -> int:
    return a


def takes_admin(found: Step[UserId, Admin]) -> None: ...


def takes_users(found: Step[User, User]) -> None: ...


takes_admin(fetch_user)  # E: Admin
takes_users(demote)  # E: Admin

# The parts of an explicit step.
create_step(id="x", input_schema=Letter, output_schema=User, execute=to_letter)  # E: to_letter|overload|Letter
with_user.then(create_step(id="x", input_schema=User, output_schema=User, execute=to_letter)).commit()  # E: User
create_step(id="x", input_schema=3, output_schema=User, execute=to_letter)  # E: overload|int
create_workflow(id="x", input_schema=UserId)  # E: overload|output_schema
create_workflow(id="x", input_schema="UserId", output_schema=User)  # E: overload|str


# Arms that ask for another value, or give another than the next step takes.
@step
def shout(user: User) -> str:
    return user.name.upper()


def is_user(user: User) -> bool:
    return bool(user.name)


def is_letter(letter: Letter) -> bool:
    return bool(letter.text)


@step
def takes_pair(pair: tuple[str, str]) -> str:
    return pair[0]


@step
def takes_strings(values: list[str]) -> str:
    return values[0]


with_user.parallel(shout, send)  # E: Letter|overload
with_user.parallel(shout, shout.with_id("b"), shout.with_id("c")).then(takes_pair)  # E: tuple
with_user.parallel(shout, shout.with_id("b"), on_error="collect").then(takes_pair)  # E: StepFailure|OrFailure
with_user.parallel(shout, shout, on_error="ignore")  # E: ignore|overload
with_user.branch((is_user, send))  # E: Letter|overload
with_user.branch((is_letter, shout))  # E: Letter|overload
with_user.branch((is_user, shout), otherwise=send)  # E: Letter|overload
with_user.branch((lambda user: user.nothing, shout))  # E: nothing|overload
with_user.branch((is_user, shout), otherwise=fetch_user)  # E: UserId|overload
with_user.branch((is_user, shout)).commit()  # E: commit|_Commit
with_user.branch_all((is_letter, shout))  # E: Letter|overload
with_user.branch_all((is_user, shout)).then(takes_strings)  # E: dict

# Items and loops.
with_strings = create_workflow(id="w", input_schema=list[str], output_schema=list[str])
with_user.foreach(shout)  # E: list|overload
with_strings.foreach(shout)  # E: str|overload
with_users = create_workflow(id="w", input_schema=list[User], output_schema=list[str])
with_users.foreach(shout, on_error="collect").then(takes_strings)  # E: StepFailure|OrFailure
with_users.foreach(shout, on_error="collect").commit()  # E: commit|_Commit
with_user.do_while(shout, is_user)  # E: str|User|overload
with_user.do_until(demote, is_letter)  # E: Admin|Letter|overload


def look_at_items(context: StepContext) -> None:
    letters: list[Letter] = context.get_step_results(shout)  # E: str
    print(letters)
