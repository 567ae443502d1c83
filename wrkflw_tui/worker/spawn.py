"""Starting a worker in the background: by the app, and by a command that has work for it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import WrkflwError

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui.config import Config


class WorkerNotStarted(WrkflwError):
    """No worker could be started; says why."""


def log_file(config: Config) -> Path:
    """Return where a worker that was started so says what it does."""
    return config.database.with_name("worker.log")


def spawn(config: Config, *flags: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start a worker that outlives this process. Raises `WorkerNotStarted`.

    A plain `Popen`, for a worker that is left must live on: asyncio kills what it lets go of.
    """
    path = log_file(config)
    try:
        log = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    except OSError as error:
        raise WorkerNotStarted(f"cannot write {path}: {error.strerror}") from error
    command = [sys.executable, "-m", "wrkflw_tui", "worker", *flags]
    places = ["--folder", str(config.folder), "--database", str(config.database)]
    try:
        return subprocess.Popen(
            [*command, *places],
            bufsize=0,
            stdin=stdin,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerNotStarted(str(error)) from error
    finally:
        os.close(log)
