"""Is in order while it is looked at, and raises what cannot be told when it is run."""

from pathlib import Path

from wrkflw_tui import create_workflow, step


class Silent(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


@step
def work(value: int) -> int:
    return value


workflow = create_workflow(id="bad-import", input_schema=int, output_schema=int).then(work).commit()

if Path(__file__).with_name("bad").exists():
    raise Silent
