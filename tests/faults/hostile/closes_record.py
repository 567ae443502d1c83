"""Closes the descriptors of the record, and opens files that take their numbers."""

import os

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    for name in os.listdir("/proc/self/fd"):
        path = f"/proc/self/fd/{name}"
        if os.path.lexists(path) and "wrkflw.db" in os.readlink(path):
            os.close(int(name))
    for number in range(64):
        with open(f"of-record-{number % 4}.txt", "a") as file:
            os.dup(file.fileno())
    return value


@step
def never(value: int) -> int:
    return value


workflow = (
    create_workflow(id="closes-record", input_schema=int, output_schema=int)
    .then(work)
    .then(never)
    .commit()
)
