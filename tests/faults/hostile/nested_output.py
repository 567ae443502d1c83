"""Returns lists in lists, a hundred thousand deep."""

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> object:
    found: object = value
    for _ in range(100_000):
        found = [found]
    return found


workflow = (
    create_workflow(id="nested-output", input_schema=int, output_schema=object).then(work).commit()
)
