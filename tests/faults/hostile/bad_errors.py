"""Raises errors that cannot be told: by the number given, each bad in another way."""

from wrkflw_tui import create_workflow, step


class Silent(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class Exits(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class NoText(Exception):
    def __str__(self) -> str:
        return 7  # type: ignore[return-value] - what it is about


def chained() -> Exception:
    error = Exception("the first")
    for number in range(20_000):
        later = Exception(f"number {number}")
        later.__cause__ = error
        error = later
    return error


@step
def work(value: int) -> int:
    match value:
        case 0:
            raise Silent
        case 1:
            raise Exits
        case 2:
            raise ValueError("x" * 50_000_000)
        case 3:
            raise ValueError("lone \ud800 and \0 and \x1b[2J")
        case 4:
            raise NoText
        case 5:
            raise chained()
        case _:
            raise type("N" * 1_000_000, (Exception,), {})("a long name")


workflow = create_workflow(id="bad-errors", input_schema=int, output_schema=int).then(work).commit()
