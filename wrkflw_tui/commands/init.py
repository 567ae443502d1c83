"""`wrkflw-tui init`: a first automation to start from."""

from __future__ import annotations

import importlib.resources
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from wrkflw_tui.commands.printing import say
from wrkflw_tui.config import load_config
from wrkflw_tui.engine.errors import WrkflwError

if TYPE_CHECKING:
    from wrkflw_tui.config import Config

STARTER = "folder_report.py"
WORKFLOW = "folder-report"


class CannotWrite(WrkflwError):
    """The file could not be written; says why."""


def init(config: Config, directory: str | None) -> int:
    """Write the automation into a folder and print its path; raises `CannotWrite`.

    Without a `directory` that is the folder which the app shows.
    """
    folder = config.folder if directory is None else Path(directory).expanduser().absolute()
    path = write_starter(folder)
    print(path)
    is_found = folder == load_config().folder
    places = "" if is_found else f" --folder {shlex.quote(str(folder))}"
    say(
        "A first automation is there. Next:\n"
        f"  wrkflw-tui{places} run {WORKFLOW} --input top=3   run it\n"
        f"  wrkflw-tui{places}   watch it in the app: r runs it, e opens the file"
    )
    return 0


def write_starter(folder: Path) -> Path:
    """Write the file; nothing is ever overwritten. Raises `CannotWrite`."""
    content = (importlib.resources.files("wrkflw_tui.starter") / STARTER).read_text("utf-8")
    path = folder / STARTER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        there = path if path.exists() else folder
        raise CannotWrite(f"{there} is there already: nothing was written") from None
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror or error}") from error
    return path
