"""Calls itself without end."""

from wrkflw_tui import create_workflow, step


def deeper(value: int) -> int:
    return deeper(value + 1)


@step
def work(value: int) -> int:
    return deeper(value)


workflow = create_workflow(id="recursion", input_schema=int, output_schema=int).then(work).commit()
