"""What the tests of the automations share: the modules, and a context for a single step."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

import pytest

from wrkflw_tui import StepContext, Workflow
from wrkflw_tui.engine.frames import Frame, StateView
from wrkflw_tui.engine.nodes import StepNode
from wrkflw_tui.engine.values import Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from pydantic import BaseModel

    from wrkflw_tui import Step
    from wrkflw_tui.engine.journal import Journal
    from wrkflw_tui.engine.models import Progress

AUTOMATIONS = Path(__file__).parents[2] / "automations"

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


@dataclass
class Around:
    """What a step sees of the run around it: results and an input that a test gives."""

    init: str = "null"
    results: dict[str, str] = field(default_factory=dict)
    progress: list[Progress] = field(default_factory=list)

    def recorded_output(self, scope: str, step_id: str) -> str | None:
        return self.results.get(step_id)

    def recorded_items(self, scope: str, step_id: str) -> list[str] | None:
        return None

    def answer(self, path: str, key: str) -> str | None:
        return None

    def report(self, path: str, progress: Progress) -> None:
        self.progress.append(progress)


class ContextFor(Protocol):
    """Makes the context of one step that is called without an engine."""

    def __call__(
        self,
        step: Step[In, Out],
        init: BaseModel | None = None,
        *,
        results: dict[str, BaseModel] | None = None,
        run_id: str = "run-1",
        cancelled: bool = False,
    ) -> StepContext: ...


@pytest.fixture
def around() -> Around:
    return Around()


@pytest.fixture
def context_for(around: Around) -> ContextFor:
    def make(
        step: Step[In, Out],
        init: BaseModel | None = None,
        *,
        results: dict[str, BaseModel] | None = None,
        run_id: str = "run-1",
        cancelled: bool = False,
    ) -> StepContext:
        if init is not None:
            around.init = init.model_dump_json()
        for id, result in (results or {}).items():
            around.results[id] = result.model_dump_json()
        only = StepNode(cast("Step[object, object]", step))
        flow = Workflow[object, object]("under-test", "", None, None, (only,), None, ())
        value = Value(around.init, flow.input_schema)
        frame = Frame(flow, "", value, cast("Journal", None))
        context = StepContext(
            run_id=run_id,
            workflow_id="under-test",
            step_id=step.id,
            path=step.id,
            attempt=1,
            _walk=around,
            _frame=frame,
            _state=StateView(None),
        )
        if cancelled:
            context._cancelled.set()
        return context

    return make


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of the test's own: nothing outside `tmp_path` is read or written."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return home


@pytest.fixture
def load(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports an automation by its file's name, anew for each test."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(
            f"automation_{name}", AUTOMATIONS / f"{name}.py"
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load
