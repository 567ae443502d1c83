"""Makes the clock of the event loop stand still, and waits."""

import asyncio
import time

from _notes import note  # pyright: ignore[reportMissingImports] - it lies beside this one

from wrkflw_tui import create_workflow, step


@step
async def work(value: int) -> int:
    now = time.monotonic()
    time.monotonic = lambda: now
    asyncio.get_running_loop().time = lambda: now
    note("frozen-clock at work")
    await asyncio.sleep(600)
    return value


workflow = (
    create_workflow(id="frozen-clock", input_schema=int, output_schema=int).then(work).commit()
)
