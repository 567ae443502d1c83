"""What a run says, as its runner sends it: each piece with the step that said it.

What Python writes goes out in frames that carry their step. What a child process writes carries
nothing: where steps run one at a time it belongs to the step that spawned last, which an audit hook
marks in the stream. Where several are at work at once, a child that would inherit the output gets a
pipe of its own (`subprocess` and `asyncio`'s subprocesses). What cannot be told apart there, and
goes to the step that spawned last: what `os.system`, `os.fork` and `os.posix_spawn` start, and what
is written to descriptor 1 or 2 directly.
"""

from __future__ import annotations

import io
import logging
import os
import select
import sys
import threading
import time
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.context import current_step
from wrkflw_tui.worker.marks import ATOMIC, frame, spawn

if TYPE_CHECKING:
    from typing_extensions import Buffer

HOLD = 0.005
"""Seconds that a line which follows another closely is held back at most, to go out with more."""
PIECES = 2048
"""Pieces of text that are held back at most."""

_SPAWNS = frozenset({"subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "pty.spawn"})
_DEADLY = frozenset({"os.kill", "os.killpg", "os.exec", "signal.pthread_kill"})

_step = current_step.get
_path, _text = itemgetter(0), itemgetter(1)


class MarkedStream(io.TextIOBase):
    """Stands for `sys.stdout` or `sys.stderr`: what is written goes out with its step.

    A line that comes alone goes out at once. Those of a burst go out together, milliseconds later:
    a system call for each would cost a step that prints much more than the printing. A process that
    is killed from outside in a burst loses these milliseconds.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int, nonce: str) -> None:
        self._descriptor = descriptor
        # A step may close the descriptor or put a file in its place.
        self._pipe = os.dup(descriptor)
        self._nonce = nonce
        self._pending: list[tuple[str, str]] = []
        self._add = self._pending.append
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._is_awake = False
        self._has_ticker = False
        self.buffer = _Bytes(self)

    def fileno(self) -> int:
        """Return the real descriptor, for children."""
        return self._descriptor

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str, /) -> int:
        """Write; a line of a burst goes out with those after it."""
        self._add((_step(), text))
        if text[-1:] == "\n":
            if not self._is_awake:
                self._begin_burst()
            elif len(self._pending) > PIECES:
                self.flush()
        elif len(self._pending) > PIECES or len(text) > ATOMIC:
            self.flush()
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes at once."""
        with self._lock:
            self.flush()
            self._send(_step(), data)

    def flush(self) -> None:
        """Send what is held back."""
        with self._lock:
            pending = self._pending
            batch = pending[:]
            del pending[: len(batch)]  # others may append meanwhile
            if len(set(map(_path, batch))) <= 1:
                runs = [(batch[0][0], batch)] if batch else []  # most often: much less to do
            else:
                runs = [(path, list(pieces)) for path, pieces in groupby(batch, _path)]
            for path, pieces in runs:
                self._send(path, "".join(map(_text, pieces)).encode("utf-8", "backslashreplace"))

    def mark(self, path: str) -> None:
        """Say to which step unmarked output belongs from here on."""
        with self._lock:
            self.flush()
            self._put(spawn(self._nonce, path, micros_now()))

    def start_ticker(self) -> None:
        """Begin to send what is held back when nothing more comes."""
        self._has_ticker = True
        threading.Thread(target=self._tick, name="wrkflw-output", daemon=True).start()

    def after_fork(self) -> None:
        """Go on in a forked child, where the other threads are gone."""
        self._lock = threading.RLock()
        self._has_ticker = False
        self._is_awake = False
        self._pending.clear()

    def _begin_burst(self) -> None:
        """Send the line that comes first; what comes soon after it waits for the ticker."""
        self.flush()
        if self._has_ticker:
            self._is_awake = True
            self._wake.set()

    def _tick(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            time.sleep(HOLD)
            while self._pending:
                self.flush()
                time.sleep(HOLD)
            self._is_awake = False
            self.flush()

    def _send(self, path: str, data: bytes) -> None:
        at = micros_now()
        room = ATOMIC - len(frame(self._nonce, path, at, ATOMIC))
        for start in range(0, len(data), max(room, 256)):
            piece = data[start : start + max(room, 256)]
            self._put(frame(self._nonce, path, at, len(piece)) + piece)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._pipe, left) :]
            except BlockingIOError:  # a child has made the pipe so, for all who share it
                select.select((), (self._pipe,), ())
            except (BrokenPipeError, OSError):
                return  # nobody listens any more


class _Bytes(io.RawIOBase):
    """The stream's `buffer`: bytes, with the step that wrote them."""

    def __init__(self, stream: MarkedStream) -> None:
        self._stream = stream

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        content = bytes(data)
        self._stream.write_bytes(content)
        return len(content)


def install(nonce: str) -> tuple[MarkedStream, MarkedStream]:
    """Put marked streams in the place of this process's own, and logging on the second."""
    out, err = MarkedStream(1, nonce), MarkedStream(2, nonce)
    sys.stdout, sys.stderr = out, err
    logging.basicConfig(stream=err, level=logging.INFO, format="%(levelname)s %(message)s")
    for stream in (out, err):
        stream.start_ticker()
        os.register_at_fork(after_in_child=stream.after_fork)

    def on_audit(event: str, _arguments: tuple[Any, ...]) -> None:
        if event in _SPAWNS:
            path = current_step.get()
            out.mark(path)
            err.mark(path)
        elif event in _DEADLY:
            out.flush()
            err.flush()

    sys.addaudithook(on_audit)
    _flush_at_exit(out, err)
    return out, err


def _flush_at_exit(*streams: MarkedStream) -> None:
    leave = os._exit

    def flush_and_leave(status: int) -> None:
        for stream in streams:
            stream.flush()
        leave(status)

    os._exit = flush_and_leave  # type: ignore[assignment] - it does not return either
