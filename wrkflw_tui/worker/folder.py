"""Which automation files lie in the folder, without a look into them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.store.catalog import AutomationFile

if TYPE_CHECKING:
    from pathlib import Path


def scan(folder: Path) -> dict[str, AutomationFile]:
    """List the folder's automation files; an unreadable or missing folder has none."""
    found: dict[str, AutomationFile] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith(".py") or entry.name.startswith(("_", ".")):
                continue
            with suppress(OSError):
                if entry.is_file():
                    stat = entry.stat()
                    found[entry.name] = AutomationFile(
                        entry.name, stat.st_size, stat.st_mtime_ns, "ok"
                    )
    return dict(sorted(found.items()))


def is_known(file: AutomationFile, known: AutomationFile | None) -> bool:
    """Tell whether a file is as it was when the catalogue looked at it."""
    return (
        known is not None
        and (file.size, file.mtime_ns) == (known.size, known.mtime_ns)
        and known.status != "loading"
    )
