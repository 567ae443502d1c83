"""Deletes its own file in the middle of its run."""

import os

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    os.unlink(__file__)
    return value


@step
def after(value: int) -> int:
    return value + 1


workflow = (
    create_workflow(id="deletes-itself", input_schema=int, output_schema=int)
    .then(work)
    .then(after)
    .commit()
)
