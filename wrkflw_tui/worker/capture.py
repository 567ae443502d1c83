"""What a run says, told apart by step: marks in the stream, and reading them again.

A line from Python carries the step that printed it. What a child process writes carries nothing:
it belongs to the step that spawned it last, which an audit hook marks in the stream. The nonce
keeps an automation from forging marks by accident.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.context import current_step
from wrkflw_tui.store.logs import Stream, Stretch

if TYPE_CHECKING:
    from collections.abc import Iterable

MARK = "\x1e"
END = "\x1f"
LONGEST = 1 << 20
"""Bytes of one line that are held back while its end has not come."""
STRETCH_LINES = 64
"""Lines that share a row of the record at most."""

_SPAWNS = frozenset({"subprocess.Popen", "os.fork", "os.posix_spawn", "os.system", "pty.spawn"})


class MarkedStream(io.TextIOBase):
    """Stands for `sys.stdout` or `sys.stderr`: each line goes out with the step that wrote it."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int, nonce: str) -> None:
        self._descriptor = descriptor
        self._nonce = nonce
        self._partial: dict[str, str] = {}
        self._lock = threading.RLock()
        self.buffer = os.fdopen(os.dup(descriptor), "wb", buffering=0)

    def fileno(self) -> int:
        """Return the real descriptor, for children."""
        return self._descriptor

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str, /) -> int:
        """Write; whole lines go out at once, the rest waits for its end."""
        path = current_step.get()
        with self._lock:
            lines = (self._partial.pop(path, "") + text).split("\n")
            if lines[-1]:
                self._partial[path] = lines[-1]
            if len(lines) > 1:
                mark = f"{MARK}{self._nonce}:{path}{END}"
                self._send("".join(f"{mark}{line}\n" for line in lines[:-1]))
        return len(text)

    def finish(self) -> None:
        """Send what still waits for the end of its line."""
        with self._lock:
            partial, self._partial = self._partial, {}
            for path, line in partial.items():
                self._send(f"{MARK}{self._nonce}:{path}{END}{line}\n")

    def mark(self, path: str) -> None:
        """Say to which step unmarked output belongs from here on."""
        with self._lock:
            self._send(f"{MARK}{self._nonce}={path}{END}\n")

    def _send(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:
            data = data[os.write(self._descriptor, data) :]


def install(nonce: str) -> tuple[MarkedStream, MarkedStream]:
    """Put marked streams in the place of this process's own, and logging on the second."""
    out, err = MarkedStream(1, nonce), MarkedStream(2, nonce)
    sys.stdout, sys.stderr = out, err
    logging.basicConfig(stream=err, level=logging.INFO, format="%(levelname)s %(message)s")

    def on_audit(event: str, _arguments: tuple[Any, ...]) -> None:
        if event in _SPAWNS:
            path = current_step.get()
            out.mark(path)
            err.mark(path)

    sys.addaudithook(on_audit)
    return out, err


class LineReader:
    """Turns one stream's bytes into stretches of lines."""

    def __init__(self, stream: Stream, nonce: str) -> None:
        self._stream: Stream = stream
        self._mark = f"{MARK}{nonce}".encode()
        self._rest = b""
        self._path = ""

    def feed(self, data: bytes) -> list[Stretch]:
        """Return the stretches of the lines that end in `data`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST:
            lines.append(self._rest)
            self._rest = b""
        return self._stretches(lines)

    def close(self) -> list[Stretch]:
        """Return what came after the last line's end."""
        rest, self._rest = self._rest, b""
        return self._stretches([rest] if rest else [])

    def _stretches(self, lines: Iterable[bytes]) -> list[Stretch]:
        now = micros_now()
        found: list[Stretch] = []
        path, together = "", list[str]()
        for owner, line in self._owned(lines):
            if together and (owner != path or len(together) >= STRETCH_LINES):
                found.append(Stretch(self._stream, path, now, tuple(together)))
                together = []
            path = owner
            together.append(line)
        if together:
            found.append(Stretch(self._stream, path, now, tuple(together)))
        return found

    def _owned(self, lines: Iterable[bytes]) -> Iterable[tuple[str, str]]:
        for line in lines:
            # A child may have left a line unfinished: a mark can stand anywhere.
            raw, *marked = line.split(self._mark)
            if raw or not marked:
                yield self._path, _text(raw)
            for piece in marked:
                head, _, text = piece.partition(END.encode())
                path = _text(head[1:])
                if head[:1] == b"=":
                    self._path = path
                else:
                    yield path, _text(text)


def _text(data: bytes) -> str:
    return data.removesuffix(b"\r").decode("utf-8", "backslashreplace")
