"""A runner as the worker holds it: started, given a job, listened to, and ended for certain."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.worker.ears import Ears
from wrkflw_tui.worker.job import STOP, Job
from wrkflw_tui.worker.log import Log
from wrkflw_tui.worker.marks import PIPES_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui.store.claims import Claim
    from wrkflw_tui.store.database import Database

GRACE = 5.0
"""Seconds that a run which was told to end may take before its process is killed."""
EXIT_LOOK = 0.02
"""Seconds between two looks whether a process has ended."""


class RunnerProcess:
    """One runner, idle at first."""

    def __init__(self, process: asyncio.subprocess.Process, ears: Ears) -> None:
        self._process = process
        self._ears = ears
        self._nonce = secrets.token_hex(8)

    @classmethod
    async def start(cls, folder: Path) -> RunnerProcess:
        """Start a runner that waits for its job."""
        ears = Ears()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "wrkflw_tui.worker.runner",
            stdin=asyncio.subprocess.PIPE,
            stdout=ears.out,
            stderr=ears.err,
            pass_fds=(ears.hand,),
            cwd=folder,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", PIPES_VARIABLE: str(ears.hand)},
        )
        ears.started()
        return cls(process, ears)

    @property
    def pid(self) -> int:
        """The process's id, and its group's."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.returncode is None

    def give(self, database: Path, file: Path, claim: Claim, max_result_bytes: int) -> None:
        """Hand it its job."""
        job = Job(
            database=str(database),
            file=str(file),
            key=claim.key,
            run_id=claim.run_id,
            workflow_id=claim.workflow_id,
            epoch=claim.epoch,
            nonce=self._nonce,
            max_result_bytes=max_result_bytes,
        )
        self._say(job.to_line())

    async def listen(self, database: Database, key: int, limit: int) -> int:
        """Keep all that the run prints until its process ends; return the exit code."""
        log = Log(database, key, limit)
        self._ears.listen(self._nonce, log)
        keeper = asyncio.create_task(log.keep())
        try:
            code = await exit_code(self._process)
            await self._ears.drain()
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await log.flush()
        return code

    def stop(self) -> None:
        """Ask it to leave the run for a later process."""
        self._say(STOP)

    async def end(self) -> None:
        """Wait for it to end, and kill its whole group when it takes too long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(exit_code(self._process), GRACE)
        self.kill()

    def kill(self) -> None:
        """Kill the process and every process of its group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def dismiss(self) -> None:
        """Let an idle runner end: its line is closed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._ears.close()

    def _say(self, word: bytes) -> None:
        if self._process.stdin is not None and self.is_alive:
            with suppress(OSError, RuntimeError):
                self._process.stdin.write(word)


async def exit_code(process: asyncio.subprocess.Process) -> int:
    """Wait for a process's end and return its exit code.

    `Process.wait` of Python 3.11 waits for its pipes to end too, and a grandchild may hold those.
    """
    while process.returncode is None:  # noqa: ASYNC110 - nothing tells of an exit alone
        await asyncio.sleep(EXIT_LOOK)
    return process.returncode


def describe_exit(code: int) -> str:
    """Say how a process ended: the signal's name, or its exit code."""
    if code >= 0:
        return f"the process ended with exit code {code} in the middle of the run"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the process was killed by {name}"
