"""Closes every descriptor of its process, and opens files that take their numbers."""

import os

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    os.closerange(0, 4096)
    for number in range(64):
        with open(f"taken-{number % 4}.txt", "a") as file:
            os.dup(file.fileno())
    return value


@step
def never(value: int) -> int:
    return value


workflow = (
    create_workflow(id="closes-everything", input_schema=int, output_schema=int)
    .then(work)
    .then(never)
    .commit()
)
