"""`.env` beside the automations: values that each run is given in its environment.

What the environment has already holds over it, as with `dotenv` everywhere. Every value in it is
taken for a secret.
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import WrkflwError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = ".env"
MOST = 24 * 1024
"""Bytes that it may have."""
MOST_GIVEN = 256 * 1024
"""The same for all that it gives: names in a value are replaced by theirs."""


class EnvFileError(WrkflwError):
    """`.env` cannot be read; says which line and why, and nothing of what is in it."""


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What `.env` gives to a run that starts now."""

    values: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """By name; where the environment has a name already, its value."""
    warning: str = ""
    """What a person should see to."""


NO_FILE = EnvFile()


def read_env_file(folder: Path) -> EnvFile:
    """Read the folder's `.env`; without one there are no values. Raises `EnvFileError`."""
    path = folder / FILE
    try:
        # A named pipe must not hold up whoever reads.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return NO_FILE
    except OSError as error:
        raise EnvFileError(f"{path} cannot be read: {error.strerror}") from error
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            return NO_FILE  # a virtual environment may have that name
        if not stat.S_ISREG(mode):
            raise EnvFileError(f"{path} cannot be read: it is no plain file")
        data = os.read(descriptor, MOST + 1)
    finally:
        os.close(descriptor)
    if len(data) > MOST:
        raise EnvFileError(f"{path} cannot be used: it has more than {MOST // 1024} KB")
    return EnvFile(_parsed(path, data), _warning(path, mode))


def _parsed(path: Path, data: bytes) -> dict[str, str]:
    from dotenv.main import DotEnv  # most folders have no such file, and need not wait for it

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EnvFileError(f"{path}, line {line}: it is not UTF-8") from None
    _check(path, text)
    given = DotEnv(None, stream=io.StringIO(text), override=False).dict()
    values = {name: value for name, value in given.items() if value is not None}
    for name, value in values.items():
        if "\0" in name + value:
            raise EnvFileError(f"{path}: {name!r} holds a NUL, which no environment can")
    values = {name: os.environ.get(name, value) for name, value in values.items()}
    if sum(map(len, values.values())) > MOST_GIVEN:
        raise EnvFileError(f"{path} cannot be used: its values are over {MOST_GIVEN // 1024} KB")
    return values


def _check(path: Path, text: str) -> None:
    """Raise `EnvFileError` where a line is none that `dotenv` reads: it would leave it out."""
    from dotenv.parser import parse_stream

    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            said = binding.original.string
            blank = said[: len(said) - len(said.lstrip())]
            line = binding.original.line + blank.count("\n")
            raise EnvFileError(
                f"{path}, line {line}: it is not NAME=value"
                " (a value with spaces before or after it, quotes or # goes in quotes)"
            )


def _warning(path: Path, mode: int) -> str:
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"{path} is open to other users: chmod 600 {path}"
    return ""
