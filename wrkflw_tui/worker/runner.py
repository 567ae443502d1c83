"""The runner: imports one automation file, walks one run over its record, and ends.

Its standard input is its line to the worker: first the job, then perhaps `stop`. When that line
breaks the worker is gone, and the runner ends at once with all that it started. A cancel it finds
on the record, as every walk does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import ValidationError

from wrkflw_tui.engine.errors import (
    DefinitionChanged,
    InvalidInput,
    RunAlreadyClaimed,
    WorkflowCancelled,
    WorkflowFailed,
    describe_error,
)
from wrkflw_tui.engine.execution import ExecutionEngine, Rested
from wrkflw_tui.engine.values import LeftBehind, Value
from wrkflw_tui.store.claims import Claim
from wrkflw_tui.store.storage import WorkflowStorage
from wrkflw_tui.worker import private
from wrkflw_tui.worker.capture import install
from wrkflw_tui.worker.job import STOP, Job
from wrkflw_tui.worker.line import end_group, take_line
from wrkflw_tui.worker.loading import AutomationError, load_workflows

if TYPE_CHECKING:
    from wrkflw_tui.engine.journal import Journal
    from wrkflw_tui.engine.workflow import Workflow


def main() -> None:
    """Wait for a job, do it, and end the process whatever threads a step has left."""
    line = take_line()
    first = line.readline()
    if not first:
        os._exit(0)  # the worker ended before it had a job for us
    job = Job.from_line(first)
    out, err = install(job.nonce)
    private.install()
    # The walk's own thread must get its turn beside a step that computes.
    sys.setswitchinterval(0.0005)
    runner = Runner(job)
    threading.Thread(target=runner.listen, args=(line,), name="wrkflw-line", daemon=True).start()
    try:
        runner.run()
    finally:
        for stream in (out, err):
            with suppress(OSError):
                stream.flush()
    os._exit(0)


class Runner:
    """Walks the run of one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopped = False

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

    def run(self) -> None:
        """Import the file and walk the run."""
        try:
            found = load_workflows(Path(self._job.file))
            workflow = found.get(self._job.workflow_id)
            missing = f"{Path(self._job.file).name} holds no workflow {self._job.workflow_id!r}"
            problem = None if workflow is not None else AutomationError(missing)
        except AutomationError as error:
            workflow, problem = None, error
        asyncio.run(self._main(workflow, problem))

    async def _main(
        self, workflow: Workflow[object, object] | None, problem: AutomationError | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        with suppress(NotImplementedError):
            self._loop.add_signal_handler(signal.SIGTERM, self._end_walk)
        job = self._job
        storage = WorkflowStorage(job.database, max_result_bytes=job.max_result_bytes)
        claim = Claim(job.key, job.run_id, job.workflow_id, job.epoch)
        with suppress(
            asyncio.CancelledError,
            LeftBehind,
            Rested,
            RunAlreadyClaimed,
            WorkflowCancelled,
            WorkflowFailed,
        ):
            if workflow is None or problem is not None:
                await _fail(storage.closing(claim), problem or AutomationError("no workflow"))
                return
            if self._is_stopped:
                self._end_walk()
            await _walk(storage, claim, workflow)

    def _end_walk(self) -> None:
        if self._task is not None:
            self._task.cancel()


async def _walk(storage: WorkflowStorage, claim: Claim, workflow: Workflow[object, object]) -> None:
    try:
        journal, text = await storage.reopen(claim, workflow)
    except DefinitionChanged as error:
        await _fail(storage.closing(claim), error)
        return
    try:
        live = workflow.input_schema.load(text)
    except ValidationError as error:
        problem = InvalidInput(f"the input of {workflow.id!r} does not fit: {error}")
        await _fail(journal, problem)
        return
    value = Value(text, workflow.input_schema, live)
    await ExecutionEngine(storage.clock, dies_with_steps=True).execute(workflow, journal, value)


async def _fail(journal: Journal, error: Exception) -> None:
    """Record a run that could not even begin."""
    journal.finish("failed", error=describe_error(error).to_json())
    await journal.commit()


if __name__ == "__main__":
    main()
