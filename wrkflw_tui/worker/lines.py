"""A runner's output, read again: stretches of lines, each with its step and its instant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.store.logs import Stream, Stretch
from wrkflw_tui.worker.marks import END, MARK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wrkflw_tui.engine.masking import Masker

LONGEST = 1 << 20
"""Bytes of one line that are held back while its end has not come."""
STRETCH_LINES = 256
"""Lines that share a row of the record at most."""
STRETCH_BYTES = 1 << 15
"""Bytes after which no more lines join a row."""

_END = END.encode()
_LONGEST_HEAD = 4096


class LineReader:
    """Turns one stream's bytes into stretches of lines.

    What is marked carries its own instant; what is not came between the marks around it. So the
    stretches of two streams can be put in order, as far as that can be known. Secrets are masked
    once lines are whole: they may come in pieces.
    """

    def __init__(self, stream: Stream, nonce: str, masker: Masker, path: str = "") -> None:
        self._stream: Stream = stream
        self._masker = masker
        self._mark = f"{MARK}{nonce}".encode()
        head = rb"([:=])(\d{1,4}):(\d{1,18}):([^\x1f]*)\x1f"
        self._head = re.compile(re.escape(self._mark) + head)
        self._rest = b""
        self._path = path
        """The step that spawned last: what is not marked is its."""
        self._raw = bytearray()
        self._partial: dict[str, bytearray] = {}
        self._at = 0
        self._found: list[tuple[str, int, bytes]] = []

    def feed(self, data: bytes) -> list[Stretch]:
        """Return the stretches of the lines that end in `data`."""
        now = micros_now()
        data = self._rest + data if self._rest else data
        position = 0
        while (start := data.find(self._mark, position)) >= 0:
            head = self._head.match(data, start)
            if head is None:
                if len(data) - start < _LONGEST_HEAD and _END not in data[start:]:
                    break
                # Somebody repeats the beginning of a mark: it is text.
                self._take_raw(data[position : start + 1], now, is_over=False)
                position = start + 1
                continue
            kind, length, at, path = _parts(head)
            body = head.end()
            if body + length > len(data):
                break
            self._take_raw(data[position:start], min(now, at), is_over=True)
            position = body + length
            if kind == b"=":
                self._path = path
            else:
                self._take(path, data[body:position], at)
        stop = start if start >= 0 else self._safe_end(data, position)
        self._take_raw(data[position:stop], now, is_over=False)
        self._rest = data[max(position, stop) :]
        return self._stretches()

    def close(self) -> list[Stretch]:
        """Return what came after the last line's end."""
        now = micros_now()
        self._take_raw(self._rest, now, is_over=True)
        self._rest = b""
        for path, partial in self._partial.items():
            if partial:
                self._add(path, bytes(partial), now)
        self._partial.clear()
        return self._stretches()

    def _safe_end(self, data: bytes, position: int) -> int:
        """Return where the raw part ends for certain: a mark may have been cut in two."""
        near = max(position, len(data) - len(self._mark))
        at = data.find(self._mark[:1], near)
        while at >= 0 and not self._mark.startswith(data[at:]):
            at = data.find(self._mark[:1], at + 1)
        return len(data) if at < 0 else at

    def _take_raw(self, data: bytes, at: int, *, is_over: bool) -> None:
        """Add what is not marked; before a mark it is over, with or without a line's end."""
        self._collect(self._path, self._raw, data, at)
        if is_over and self._raw:
            self._add(self._path, bytes(self._raw), at)
            self._raw.clear()

    def _take(self, path: str, data: bytes, at: int) -> None:
        partial = self._partial.get(path)
        if partial is None:
            partial = self._partial[path] = bytearray()
        self._collect(path, partial, data, at)
        if not partial:
            del self._partial[path]

    def _collect(self, path: str, partial: bytearray, data: bytes, at: int) -> None:
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            self._add(path, bytes(partial) + whole if partial else whole, at)
            partial.clear()
        partial += rest
        if len(partial) > LONGEST:
            end = self._masker.safe_cut(partial)
            self._add(path, bytes(partial[:end]), at)
            del partial[:end]

    def _add(self, path: str, block: bytes, at: int) -> None:
        self._at = max(self._at, at)
        self._found.append((path, self._at, block))

    def _stretches(self) -> list[Stretch]:
        found, self._found = self._found, []
        made: list[Stretch] = []
        lines: list[str] = []
        path, at, size = "", 0, 0
        for owner, when, block in found:
            if lines and (owner != path or size > STRETCH_BYTES or len(lines) >= STRETCH_LINES):
                made += self._cut(path, at, lines)
                lines, size = [], 0
            if not lines:
                path, at = owner, when
            lines += self._lines(block)
            size += len(block)
        return [*made, *self._cut(path, at, lines)]

    def _lines(self, block: bytes) -> list[str]:
        text = block.decode("utf-8", "backslashreplace")
        if "\r" in text:
            text = text.replace("\r\n", "\n").removesuffix("\r")
        return self._masker.mask(text).split("\n")

    def _cut(self, path: str, at: int, lines: list[str]) -> Iterable[Stretch]:
        for start in range(0, len(lines), STRETCH_LINES):
            yield Stretch(self._stream, path, at, tuple(lines[start : start + STRETCH_LINES]))


def _parts(head: re.Match[bytes]) -> tuple[bytes, int, int, str]:
    kind, length, at, path = head.groups()
    return kind, int(length), int(at), path.decode("utf-8", "backslashreplace")
