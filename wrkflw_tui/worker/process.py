"""A runner as the worker holds it: started, given a job, listened to, and ended for certain."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.store import logs
from wrkflw_tui.worker.capture import LineReader
from wrkflw_tui.worker.job import STOP, Job

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui.store.claims import Claim
    from wrkflw_tui.store.database import Database
    from wrkflw_tui.store.logs import Stream, Stretch

GRACE = 5.0
"""Seconds that a run which was told to end may take before its process is killed."""
FLUSH = 0.1
"""Seconds that a line waits at most before it is put on record."""
HELD = 2000
"""Stretches that wait for the file before the run has to."""
DRAIN = 1.0
"""Seconds that the last output of a runner that ended is waited for."""
EXIT_LOOK = 0.02
"""Seconds between two looks whether a process has ended."""


class RunnerProcess:
    """One runner, idle at first."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._nonce = secrets.token_hex(8)

    @classmethod
    async def start(cls, folder: Path) -> RunnerProcess:
        """Start a runner that waits for its job."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "wrkflw_tui.worker.runner",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        return cls(process)

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

    async def listen(self, database: Database, key: int) -> int:
        """Keep all that the run prints until its process ends; return the exit code."""
        log = _Log(database, key)
        readers = [
            asyncio.create_task(_read(pipe, LineReader(stream, self._nonce), log))
            for stream, pipe in self._pipes()
        ]
        keeper = asyncio.create_task(log.keep())
        try:
            code = await exit_code(self._process)
            # A grandchild may hold the pipe open for ever: its end is not waited for.
            await asyncio.wait(readers, timeout=DRAIN)
        finally:
            for task in (*readers, keeper):
                task.cancel()
            await asyncio.gather(*readers, keeper, return_exceptions=True)
            await log.flush()
        return code

    def _pipes(self) -> list[tuple[Stream, asyncio.StreamReader]]:
        out, err = self._process.stdout, self._process.stderr
        return [
            ("stdout", cast("asyncio.StreamReader", out)),
            ("stderr", cast("asyncio.StreamReader", err)),
        ]

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

    def _say(self, word: bytes) -> None:
        if self._process.stdin is not None and self.is_alive:
            with suppress(OSError, RuntimeError):
                self._process.stdin.write(word)


class _Log:
    """Stretches on their way to the record: put by the readers, written a few times a second."""

    def __init__(self, database: Database, key: int) -> None:
        self._database = database
        self._key = key
        self._pending: list[Stretch] = []
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, stretches: list[Stretch]) -> None:
        """Add stretches; waits while the file is slower than the run, so that its pipe fills."""
        self.add(stretches)
        await self._room.wait()

    def add(self, stretches: list[Stretch]) -> None:
        """Add stretches without waiting."""
        self._pending += stretches
        if self._pending:
            self._some.set()
        if len(self._pending) > HELD:
            self._room.clear()

    async def keep(self) -> None:
        """Write what was put, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(FLUSH)
            await self.flush()

    async def flush(self) -> None:
        """Write what was put so far."""
        batch, self._pending = self._pending, []
        self._some.clear()
        if batch:
            # Submitted is as good as written: writes are done in order, also after a cancel.
            with suppress(StorageError):
                await self._database.write(lambda c: logs.append(c, self._key, batch))
        self._room.set()


async def exit_code(process: asyncio.subprocess.Process) -> int:
    """Wait for a process's end and return its exit code.

    `Process.wait` of Python 3.11 waits for its pipes to end too, and a grandchild may hold those.
    """
    while process.returncode is None:  # noqa: ASYNC110 - nothing tells of an exit alone
        await asyncio.sleep(EXIT_LOOK)
    return process.returncode


async def _read(pipe: asyncio.StreamReader, lines: LineReader, log: _Log) -> None:
    try:
        while data := await pipe.read(65536):
            await log.put(lines.feed(data))
    finally:
        log.add(lines.close())


def describe_exit(code: int) -> str:
    """Say how a process ended: the signal's name, or its exit code."""
    if code >= 0:
        return f"the process ended with exit code {code} in the middle of the run"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the process was killed by {name}"
