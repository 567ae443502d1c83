"""Sets an alarm that nothing handles."""

import signal
import time

from wrkflw_tui import create_workflow, step


@step
def work(value: int) -> int:
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(600)
    return value


workflow = create_workflow(id="alarm", input_schema=int, output_schema=int).then(work).commit()
