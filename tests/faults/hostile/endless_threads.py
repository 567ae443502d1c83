"""Leaves threads that never end, and one that only the interpreter's end would wait for."""

import threading
import time

from wrkflw_tui import create_workflow, step


def spin() -> None:
    while True:
        time.sleep(0.01)


@step
def work(value: int) -> int:
    for number in range(20):
        threading.Thread(target=spin, daemon=number % 2 == 0).start()
    return value + 1


workflow = (
    create_workflow(id="endless-threads", input_schema=int, output_schema=int).then(work).commit()
)
