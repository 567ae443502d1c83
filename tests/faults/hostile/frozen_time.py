"""Makes time stand still, as test helpers do."""

import time

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    time.time = lambda: 0.0
    time.time_ns = lambda: 0
    return value


@step
def after(value: int) -> int:
    return value + 1


workflow = (
    create_workflow(id="frozen-time", input_schema=int, output_schema=int)
    .then(work)
    .then(after)
    .commit()
)
