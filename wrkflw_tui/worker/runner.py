"""The runner: imports one automation file, walks one run over its record, and ends.

Its standard input is its line to the worker: first the job, then perhaps `stop`. When that line
breaks the worker is gone, and the runner ends at once with all that it started. A cancel it finds
on the record, as every walk does.
"""

from __future__ import annotations

import asyncio
import os
import resource
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from wrkflw_tui.engine.errors import (
    DefinitionChanged,
    InvalidInput,
    RunAlreadyClaimed,
    StorageError,
    WorkflowCancelled,
    WorkflowFailed,
    describe_error,
)
from wrkflw_tui.engine.execution import ExecutionEngine, Rested
from wrkflw_tui.engine.masking import known
from wrkflw_tui.engine.threads import STEP_THREAD
from wrkflw_tui.engine.values import LeftBehind, Value
from wrkflw_tui.store.claims import Claim
from wrkflw_tui.store.storage import WorkflowStorage
from wrkflw_tui.worker import private
from wrkflw_tui.worker.capture import install
from wrkflw_tui.worker.job import STOP, UNRECORDED, Job
from wrkflw_tui.worker.line import end_group, take_line
from wrkflw_tui.worker.linux import (
    bear,
    die_with,
    end_below,
    few_arenas,
    name_process,
    outlive,
    size_of_self,
    token_of,
)
from wrkflw_tui.worker.loading import AutomationError, load_workflows
from wrkflw_tui.worker.overseer import Overseer
from wrkflw_tui.worker.readiness import load_all

if TYPE_CHECKING:
    from wrkflw_tui.engine.workflow import Workflow


ENDS_ALL = 3
"""The exit code after a run that failed or was stopped: what it has started is to be ended."""
STEPS_TIME = 2.0
"""Seconds that synchronous steps which were told to stop may take to do so."""
STEPS_LOOK = 0.02
"""Seconds between two looks whether they have."""
LEFT_TASKS = 1.0
"""Seconds that tasks which steps have left may take to tidy up."""


def main() -> None:
    """Be a runner that was started from nothing.

    Called with its pipe, the folder, the record, and the socket that it hands pipes over.
    """
    os._exit(serve(int(sys.argv[1]), int(sys.argv[4]), sys.argv[3]))


def serve(life: int, hand: int, database: str) -> int:
    """Get ready, wait for a job, do it, and return the exit code.

    The process is to be ended then, whatever threads a step has left. `life` is a pipe whose other
    end only the worker has; over `hand` it is handed the pipes of the run's children.
    """
    name_process("wrkflw-runner")
    line = take_line()
    die_with(life)
    loop = asyncio.Runner()
    storage = WorkflowStorage(database)
    if os.path.exists(database):  # one that was taken away must not be made anew
        loop.run(_open(storage))
    if not select.select([line], [], [], 0)[0]:  # else a run waits for us already
        load_all()
    first = line.readline()
    if not first:
        return 0  # the worker ended before it had a job for us
    job = Job.from_line(first)
    storage.max_result_bytes = job.max_result_bytes
    code = _work(job, storage, loop, line, hand)
    if code != 0:
        end_below()
    outlive(life)
    return code


async def _open(storage: WorkflowStorage) -> None:
    """Open the record, so that the first step need not wait for it."""
    with suppress(StorageError):  # said by the run, which meets it again
        await storage.database.read(_nothing)
        await storage.database.write(_nothing)


def _nothing(_: object) -> None:
    """Do nothing, with a connection that had to be opened for it."""


def _work(
    job: Job, storage: WorkflowStorage, loop: asyncio.Runner, line: BinaryIO, hand: int
) -> int:
    os.environ.update(job.secrets)
    known.add_all(job.secrets)
    bear(token_of(job.run_id))
    out, err = install(job.nonce)
    socket = private.install(hand)
    # Before a step has a secret in hand, the worker knows it: whatever prints it comes later.
    known.on_new = private.giver(socket)
    overseer = Overseer(socket)
    _limit_memory(job.max_memory_bytes)
    # The walk's own thread must get its turn beside a step that computes.
    sys.setswitchinterval(0.0005)
    runner = Runner(job, storage, overseer)
    threading.Thread(target=runner.listen, args=(line,), name="wrkflw-line", daemon=True).start()
    try:
        runner.run(loop)
        code = 0 if runner.is_over else ENDS_ALL
    except asyncio.CancelledError:
        code = ENDS_ALL  # told to stop once more while it was stopping
    except StorageError as error:
        print(f"wrkflw-tui: {error}", file=sys.stderr)
        code = UNRECORDED
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    for stream in (out, err):
        with suppress(OSError):
            stream.flush()
    return code


def _limit_memory(most: int | None) -> None:
    """Let this process take so many bytes more than it has, and each that it starts as many."""
    if most is None:
        return
    few_arenas()
    most += size_of_self()
    try:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    except (OSError, ValueError) as error:  # not every system knows this limit
        print(f"max_memory_mb cannot be kept here: {error}", file=sys.stderr)


class Runner:
    """Walks the run of one job."""

    def __init__(self, job: Job, storage: WorkflowStorage, overseer: Overseer) -> None:
        self._job = job
        self._storage = storage
        self._overseer = overseer
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False
        self.is_over = False
        """Whether the run succeeded or rests: what it has started may go on."""

    def listen(self, line: BinaryIO) -> None:
        """Do what the worker says, until its line breaks. Runs on a thread of its own."""
        for word in line:
            if word != STOP:
                continue
            self._is_stopped = True
            if self._loop is not None:
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._end_walk)
        end_group()

    def run(self, loop: asyncio.Runner) -> None:
        """Import the file and walk the run."""
        try:
            found = load_workflows(Path(self._job.file))
            workflow = found.get(self._job.workflow_id)
            missing = f"{Path(self._job.file).name} holds no workflow {self._job.workflow_id!r}"
            problem = None if workflow is not None else AutomationError(missing)
        except AutomationError as error:
            workflow, problem = None, error
        loop.run(self._main(workflow, problem))

    async def _main(
        self, workflow: Workflow[object, object] | None, problem: AutomationError | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        with suppress(NotImplementedError):
            self._loop.add_signal_handler(signal.SIGTERM, self._end_walk)
        job, storage = self._job, self._storage
        claim = Claim(job.key, job.run_id, job.workflow_id, job.epoch)
        told = False
        try:
            if workflow is None or problem is not None:
                error = problem or AutomationError("no workflow")
                await storage.fail(claim, describe_error(error))
                return  # what the import has started goes with it
            if self._is_stopped:
                self._end_walk()
            with suppress(Rested):
                await _walk(storage, claim, workflow, self._overseer)
            self.is_over = True
        except (asyncio.CancelledError, WorkflowCancelled):
            told = True
        except (LeftBehind, RunAlreadyClaimed, WorkflowFailed):
            pass  # it is on record
        await _end_tasks()
        if told:
            await _end_steps()

    def _end_walk(self) -> None:
        if self._task is not None:
            self._task.cancel()


async def _end_tasks() -> None:
    """Let what steps have left in the loop tidy up; what does not end goes with the process."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=LEFT_TASKS)


async def _end_steps() -> None:
    """Let synchronous steps that were told to stop do so; the others go with the process."""
    end = time.monotonic() + STEPS_TIME
    while _some_step_goes_on() and time.monotonic() < end:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(STEPS_LOOK)


def _some_step_goes_on() -> bool:
    return any(thread.name == STEP_THREAD for thread in threading.enumerate())


async def _walk(
    storage: WorkflowStorage,
    claim: Claim,
    workflow: Workflow[object, object],
    overseer: Overseer,
) -> None:
    try:
        journal, text = await storage.reopen(claim, workflow)
    except (DefinitionChanged, InvalidInput) as error:
        await storage.fail(claim, describe_error(error))
        return
    schema = workflow.input_schema
    value = Value(text, schema, schema.load(text))
    engine = ExecutionEngine(storage.clock, dies_with_steps=True, watch=overseer.watch)
    await engine.execute(workflow, journal, value)


if __name__ == "__main__":
    main()
