"""The runners' processes: forked off a warm one where that can be, else started from nothing.

A process that has ended is reaped only by `Child.reap`: until then nothing else can have its
number, and its group can be killed.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.worker.ears import Ears
from wrkflw_tui.worker.linux import IS_LINUX, NO_TOKEN, TOKEN_VARIABLE, adopt_orphans

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

EXIT_LOOK = 0.02
"""Seconds between two looks whether a process has ended, where nothing tells of it."""
PID_BYTES = 4
UNKNOWN_CODE = 255


class Pipes:
    """Both ends of what connects a runner with the worker."""

    def __init__(self) -> None:
        line, self.line = os.pipe()
        life, self.life = os.pipe()
        self.ears = Ears()
        self.given = (line, self.ears.out, self.ears.err, life, self.ears.hand)
        """The runner's: its three streams, the pipe that ends with the worker, and a socket."""

    def close_given(self) -> None:
        """Close the runner's ends: it has them now."""
        _close([self.given[0], self.given[3]])
        self.ears.started()

    def close(self) -> None:
        """Close the worker's ends."""
        _close([self.line, self.life])
        self.ears.close()


class Child:
    """A process that was started for a runner."""

    def __init__(self, pid: int, pipes: Pipes, popen: subprocess.Popen[bytes] | None) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.ears = pipes.ears
        self._popen = popen
        self._line, self._life = pipes.line, pipes.life
        self._unsaid = b""
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._handle: int | None = None
        self.is_reaped = False

    def watch(self) -> None:
        """Begin to watch for its end."""
        os.set_blocking(self._line, False)
        if IS_LINUX:
            with suppress(OSError):  # an old kernel
                self._handle = os.pidfd_open(self.pid)
                self._loop.add_reader(self._handle, self._look)
        if self._handle is None:
            self._poll()

    def _poll(self) -> None:
        self._look()
        if self.returncode is None:
            self._loop.call_later(EXIT_LOOK, self._poll)

    def _look(self) -> None:
        code = self._exit_code()
        if code is None or self.returncode is not None:
            return
        if self._handle is not None:
            self._loop.remove_reader(self._handle)
        self.returncode = code
        self._ended.set_result(code)

    def _exit_code(self) -> int | None:
        """Return how it ended, if it has; it is left unreaped where the system lets us."""
        if not IS_LINUX and self._popen is not None:
            return self._popen.poll()
        try:
            result = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return UNKNOWN_CODE  # somebody else has reaped it
        if result is None:
            return None
        is_exit = result.si_code == os.CLD_EXITED
        return result.si_status if is_exit else -result.si_status

    async def wait(self) -> int:
        """Wait for its end; return its exit code, or the number of the signal, negated."""
        return await asyncio.shield(self._ended)

    def say(self, words: bytes) -> None:
        """Write to its standard input; what there is no room for follows once there is."""
        if self.returncode is None and self._line >= 0:
            is_first = not self._unsaid
            self._unsaid += words
            if is_first:
                self._say_more()

    def _say_more(self) -> None:
        try:
            self._unsaid = self._unsaid[os.write(self._line, self._unsaid) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsaid = b""  # nobody listens any more
        if self._unsaid:
            self._loop.add_writer(self._line, self._say_more)
        else:
            self._loop.remove_writer(self._line)

    def hang_up(self) -> None:
        """Close its standard input."""
        line, self._line = self._line, -1
        if line >= 0:
            self._loop.remove_writer(line)
            _close([line])

    def reap(self) -> None:
        """Let go of a process that has ended."""
        if self.is_reaped or self.returncode is None:
            return
        self.is_reaped = True
        if self._popen is not None:
            self._popen.wait()
        else:
            with suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)
        self.hang_up()
        self.ears.close()
        _close([self._life, *([] if self._handle is None else [self._handle])])


class Children:
    """Starts runners' processes, one at a time."""

    def __init__(self, folder: Path, database: Path, *, may_fork: bool = True) -> None:
        self._folder = folder
        self._database = database
        self._can_fork = may_fork and IS_LINUX and adopt_orphans()
        self._server: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._turn = asyncio.Lock()
        self._living: set[Child] = set()

    @property
    def pids(self) -> set[int]:
        """Who is reaped by what is kept here."""
        self._living = {child for child in self._living if not child.is_reaped}
        server = set[int]() if self._server is None else {self._server.pid}
        return server | {child.pid for child in self._living}

    async def start(self) -> Child:
        """Start a process. Raises `OSError` where the system has no room for one."""
        async with self._turn:
            pipes = Pipes()
            try:
                pid, popen = await self._fork(pipes), None
                if not pid:
                    popen = self._spawn(pipes)
                    pid = popen.pid
            except BaseException:
                pipes.close()
                raise
            finally:
                pipes.close_given()
            child = Child(pid, pipes, popen)
            self._living.add(child)
            child.watch()
            return child

    async def _fork(self, pipes: Pipes) -> int:
        if not self._can_fork:
            return 0
        try:
            if self._socket is None:
                self._open_server()
            assert self._socket is not None
            socket.send_fds(self._socket, [b"."], pipes.given)
            answer = await asyncio.get_running_loop().sock_recv(self._socket, PID_BYTES)
        except OSError:
            answer = b""
        except BaseException:
            self.close()  # its answer would be taken for that to the next request
            raise
        if len(answer) < PID_BYTES:
            self.close()  # it is gone; the next runner gets a new one
            return 0
        return int.from_bytes(answer, sys.byteorder)

    def _open_server(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            streams = (subprocess.DEVNULL, None, None)
            self._server = self._python("forkserver", [theirs.fileno()], streams)
        self._socket = ours

    def _spawn(self, pipes: Pipes) -> subprocess.Popen[bytes]:
        line, out, error, life, hand = pipes.given
        return self._python("runner", [life, hand], (line, out, error))

    def _python(
        self, module: str, kept: list[int], streams: tuple[int | None, int | None, int | None]
    ) -> subprocess.Popen[bytes]:
        first, *more = map(str, kept)
        return subprocess.Popen(
            [
                *(sys.executable, "-m", f"wrkflw_tui.worker.{module}"),
                *(first, str(self._folder), str(self._database), *more),
            ],
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            pass_fds=kept,
            cwd=self._folder,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", TOKEN_VARIABLE: NO_TOKEN},
        )

    def close(self) -> None:
        """Let the process that forks end; the runners are not touched."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        with suppress(OSError):
            os.close(descriptor)
