"""Changes to a folder and removes it."""

import os
import tempfile

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    place = tempfile.mkdtemp()
    os.chdir(place)
    os.rmdir(place)
    return value


@step
def after(value: int) -> int:
    try:
        os.getcwd()
    except FileNotFoundError:
        return value + 1
    return value


workflow = (
    create_workflow(id="loses-folder", input_schema=int, output_schema=int)
    .then(work)
    .then(after)
    .commit()
)
