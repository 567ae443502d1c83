"""Waits in a system call for what never comes, and holds the interpreter's lock meanwhile."""

import ctypes
import os

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    out, _ = os.pipe()
    note("blocks at work")
    ctypes.PyDLL(None).read(out, ctypes.create_string_buffer(1), 1)
    return value


workflow = create_workflow(id="blocks", input_schema=int, output_schema=int).then(work).commit()
