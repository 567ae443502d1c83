"""A command that is run to its end, or to its time's: it and its output are never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from wrkflw_tui.worker.process import exit_code

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path

OUTPUT_KEPT = 2048
"""Bytes of what a command printed last that are kept."""
DRAIN = 1.0
"""Seconds that output may take to arrive after the command's end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command came to."""

    code: int | None
    """`None` where its time was up."""
    output: str


async def run_command(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    given: str,
    limit: float,
) -> Ended:
    """Run a command in a folder, with `given` on its standard input.

    After `limit` seconds, and where the caller is cancelled, its process group is killed. One that
    ends well may leave something behind. Raises `OSError` where the system has no room for it.
    """
    (life, held), (heard, said) = _pipe(), _pipe()
    tail = Tail(OUTPUT_KEPT)
    with life, held, heard, said:
        async with _reading(heard, tail) as reading:
            process = await _start(command, folder, environment, given, life, said)
            life.close()
            said.close()
            code = await _end(process, limit)
            await asyncio.wait({reading}, timeout=DRAIN)
    return Ended(code, tail.text)


async def _end(process: asyncio.subprocess.Process, limit: float) -> int | None:
    """Wait for its end; kill its group where that does not come in time, or is not a good one."""
    code: int | None = None
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                code = await exit_code(process)
    finally:
        if code != 0:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await exit_code(process)
    return code


@asynccontextmanager
async def _reading(pipe: IO[bytes], tail: Tail) -> AsyncGenerator[asyncio.Task[None]]:
    """Read a pipe within the block; what is left in it then, and whoever holds it, is let go."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    task = asyncio.create_task(tail.read(reader))
    try:
        yield task
    finally:
        transport.close()
        task.cancel()


async def _start(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    given: str,
    life: IO[bytes],
    said: IO[bytes],
) -> asyncio.subprocess.Process:
    with await asyncio.to_thread(_file_with, given) as file:
        descriptor = life.fileno()
        return await asyncio.create_subprocess_exec(
            # Not with the folder's own modules in place of Python's.
            *(sys.executable, "-P", "-m", "wrkflw_tui.worker.leash", str(descriptor), *command),
            stdin=file,
            stdout=said,
            stderr=said,
            pass_fds=(descriptor,),
            cwd=folder,
            env={**os.environ, **environment},
            start_new_session=True,
        )


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    """Return both ends of a pipe, as files: those may be closed more than once."""
    reads, writes = os.pipe()
    return os.fdopen(reads, "rb", buffering=0), os.fdopen(writes, "wb", buffering=0)


def _file_with(text: str) -> IO[bytes]:
    # A file, not a pipe: nobody waits where the command does not read it.
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(text.encode("utf-8", "backslashreplace"))
    file.seek(0)
    return file


class Tail:
    """Reads what is printed and keeps its end: it may be without end."""

    def __init__(self, kept: int) -> None:
        self._limit = kept
        self._kept = bytearray()

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Read until the stream ends."""
        while chunk := await stream.read(65536):
            self._kept += chunk
            del self._kept[: -self._limit]

    @property
    def text(self) -> str:
        """What was read last."""
        return self._kept.decode("utf-8", "backslashreplace")
