"""A runner's pipes as its worker holds them: read in turns, never waited for."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.worker.lines import LineReader
from wrkflw_tui.worker.overseer import TIMED
from wrkflw_tui.worker.private import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrkflw_tui.engine.masking import Masker
    from wrkflw_tui.store.logs import Stream
    from wrkflw_tui.worker.log import Log

try:
    import fcntl
except ImportError:
    fcntl = None

SIZE = 1 << 20
"""Bytes that a pipe holds while nobody reads it, where that can be chosen."""
TURN = 1 << 18
"""Bytes that are read of one pipe before the others have their turn."""
REST = 0.01
"""Seconds between two turns: to be woken by every line would cost writer and reader more."""
UNHEARD_REST = 1.0
"""The same, where nothing is kept: a process that was left behind must not keep us busy."""
HANDED = 1 << 16
"""Bytes of one message over the socket at most."""
DRAIN = 1.0
"""Seconds for which the last output of a runner that ended is read, if it is that much."""


class Ears:
    """The pipes of one runner, made before it is started."""

    def __init__(self) -> None:
        self._out, self.out = _pipe()
        self._err, self.err = _pipe()
        self._hand, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.hand = theirs.detach()
        """Over it the runner hands on the pipes of its children."""
        self._theirs = [self.out, self.err, self.hand]
        self._pipes: list[Pipe] = []

    def started(self) -> None:
        """Give up the runner's ends, which it has now."""
        while self._theirs:
            os.close(self._theirs.pop())

    def listen(
        self, nonce: str, log: Log, masker: Masker, on_timed: Callable[[bytes], object]
    ) -> None:
        """Read all that comes into the log, without the secrets in it.

        What is said of steps' times is handed on.
        """
        self._nonce, self._log, self._masker = nonce, log, masker
        self._on_timed = on_timed
        self._hand.setblocking(False)
        self._pipes = [
            Pipe(self._out, LineReader("stdout", nonce, masker), log, self._take),
            Pipe(self._err, LineReader("stderr", nonce, masker), log, self._take),
        ]
        self._out = self._err = -1
        asyncio.get_running_loop().add_reader(self._hand.fileno(), self._take)

    def _take(self) -> None:
        """Take what the runner hands over."""
        while self._hand.fileno() >= 0:
            try:
                message, descriptors, _, _ = socket.recv_fds(self._hand, HANDED, 1)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:
                self._stop_taking()
                return
            if message.startswith(SECRET):
                self._masker.add(*json.loads(message.removeprefix(SECRET)))
                continue
            if message.startswith(TIMED):
                self._on_timed(message)
                continue
            stream: Stream = "stderr" if message[:1] == b"2" else "stdout"
            path = message[1:].decode("utf-8", "backslashreplace")
            for descriptor in descriptors:
                reader = LineReader(stream, self._nonce, self._masker, path)
                self._pipes.append(
                    Pipe(descriptor, reader, self._log, self._take, self._pipes.remove)
                )

    def _stop_taking(self) -> None:
        if self._hand.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._hand.fileno())
            self._hand.close()

    async def drain(self) -> None:
        """Read what is left once the runner has ended, and let others write on unheard.

        The end of a pipe is not waited for: a process that was left behind may hold it for ever.
        """
        if self._hand.fileno() >= 0:
            self._take()
            self._stop_taking()
        deadline = time.monotonic() + DRAIN
        left = self._pipes[:]
        while left and time.monotonic() < deadline:
            left = [pipe for pipe in left if pipe.read() == TURN]
            await self._log.room()
        for pipe in self._pipes[:]:
            pipe.ignore()

    def close(self) -> None:
        """Close the pipes of a runner that was not listened to, and take no more of one that was.

        Those that were listened to are closed at their ends.
        """
        self.started()
        for descriptor in (self._out, self._err):
            if descriptor >= 0:
                os.close(descriptor)
        self._out = self._err = -1
        self._stop_taking()


class Pipe:
    """One pipe, read now and then while something is in it."""

    def __init__(
        self,
        descriptor: int,
        lines: LineReader,
        log: Log,
        heed: Callable[[], object],
        ended: Callable[[Pipe], object] | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._lines: LineReader | None = lines
        self._log = log
        self._heed = heed
        """Called before what was read is looked at: what must be masked in it may be under way."""
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._listen()

    def _listen(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._descriptor, self._on_readable)

    def _on_readable(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self.read()
        rest = REST if self._lines is not None else UNHEARD_REST
        self._log.when_room(lambda: self._loop.call_later(rest, self._listen))

    def read(self) -> int:
        """Read one turn's worth, and return how much there was."""
        size = 0
        while self._is_open and size < TURN:
            try:
                data = os.read(self._descriptor, TURN - size)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                data = b""
            if not data:
                self._close()
                break
            size += len(data)
            if self._lines is not None:
                self._heed()
                self._log.add(self._lines.feed(data))
        return size

    def ignore(self) -> None:
        """Keep nothing from here on, yet read, so that nobody is held up by a full pipe."""
        if self._lines is not None:
            self._log.add(self._lines.close())
            self._lines = None

    def _close(self) -> None:
        self.ignore()
        self._is_open = False
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        if self._ended is not None:
            with suppress(ValueError):
                self._ended(self)


def _pipe() -> tuple[int, int]:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    resize: int | None = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux alone has it
    if fcntl is not None and resize is not None:
        with suppress(OSError):  # the user's share of pipes is used up
            fcntl.fcntl(ours, resize, SIZE)
    return ours, theirs
