"""Returns an iterator without an end where a list is promised."""

from itertools import count
from typing import cast

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> list[str]:
    note("infinite-output at work")
    return cast("list[str]", (f"{number:100000}" for number in count(value)))


workflow = (
    create_workflow(id="infinite-output", input_schema=int, output_schema=list[str])
    .then(work)
    .commit()
)
