"""What a step takes, asked of its automation in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.errors import UnknownPath, WrkflwError
from wrkflw_tui.envfile import read_env_file

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui.forms.fields import Schema

TIMEOUT = 15.0
"""Seconds that an automation may take to say it."""


def ask_step_input(folder: Path, file: str, workflow_id: str, at: str) -> Schema:
    """Return the JSON Schema of what the step at a path takes; waits for the process.

    Raises `UnknownPath` where nothing there takes an input, and `WrkflwError` where the file
    cannot be asked.
    """
    command = [sys.executable, "-m", "wrkflw_tui.worker.step_input"]
    try:
        done = subprocess.run(
            [*command, str(folder / file), workflow_id, at],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=folder,
            env={**os.environ, **read_env_file(folder).values},
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WrkflwError(f"{file} took longer than {TIMEOUT:g} s to import") from None
    except OSError as error:
        raise WrkflwError(f"{file} cannot be asked: {error}") from error
    try:
        said = cast("dict[str, object]", json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        raise WrkflwError(
            f"{file} cannot be read (exit code {done.returncode}): see `wrkflw-tui check`"
        ) from None
    if "broken" in said:
        raise WrkflwError(f"{file} cannot be read: {said['broken']}")
    if "error" in said:
        raise UnknownPath(str(said["error"]))
    return cast("Schema", said["schema"])
