"""Starts a program that has left the run's group, and with it every mark in its environment."""

import os
import subprocess
import time

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    os.environ.clear()
    child = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    note(f"leaves-cleared pids {child.pid}")
    note("leaves-cleared at work")
    time.sleep(600)
    return value


workflow = (
    create_workflow(id="leaves-cleared", input_schema=int, output_schema=int).then(work).commit()
)
