"""Ignores every signal that can be ignored, and blocks the event loop."""

import signal
import time

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import create_workflow, step


@step
async def work(value: int) -> int:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    note("ignores-signals at work")
    while True:
        time.sleep(600)  # noqa: ASYNC251 - what it is about


workflow = (
    create_workflow(id="ignores-signals", input_schema=int, output_schema=int).then(work).commit()
)
