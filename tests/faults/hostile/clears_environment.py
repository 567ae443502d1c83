"""Empties its environment."""

import os

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    os.environ.clear()
    return value


@step
def after(value: int) -> int:
    return value + len(os.environ) + 1


workflow = (
    create_workflow(id="clears-environment", input_schema=int, output_schema=int)
    .then(work)
    .then(after)
    .commit()
)
