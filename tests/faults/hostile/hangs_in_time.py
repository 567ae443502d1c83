"""Has a timeout, and does not end with it: by the number given, each in another way."""

import ctypes
import os
import signal
import time
from datetime import timedelta

from wrkflw_tui import StepContext, create_workflow, step


@step(timeout=timedelta(seconds=0.3))
def work(value: int, context: StepContext) -> int:
    if context.attempt > 1:
        return value
    match value:
        case 0:
            time.sleep(600)
        case 1:
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(600)
        case _:
            ctypes.PyDLL(None).pause()
    return value


workflow = (
    create_workflow(id="hangs-in-time", input_schema=int, output_schema=int).then(work).commit()
)
