"""Ten thousand items, all of which fail."""

from wrkflw_tui import StepFailure, create_workflow, step


@step
def numbers(count: int) -> list[int]:
    return list(range(count))


@step
async def fail(value: int) -> int:
    raise ValueError(f"number {value}")


@step
def count(values: list[int | StepFailure]) -> int:
    return sum(isinstance(value, StepFailure) for value in values)


workflow = (
    create_workflow(id="all-fail", input_schema=int, output_schema=int)
    .then(numbers)
    .foreach(fail, concurrency=50, on_error="collect")
    .then(count)
    .commit()
)
