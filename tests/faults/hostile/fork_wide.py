"""Two hundred processes at once; every other one has left the run's group, and ignores signals."""

import os
import signal
import time

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import create_workflow, step

COUNT = 200


@step
def work(value: int) -> int:
    pids: list[int] = []
    for number in range(COUNT):
        pid = os.fork()
        if pid == 0:
            try:
                if number % 2:
                    os.setsid()
                    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
                time.sleep(600)
            finally:
                os._exit(0)
        pids.append(pid)
    note(f"fork-wide pids {' '.join(map(str, pids))}")
    note("fork-wide at work")
    time.sleep(600)
    return value


workflow = create_workflow(id="fork-wide", input_schema=int, output_schema=int).then(work).commit()
