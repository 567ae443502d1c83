"""Raises what would end an interpreter, or is no `Exception`: by the number given."""

from wrkflw_tui import create_workflow, step


class Other(BaseException):
    pass


@step
def work(value: int) -> int:
    raise (KeyboardInterrupt, GeneratorExit, SystemExit, Other)[value]("enough")


workflow = create_workflow(id="quits", input_schema=int, output_schema=int).then(work).commit()
