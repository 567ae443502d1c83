"""Prints without end, itself and by a child."""

import subprocess

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    child = subprocess.Popen(["yes", "x" * 400])
    note(f"endless-output pids {child.pid}")
    note("endless-output at work")
    while True:
        print("y" * 400)


workflow = (
    create_workflow(id="endless-output", input_schema=int, output_schema=int).then(work).commit()
)
