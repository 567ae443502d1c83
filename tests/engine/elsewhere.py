"""A process of its own over a record: `elsewhere.py FILE COMMAND RUN [ARGUMENT]`.

It says `ready`, waits for a line on its standard input, does the command and says what came of it.
What its steps do they note beside the record; those that hold wait for a file named `go` there.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wrkflw_tui import StepContext, WorkflowStorage, WrkflwError, create_workflow, step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PLACE = "WRKFLW_TEST_PLACE"


def note(text: str) -> None:
    """Add a line to the notes, whole also where several processes write."""
    file = os.open(Path(os.environ[PLACE]) / "notes", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(file, f"{text}\n".encode())
    os.close(file)


@step
async def before(value: int) -> int:
    note("before")
    return value + 1


@step
async def holds(value: int) -> int:
    note("holds")
    while not (Path(os.environ[PLACE]) / "go").exists():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return value + 1


@step
async def ask(value: int, context: StepContext) -> int:
    answer = context.suspend(int, reason="How many?")
    note(f"answered {answer}")
    return answer


def _job() -> Any:
    return create_workflow(id="job", input_schema=int, output_schema=int)


job = _job().then(before).then(holds).commit()
question = _job().then(ask).then(holds).commit()
FLOWS = {"job": job, "question": question}


async def _do(command: str, flow: Any, run_id: str, argument: Any, storage: Any) -> object:
    run = flow.create_run(run_id, storage=storage)
    commands: dict[str, Callable[[], Awaitable[object]]] = {
        "start": lambda: run.start(argument),
        "recover": run.recover,
        "resume": lambda: run.resume(argument),
        "answer": lambda: storage.answer(run_id, None, None, json.dumps(argument)),
        "event": lambda: storage.send_event(run_id, "go", json.dumps(argument)),
        "cancel": run.cancel,
    }
    return await commands[command]()


async def _main(file: str, flow: str, command: str, run_id: str, argument: str) -> None:
    storage = WorkflowStorage(file)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        print(await _do(command, FLOWS[flow], run_id, json.loads(argument), storage))
    except WrkflwError as error:
        print(type(error).__name__)
    await storage.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
