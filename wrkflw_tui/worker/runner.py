"""The runner: imports one automation file, walks one run over its record, and ends.

Its standard input is its line to the worker: first the job, then `cancel` or `stop`. When that line
breaks the worker is gone, and the runner ends at once with all that it started.
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
    InvalidInput,
    RunAlreadyClaimed,
    WorkflowCancelled,
    WorkflowFailed,
    describe_error,
)
from wrkflw_tui.engine.run import ExecutionEngine
from wrkflw_tui.engine.values import LeftBehind, Value
from wrkflw_tui.store.claims import Claim, define, read_input
from wrkflw_tui.store.runs import WorkflowStorage
from wrkflw_tui.worker.capture import install
from wrkflw_tui.worker.job import CANCEL, STOP, Job
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
    # The walk's own thread must get its turn beside a step that computes.
    sys.setswitchinterval(0.0005)
    runner = Runner(job)
    threading.Thread(target=runner.listen, args=(line,), name="wrkflw-line", daemon=True).start()
    try:
        runner.run()
    finally:
        for stream in (out, err):
            with suppress(OSError):
                stream.finish()
    os._exit(0)


class Runner:
    """Walks the run of one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_cancelled = False
        self._is_stopped = False

    def listen(self, line: BinaryIO) -> None:
        """Do what the worker says, until its line breaks. Runs on a thread of its own."""
        for word in line:
            if word == CANCEL:
                self._is_cancelled = True
            elif word != STOP:
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
        storage = WorkflowStorage(self._job.database)
        job = self._job
        claim = Claim(job.key, job.run_id, job.workflow_id, job.epoch)
        with suppress(
            asyncio.CancelledError, LeftBehind, RunAlreadyClaimed, WorkflowCancelled, WorkflowFailed
        ):
            journal = await storage.reopen(claim)
            if workflow is None or problem is not None:
                await _fail(journal, problem or AutomationError("no workflow"))
                return
            if self._is_stopped:
                self._end_walk()
            await self._walk(storage, journal, workflow)

    async def _walk(
        self, storage: WorkflowStorage, journal: Journal, workflow: Workflow[object, object]
    ) -> None:
        key = self._job.key
        text = await storage.database.read(lambda c: read_input(c, key))
        await storage.database.write(
            lambda c: define(c, key, workflow.graph, workflow.definition_hash, workflow.leaf_count)
        )
        try:
            live = workflow.input_schema.load(text)
        except ValidationError as error:
            problem = InvalidInput(f"the input of {workflow.id!r} does not fit: {error}")
            await _fail(journal, problem)
            return
        engine = ExecutionEngine(dies_with_steps=True)
        value = Value(text, workflow.input_schema, live)
        await engine.execute(workflow, journal, value, lambda: self._is_cancelled)

    def _end_walk(self) -> None:
        if self._task is not None:
            self._task.cancel()


async def _fail(journal: Journal, error: Exception) -> None:
    """Record a run that could not even begin."""
    journal.finish("failed", error=describe_error(error).to_json())
    await journal.commit()


if __name__ == "__main__":
    main()
