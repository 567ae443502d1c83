"""Waits that are not what they should be: each marked line must fail, and no other."""

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, TypeAdapter

from wrkflw_tui import StepContext, create_workflow, step


class Reminder(BaseModel):
    text: str
    after: timedelta


class Paid(BaseModel):
    amount: int


class Called(BaseModel):
    number: str


@step
def book(paid: Paid) -> str:
    return str(paid.amount)


def how_long(reminder: Reminder) -> timedelta:
    return reminder.after


def of_paid(paid: Paid) -> timedelta:
    return timedelta(days=paid.amount)


def of_paid_in_context(paid: Paid, context: StepContext) -> timedelta:
    return timedelta(days=paid.amount)


def seconds(reminder: Reminder) -> int:
    return reminder.after.seconds


def when(reminder: Reminder) -> datetime:
    return datetime.now(UTC) + reminder.after


async def later(reminder: Reminder) -> timedelta:
    return reminder.after


def of_three(reminder: Reminder, context: StepContext, more: int) -> timedelta:
    return reminder.after


def wrong_context(reminder: Reminder, context: str) -> timedelta:
    return reminder.after


remind = create_workflow(id="remind", input_schema=Reminder, output_schema=str)
Reaction: TypeAdapter[Paid | Called] = TypeAdapter(Paid | Called)

# For how long.
remind.sleep(5)  # E: int|overload
remind.sleep("1d")  # E: str|overload
remind.sleep(datetime.now(UTC))  # E: datetime|overload
remind.sleep(of_paid)  # E: Paid|overload
remind.sleep(of_paid_in_context)  # E: Paid|overload
remind.sleep(seconds)  # E: int|overload
remind.sleep(when)  # E: datetime|overload
remind.sleep(later)  # E: Coroutine|overload
remind.sleep(of_three)  # E: overload|int
remind.sleep(wrong_context)  # E: str|overload
remind.sleep(lambda reminder: reminder.nothing)  # E: nothing
remind.sleep(lambda reminder, context: reminder.after * context.nothing)  # E: nothing|lambda
remind.sleep(lambda reminder: 5)  # E: int|overload
remind.sleep()  # E: duration|overload
remind.sleep(how_long, "a-day")  # E: positional|overload

# Until when.
remind.sleep_until(timedelta(days=1))  # E: timedelta|overload
remind.sleep_until("tomorrow")  # E: str|overload
remind.sleep_until(how_long)  # E: timedelta|overload
remind.sleep_until(lambda reminder: reminder.after)  # E: timedelta|overload
remind.sleep_until(lambda reminder: reminder.nothing)  # E: nothing

# The value in hand is not changed by a sleep, and is the payload after an event.
remind.sleep(how_long).then(book)  # E: Paid
remind.sleep(timedelta(1)).commit()  # E: commit|_Commit
remind.wait_for("called", Called).then(book)  # E: Paid
remind.wait_for("go", None).then(book)  # E: Paid
remind.wait_for("reaction", Reaction).then(book)  # E: Paid
remind.wait_for("paid", Paid).map(lambda paid: paid.nothing, output_schema=str)  # E: nothing
remind.wait_for("paid", Paid).commit()  # E: commit|_Commit
remind.wait_for("paid")  # E: schema|overload
remind.wait_for(Paid)  # E: schema|overload
remind.wait_for("paid", "Paid")  # E: str|overload
remind.wait_for("paid", Paid(amount=1))  # E: Paid|overload
remind.wait_for("paid", Paid, 5)  # E: int|overload
remind.wait_for("paid", Paid, None, "id")  # E: positional|overload
