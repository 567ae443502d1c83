"""Processes that fork the next and end, faster than anybody can list them: in the run's group."""

import os
import time

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import create_workflow, step

LANES = 4
BEAT = "fork_chain.beat"
"""Touched by each of them."""
BOUND = 60.0
"""Seconds after which they end by themselves."""


def chain(until: float) -> None:
    while time.monotonic() < until:
        if os.fork():
            os._exit(0)
        os.utime(BEAT)


@step
def work(value: int) -> int:
    open(BEAT, "w").close()
    until = time.monotonic() + BOUND
    for _ in range(LANES):
        if os.fork() == 0:
            try:
                chain(until)
            finally:
                os._exit(0)
    note("fork-chain at work")
    time.sleep(BOUND)
    return value


workflow = create_workflow(id="fork-chain", input_schema=int, output_schema=int).then(work).commit()
