"""Waiting for a time and for events: must pass both checkers with no error and no cast."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypedDict, assert_type

from pydantic import BaseModel, Field, TypeAdapter

from wrkflw_tui import StepContext, Workflow, WorkflowBuilder, create_workflow, step


class Reminder(BaseModel):
    text: str
    after: timedelta
    at: datetime


class Paid(BaseModel):
    amount: int


class Called(BaseModel):
    number: str


class Moved(TypedDict):
    place: str


@step
def shout(reminder: Reminder) -> str:
    return reminder.text.upper()


def how_long(reminder: Reminder) -> timedelta:
    return reminder.after


def how_long_by_attempt(reminder: Reminder, context: StepContext) -> timedelta:
    return reminder.after * context.attempt


def when(reminder: Reminder) -> datetime:
    return reminder.at


def when_by_path(reminder: Reminder, context: StepContext) -> datetime:
    return reminder.at if context.path else datetime.now(UTC)


class Later:
    def __call__(self, reminder: Reminder) -> timedelta:
        return reminder.after


def of_anything(value: object) -> timedelta:
    return timedelta(seconds=1 if value else 2)


remind = create_workflow(id="remind", input_schema=Reminder, output_schema=str)

# The value in hand stays as it is.
Same = WorkflowBuilder[Reminder, Reminder, str]
assert_type(remind.sleep(timedelta(days=1)), Same)
assert_type(remind.sleep(timedelta(days=1), id="a-day"), Same)
assert_type(remind.sleep(how_long), Same)
assert_type(remind.sleep(how_long_by_attempt, id="by-attempt"), Same)
assert_type(remind.sleep(lambda reminder: reminder.after), Same)
assert_type(remind.sleep(lambda reminder, context: reminder.after * context.attempt), Same)
assert_type(remind.sleep(Later()), Same)
assert_type(remind.sleep(of_anything), Same)
assert_type(remind.sleep_until(datetime(2030, 1, 1, tzinfo=UTC)), Same)
assert_type(remind.sleep_until(when), Same)
assert_type(remind.sleep_until(when_by_path, id="when"), Same)
assert_type(remind.sleep_until(lambda reminder: reminder.at), Same)
assert_type(remind.sleep_until(lambda reminder, context: reminder.at), Same)

slept = remind.sleep(how_long).sleep_until(when).then(shout).commit()
assert_type(slept, Workflow[Reminder, str])

# An event's payload takes the place of the value in hand.
assert_type(remind.wait_for("paid", Paid), WorkflowBuilder[Reminder, Paid, str])
assert_type(
    remind.wait_for("paid", Paid, timedelta(days=3), id="payment"),
    WorkflowBuilder[Reminder, Paid, str],
)
assert_type(remind.wait_for("go", None), WorkflowBuilder[Reminder, None, str])
assert_type(
    remind.wait_for("go", None, timeout=timedelta(hours=1), id="go"),
    WorkflowBuilder[Reminder, None, str],
)
assert_type(remind.wait_for("place", Moved), WorkflowBuilder[Reminder, Moved, str])
assert_type(remind.wait_for("names", list[str]), WorkflowBuilder[Reminder, list[str], str])

Reaction: TypeAdapter[Paid | Called] = TypeAdapter(Paid | Called)
Choice: TypeAdapter[Literal["yes", "no"]] = TypeAdapter(Literal["yes", "no"])
Number = TypeAdapter(Annotated[int, Field(gt=0)])
assert_type(
    remind.wait_for("reaction", Reaction, timeout=timedelta(days=3)),
    WorkflowBuilder[Reminder, Paid | Called, str],
)
assert_type(remind.wait_for("choice", Choice), WorkflowBuilder[Reminder, Literal["yes", "no"], str])
assert_type(remind.wait_for("number", Number), WorkflowBuilder[Reminder, int, str])

waited = (
    remind.wait_for("paid", Paid)
    .map(lambda paid: f"{paid.amount:.2f}", output_schema=str)
    .commit()
)
assert_type(waited, Workflow[Reminder, str])
