"""Calls itself, by way of C, deeper than the stack goes."""

import sys
from functools import partial

from wrkflw_tui import create_workflow, step


def deeper(value: int) -> int:
    return max(map(partial(deeper), [value + 1]))


@step
def work(value: int) -> int:
    sys.setrecursionlimit(2**31 - 1)
    return deeper(value)


workflow = create_workflow(id="overflow", input_schema=int, output_schema=int).then(work).commit()
