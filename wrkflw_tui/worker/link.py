"""The app's hold on a background worker: found, or started as a child, and let go again."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.worker.spawn import WorkerNotStarted, log_file, spawn

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from wrkflw_tui.config import Config
    from wrkflw_tui.store import leases
    from wrkflw_tui.store.database import Database

STOP_WORD = b"stop\n"
LEAVE_WORD = b"leave\n"
STOP_TIME = 12.0
"""Seconds that a worker may take to end gently."""
EXIT_LOOK = 0.02
"""Seconds between two looks whether it has ended."""
LEASE_SECONDS = 15.0
"""Seconds that a worker's lease holds after its last sign of life."""
SILENT = 9.5
"""Seconds without one that are too many: it gives one every three."""
AGAIN = 30.0
"""Seconds until another is started where several have ended at once."""
QUICK = 5.0
"""A worker that ends sooner than this many seconds after its start did not begin at all."""


class BackgroundWorker:
    """The worker of one folder, shared by every app that shows it."""

    def __init__(self, config: Config, database: Callable[[], Database]) -> None:
        self._config = config
        self._database = database
        self._process: subprocess.Popen[bytes] | None = None
        self._starting: asyncio.Future[None] | None = None
        self._started_at = 0.0
        self._failures = 0
        self._ended = False
        self._status = "worker starting"

    @property
    def status(self) -> str:
        """How it is with the worker: `worker ready`, or what is wrong."""
        return self._status

    @property
    def log_file(self) -> str:
        """Where a worker that the app started says what it does."""
        return str(log_file(self._config))

    async def start(self) -> None:
        """Start a worker, if no other holds the lease."""
        await self.check()

    async def check(self) -> None:
        """Say how it is, and start a worker when there is none."""
        if self._ended:
            return
        try:
            lease = await self._database().read(_held_lease)
        except StorageError as error:
            self._status = str(error)
            return
        if self._process is not None and (code := self._process.poll()) is not None:
            self._tell(self._process, b"")
            self._note_end(code)
        if lease is not None:
            mine = self._process is not None and lease.pid == self._process.pid
            other = f"worker ready (process {lease.pid})"
            self._status = self._silence(lease) or ("worker ready" if mine else other)
            self._failures = 0
        elif self._ended:
            return  # let go while the record was read
        elif self._process is not None:
            if asyncio.get_running_loop().time() - self._started_at > LEASE_SECONDS:
                self._status = self._cannot_write()
        elif self._failures < 3 or self._may_try_again():
            await self._spawn()
        else:
            self._status = f"no worker: it ended at once, three times; see {self.log_file}"

    def _may_try_again(self) -> bool:
        """Tell whether it is time to try once more: what was wrong may be over."""
        return asyncio.get_running_loop().time() - self._started_at > AGAIN

    def _silence(self, lease: leases.Lease) -> str:
        """Say that a worker which holds the lease does not renew it, or nothing."""
        silent = LEASE_SECONDS - (lease.expires_at - micros_now()) / 1e6
        return self._cannot_write() if silent > SILENT else ""

    def _cannot_write(self) -> str:
        return (
            f"no sign of life of the worker: the disk of {self._config.database} is full, or"
            f" another process holds it locked; runs go on by themselves when that is over"
            f" ({self.log_file} may say more)"
        )

    async def stop(self) -> None:
        """Stop our own worker gently: unfinished runs are queued, and go on with the next one."""
        process = await self._let_go()
        if process is None or process.poll() is not None:
            return
        self._tell(process, STOP_WORD)
        try:
            await asyncio.wait_for(_end_of(process), STOP_TIME)
        except TimeoutError:
            process.kill()
            await _end_of(process)

    async def stop_all(self) -> None:
        """Stop the worker gently, also one that another app, or somebody else, has started.

        Raises `WorkerStays` where it cannot be ended from here.
        """
        await self.stop()
        lease = await self._database().read(_held_lease)
        if lease is not None:
            from wrkflw_tui.worker.ending import end_holder

            await asyncio.to_thread(end_holder, lease)

    async def leave(self) -> None:
        """Let our own worker go on in the background without the app."""
        process = await self._let_go()
        if process is not None:
            self._tell(process, LEAVE_WORD)

    async def _let_go(self) -> subprocess.Popen[bytes] | None:
        """Start no other; return the one there is, even if it is just being started."""
        self._ended = True
        if self._starting is not None:
            await self._starting
        process, self._process = self._process, None
        return process

    def _note_end(self, code: int) -> None:
        self._process = None
        quick = asyncio.get_running_loop().time() - self._started_at < QUICK
        self._failures = self._failures + 1 if quick and code != 0 else 0
        self._status = f"worker ended (exit code {code}), starting another"

    async def _spawn(self) -> None:
        """Start one, on a thread: that takes some milliseconds, and the screen waits for none."""
        loop = asyncio.get_running_loop()
        self._status = "worker starting"
        self._started_at = loop.time()
        self._starting = loop.run_in_executor(None, self._open)
        await asyncio.shield(self._starting)  # whoever lets go meanwhile must get to know it

    def _open(self) -> None:
        try:
            self._process = spawn(self._config, "--for-app", stdin=subprocess.PIPE)
        except WorkerNotStarted as error:
            self._status = f"no worker: {error}"

    def _tell(self, process: subprocess.Popen[bytes], word: bytes) -> None:
        """Say the last word on its line and close it."""
        if process.stdin is not None:
            with suppress(OSError), process.stdin:
                process.stdin.write(word)


async def _end_of(process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:  # noqa: ASYNC110 - nothing tells of an exit alone
        await asyncio.sleep(EXIT_LOOK)


def _held_lease(connection: sqlite3.Connection) -> leases.Lease | None:
    from wrkflw_tui.store import leases  # not needed for the first frame

    lease = leases.find(connection, leases.WORKER)
    return lease if lease is not None and lease.holds(micros_now()) else None
