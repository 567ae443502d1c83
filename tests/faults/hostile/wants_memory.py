"""Takes two gigabytes."""

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    return len(bytearray(2 << 30))


workflow = (
    create_workflow(id="wants-memory", input_schema=int, output_schema=int).then(work).commit()
)
