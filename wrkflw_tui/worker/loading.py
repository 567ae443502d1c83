"""Importing one automation file: used by the runner and by the look at the folder."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.builder import WorkflowBuilder
from wrkflw_tui.engine.errors import WrkflwError, describe_error
from wrkflw_tui.engine.workflow import Workflow

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


class AutomationError(WrkflwError):
    """A file of the automations folder cannot be used; says which and why."""

    def __init__(self, message: str, line: int | None = None, trace: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.trace = trace


def load_workflows(path: Path) -> dict[str, Workflow[object, object]]:
    """Import a file and return its workflows by id. Raises `AutomationError`."""
    module = _import(path)
    found: dict[str, Workflow[object, object]] = {}
    for name, value in vars(module).items():
        if isinstance(value, WorkflowBuilder):
            raise AutomationError(f"{name} is not finished: call .commit() on it")
        if not isinstance(value, Workflow):
            continue
        workflow = cast("Workflow[object, object]", value)
        twin = found.get(workflow.id)
        if twin is not None and twin is not workflow:
            raise AutomationError(f"two workflows of this file have the id {workflow.id!r}")
        found[workflow.id] = workflow
    return found


def _import(path: Path) -> ModuleType:
    """Import the file under a name of its own; its folder is importable for it."""
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # The plain name: so that files may import one another, and pickled values find their classes.
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise AutomationError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        text = traceback.format_exc(limit=0)
        raise AutomationError(f"SyntaxError: {error.msg}", error.lineno, text) from error
    except (Exception, SystemExit) as error:
        raise AutomationError(
            str(describe_error(error)), _line_in(error, path), _trace(error, path)
        ) from error
    return module


def _line_in(error: BaseException, path: Path) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None


def _trace(error: BaseException, path: Path) -> str:
    """Return the traceback from the file on: how it was imported helps nobody."""
    frames = list(traceback.extract_tb(error.__traceback__))
    while frames and frames[0].filename != str(path):
        frames.pop(0)
    lines = traceback.StackSummary.from_list(frames).format()
    return "".join([*lines, *traceback.format_exception_only(error)])
