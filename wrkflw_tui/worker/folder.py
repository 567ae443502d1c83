"""Which automation files lie in the folder, and whether they are as they were."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from wrkflw_tui.store.catalog import AutomationFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


SETTINGS = "wrkflw.toml"
"""Says what is kept of the folder's workflows, and what follows their runs."""


def scan(folder: Path) -> dict[str, AutomationFile]:
    """List the folder's automation files, and its settings; an unreadable folder has none."""
    found: dict[str, AutomationFile] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not _is_ours(entry.name):
                continue
            with suppress(OSError):
                if entry.is_file():
                    stat = entry.stat()
                    found[entry.name] = AutomationFile(
                        entry.name, stat.st_size, stat.st_mtime_ns, "ok"
                    )
    return dict(sorted(found.items()))


def _is_ours(name: str) -> bool:
    return name == SETTINGS or (name.endswith(".py") and not name.startswith(("_", ".")))


def stamps(folder: Path, files: Iterable[str]) -> str:
    """Say as JSON how files of the folder are now, so that a later look can tell a change."""
    found: dict[str, list[int] | None] = {}
    for file in sorted(files):
        found[file] = None
        with suppress(OSError):
            stat = os.stat(folder / file)
            found[file] = [stat.st_size, stat.st_mtime_ns]
    return json.dumps(found)


def is_known(folder: Path, file: AutomationFile, known: AutomationFile | None) -> bool:
    """Tell whether a file, and all it imports, is as it was when the catalogue looked at it."""
    if known is None or known.status == "loading":
        return False
    if (file.size, file.mtime_ns) != (known.size, known.mtime_ns):
        return False
    imports = cast("dict[str, object]", json.loads(known.imports))
    return not imports or stamps(folder, imports) == known.imports
