"""What a context does not give: each marked line must fail in both checkers, and no other."""

from pydantic import BaseModel, TypeAdapter

from wrkflw_tui import StepContext, create_workflow, step


class Letter(BaseModel):
    text: str


class Receipt(BaseModel):
    sent: bool


class Approval(BaseModel):
    approved: bool


class Refusal(BaseModel):
    why: str


class Tally(BaseModel):
    count: int = 0


Verdict: TypeAdapter[Approval | Refusal] = TypeAdapter(Approval | Refusal)


@step
def shout(letter: Letter) -> str:
    return letter.text.upper()


inner = create_workflow(id="inner", input_schema=Letter, output_schema=str).then(shout).commit()


def ask(context: StepContext) -> None:
    refusal: Refusal = context.suspend(Approval, reason="Send it?")  # E: Refusal
    approval: Approval = context.suspend(Verdict, key="second")  # E: Refusal
    print(context.suspend(Verdict, key="third").approved)  # E: approved
    print(context.suspend(Approval, key="fourth").why)  # E: why
    context.suspend("Send it?")  # E: str|overload
    context.suspend(Approval(approved=True))  # E: Approval|overload
    context.suspend(reason="Send it?")  # E: schema|overload
    context.suspend(Approval, "Send it?")  # E: positional|overload
    context.suspend(Approval, reason=3)  # E: int|overload
    context.suspend(Approval, key=3)  # E: int|overload
    print(refusal, approval)


def end(context: StepContext) -> Receipt:
    context.bail()  # E: output


def end_with_two(context: StepContext) -> Receipt:
    context.bail(Receipt(sent=True), Receipt(sent=False))  # E: positional|Too many


def falls_through(letter: Letter, context: StepContext) -> Receipt:  # E: return
    if letter.text:
        context.bail(Receipt(sent=False))


def count(context: StepContext) -> None:
    letter: Letter = context.get_state(Tally)  # E: Letter
    print(context.get_state(Tally).nothing)  # E: nothing
    context.get_state()  # E: schema
    context.get_state("Tally")  # E: schema|str
    context.get_state(Tally())  # E: Tally
    context.set_state()  # E: value
    context.set_state(count=1)  # E: count
    print(letter)


def look(context: StepContext) -> None:
    number: int = context.get_step_result(inner)  # E: int
    one: str = context.get_step_results(shout)  # E: list
    many: list[int] = context.get_step_results(inner)  # E: int
    letter: Letter = context.get_init_data(Receipt)  # E: Letter
    nothing: Letter = context.get_init_data(None)  # E: Letter
    context.get_step_result("shout")  # E: Runnable
    context.get_step_result(shout.function)  # E: Runnable
    context.get_step_result(Letter)  # E: Letter
    context.get_step_results()  # E: step
    context.get_init_data("Letter")  # E: str|overload
    context.attempt = 2  # E: attempt
    context.cancelled = True  # E: cancelled
    context.report_progress()  # E: done
    context.report_progress("half")  # E: float
    context.report_progress(1, 2, 3)  # E: str
    context.raise_if_cancelled(True)  # E: positional|Too many
    print(number, one, many, letter, nothing)
