"""Which files of the folder an automation imports, read off its text: nothing is run."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def local_imports(path: Path) -> set[Path]:
    """Return the files beside `path`, or below, that it imports, also by way of one another."""
    folder, found, waiting = path.parent, set[Path](), [path]
    while waiting:
        for one in _imported(waiting.pop(), folder):
            if one != path and one not in found and one.is_relative_to(folder):
                found.add(one)
                waiting.append(one)
    return found


def _imported(path: Path, folder: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return  # whoever imports it is told
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(alias.name.split("."), folder)
        elif isinstance(node, ast.ImportFrom):
            start, parts = folder, (node.module or "").split(".") if node.module else []
            if node.level:
                start = path.parents[min(node.level, len(path.parents)) - 1]
            for alias in node.names:
                yield from _files_of([*parts, alias.name], start)


def _files_of(parts: list[str], start: Path) -> Iterator[Path]:
    """Yield the files that importing a dotted name from a folder runs."""
    place = start
    for part in parts:
        place = place / part
        for file in (place.with_name(f"{part}.py"), place / "__init__.py"):
            if file.is_file():
                yield file
