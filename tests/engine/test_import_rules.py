"""What may import what: the engine knows no file, screen or cron, and the screen starts light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import wrkflw_tui

PACKAGE = Path(wrkflw_tui.__file__).parent
SOURCES = sorted((PACKAGE / "engine").glob("*.py"))
FOREIGN = {"sqlite3", "textual", "croniter", "psutil", "jsonschema"}


def imported(source: Path) -> set[str]:
    """Return every module that a source names in an import, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.name} imports relatively"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_there_are_sources() -> None:
    assert len(SOURCES) > 10


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_no_source_of_the_engine_names_what_it_must_not_know(source: Path) -> None:
    names = imported(source)
    assert not {name for name in names if name.split(".")[0] in FOREIGN}
    own = {name for name in names if name.startswith("wrkflw_tui")}
    assert not {name for name in own if not name.startswith("wrkflw_tui.engine")} - {"wrkflw_tui"}


def loaded_by(statement: str) -> set[str]:
    """Return the names of all modules that a fresh process has loaded after the statement."""
    code = f"import sys; {statement}; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_the_engine_loads_nothing_of_them() -> None:
    modules = ", ".join(f"wrkflw_tui.engine.{source.stem}" for source in SOURCES)
    loaded = loaded_by(f"import {modules}")
    assert "wrkflw_tui.engine.walk" in loaded
    assert not loaded & FOREIGN
    assert not {name for name in loaded if name.startswith("wrkflw_tui.store")}


@pytest.mark.parametrize(
    "module",
    ["wrkflw_tui", "wrkflw_tui.cli", "wrkflw_tui.store.storage", "wrkflw_tui.drawing.text"],
)
def test_what_the_screen_needs_loads_no_heavy_library(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert module in loaded
    heavy = {"pydantic", "pydantic_core", "croniter", "psutil", "jsonschema", "textual"}
    assert not loaded & (heavy | {"keyring", "dotenv", "aiohttp"})


def test_a_schedule_is_said_without_what_computes_it() -> None:
    loaded = loaded_by("import wrkflw_tui; wrkflw_tui.Schedule('0 8 * * 1-5', timezone='UTC')")
    assert "wrkflw_tui.schedules.parser" in loaded
    assert not loaded & {"pydantic", "croniter", "tzlocal", "sqlite3", "asyncio", "textual"}


TRIGGERS = sorted((PACKAGE / "triggers").glob("*.py"))


@pytest.mark.parametrize("source", TRIGGERS, ids=lambda source: source.name)
def test_no_trigger_imports_an_automation_or_a_screen(source: Path) -> None:
    own = {name for name in imported(source) if name.startswith("wrkflw_tui")}
    forbidden = ("wrkflw_tui.tui", "wrkflw_tui.worker.loading", "wrkflw_tui.worker.runner")
    assert not {name for name in own if name.startswith(forbidden)}


def test_only_the_command_that_serves_imports_what_serves() -> None:
    users = {
        str(source.relative_to(PACKAGE))
        for source in PACKAGE.rglob("*.py")
        if {name.split(".")[0] for name in imported(source)} & {"aiohttp"}
        or any(name.startswith("wrkflw_tui.triggers") for name in imported(source))
    }
    assert {name for name in users if not name.startswith("triggers")} == {"commands/serve.py"}


COMMANDS = sorted((PACKAGE / "commands").glob("*.py"))


@pytest.mark.parametrize("source", COMMANDS, ids=lambda source: source.name)
def test_no_command_imports_an_automation_or_a_screen(source: Path) -> None:
    own = {name for name in imported(source) if name.startswith("wrkflw_tui")}
    forbidden = ("wrkflw_tui.tui", "wrkflw_tui.worker.loading", "wrkflw_tui.worker.runner")
    assert not {name for name in own if name.startswith(forbidden)}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list"],
        ["runs"],
        ["show", "x"],
        ["logs", "x"],
        ["cancel", "x"],
        ["schedules"],
        ["secrets"],
        ["run", "x"],
        ["answer", "x"],
        ["fork", "x", "y"],
        ["init", "made"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], tmp_path: Path) -> None:
    places = [] if arguments == ["--help"] else ["--folder", "f", "--database", "f/db"]
    call = f"""
import contextlib, io, os
os.chdir({str(tmp_path)!r})
from wrkflw_tui.cli import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()), \\
        contextlib.redirect_stderr(io.StringIO()):
    main({[*arguments, *places]!r})
"""
    loaded = loaded_by(f"exec({call!r})")
    heavy = {"pydantic", "pydantic_core", "croniter", "jsonschema", "textual", "argcomplete"}
    heavy |= {"keyring", "dotenv", "aiohttp"}
    assert "wrkflw_tui.commands.parser" in loaded
    assert not loaded & (heavy | {"asyncio", "tzlocal"})


def test_every_public_name_is_there_and_no_other() -> None:
    for name in wrkflw_tui.__all__:
        value = getattr(wrkflw_tui, name)
        if name not in ("Event", "JsonValue", "RunStatus", "StepStatus"):  # unions have no name
            assert value.__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = wrkflw_tui.nothing  # pyright: ignore[reportAttributeAccessIssue] - wrong on purpose
