"""A runner as the worker holds it: started, given a job, listened to, and ended for certain."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.masking import Masker
from wrkflw_tui.envfile import NO_FILE, EnvFile
from wrkflw_tui.store.logs import Stretch
from wrkflw_tui.worker.job import STOP, UNRECORDED, Job
from wrkflw_tui.worker.linux import end_all, token_of
from wrkflw_tui.worker.log import Log
from wrkflw_tui.worker.overseer import Times

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui.store.claims import Claim
    from wrkflw_tui.store.database import Database
    from wrkflw_tui.worker.children import Child

GRACE = 5.0
"""Seconds that a run which was told to end may take before its process is killed."""
EXIT_LOOK = 0.02
"""Seconds between two looks whether a process has ended."""


class RunnerProcess:
    """One runner, idle at first."""

    def __init__(self, process: Child) -> None:
        self._process = process
        self._nonce = secrets.token_hex(8)
        self._masker = Masker()
        self._warning = ""
        self._run_id: str | None = None
        self._killing: asyncio.Task[None] | None = None
        self.overdue = ""
        """Why it was killed, where it did not end a step in time."""

    @property
    def pid(self) -> int:
        """The process's id, and its group's."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.returncode is None

    def give(
        self,
        file: Path,
        claim: Claim,
        max_result_bytes: int,
        max_memory_bytes: int | None = None,
        env: EnvFile = NO_FILE,
    ) -> None:
        """Hand it its job, with what `.env` holds now."""
        self._run_id = claim.run_id
        self._masker.add_all(env.values)
        self._warning = env.warning
        job = Job(
            file=str(file),
            key=claim.key,
            run_id=claim.run_id,
            workflow_id=claim.workflow_id,
            epoch=claim.epoch,
            nonce=self._nonce,
            max_result_bytes=max_result_bytes,
            max_memory_bytes=max_memory_bytes,
            secrets=dict(env.values),
        )
        self._process.say(job.to_line())

    async def listen(self, database: Database, key: int, limit: int) -> int:
        """Keep all that the run prints until its process ends; return the exit code."""
        log = Log(database, key, limit)
        if self._warning:
            log.add([Stretch("stderr", "", micros_now(), (f"warning: {self._warning}",))])
        ears = self._process.ears
        times = Times(self._end_overdue)
        ears.listen(self._nonce, log, self._masker, times.hear)
        keeper = asyncio.create_task(log.keep())
        try:
            code = await self._process.wait()
            await ears.drain()
        finally:
            times.forget()
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await log.flush()
        if self._killing is not None:
            # It looks for all that the run has started: the next attempt would be found, too.
            await self._killing
        return code

    def _end_overdue(self, why: str) -> None:
        self.overdue = self.overdue or why
        self._killing = asyncio.create_task(self.kill())

    def stop(self) -> None:
        """Ask it to leave the run for a later process."""
        self._process.say(STOP)

    async def end(self) -> None:
        """Wait for it to end, and kill all that it is when it takes too long.

        Where the run has succeeded meanwhile, what it has started is left alone.
        """
        code = None
        with suppress(TimeoutError):
            code = await asyncio.wait_for(self._process.wait(), GRACE)
        if code != 0:
            await self.kill()

    async def kill(self) -> None:
        """Kill the process, its whole group, and all that it started and that left the group."""
        if self.is_alive and self._run_id is not None:
            # First: what is below it and bears no mark is not below it any more afterwards.
            await asyncio.to_thread(end_all, token_of(self._run_id))
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if self._run_id is not None:
            await asyncio.to_thread(end_all, token_of(self._run_id))

    def dismiss(self) -> None:
        """Let an idle runner end: its line is closed."""
        self._process.hang_up()
        self._process.ears.close()

    async def reap(self) -> None:
        """Let go of a process that has ended; its group cannot be killed any more."""
        await self._process.wait()
        self._process.reap()


async def exit_code(process: asyncio.subprocess.Process) -> int:
    """Wait for a process's end and return its exit code.

    `Process.wait` of Python 3.11 waits for its pipes to end too, and a grandchild may hold those.
    """
    while process.returncode is None:  # noqa: ASYNC110 - nothing tells of an exit alone
        await asyncio.sleep(EXIT_LOOK)
    return process.returncode


def describe_exit(code: int) -> str:
    """Say how a process ended: the signal's name, or its exit code."""
    if code == UNRECORDED:
        return "the record could not be written, and what is not on it is not taken as done"
    if code >= 0:
        return f"the process ended with exit code {code} in the middle of the run"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the process was killed by {name}"
