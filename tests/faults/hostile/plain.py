"""Does nothing amiss: run after each of the others, it shows that the worker still serves."""

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    return value + 1


workflow = create_workflow(id="plain", input_schema=int, output_schema=int).then(work).commit()
