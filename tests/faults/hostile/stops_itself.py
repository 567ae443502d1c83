"""Stops its own process: nothing in it goes on."""

import os
import signal

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    note("stops-itself at work")
    os.kill(os.getpid(), signal.SIGSTOP)
    return value


workflow = (
    create_workflow(id="stops-itself", input_schema=int, output_schema=int).then(work).commit()
)
