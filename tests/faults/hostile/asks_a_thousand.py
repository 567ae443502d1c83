"""Asks a thousand questions at once."""

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import StepContext, create_workflow, step


@step
def numbers(count: int) -> list[int]:
    return list(range(count))


@step
def ask(value: int, context: StepContext) -> int:
    if value == 0:
        note("asks-a-thousand at work")
    return context.suspend(int, reason=f"what is {value}?")


@step
def count(values: list[int]) -> int:
    return len(values)


workflow = (
    create_workflow(id="asks-a-thousand", input_schema=int, output_schema=int)
    .then(numbers)
    .foreach(ask, concurrency=1000)
    .then(count)
    .commit()
)
