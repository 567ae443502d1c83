"""Puts broken things in the place of what everybody uses."""

import builtins
import sys

from wrkflw_tui import create_workflow, step


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("broken")


@step
def work(value: int) -> int:
    sys.stdout = sys.stderr = None  # type: ignore[assignment] - what it is about
    builtins.print = sys.excepthook = sys.unraisablehook = broken
    return value


@step
def after(value: int) -> int:
    return value + 1


workflow = (
    create_workflow(id="replaces-streams", input_schema=int, output_schema=int)
    .then(work)
    .then(after)
    .commit()
)
