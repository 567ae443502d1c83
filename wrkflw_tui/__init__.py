"""Typed, durable workflows for a person's own automations: what an author writes.

Names are loaded when first used, so that the screen, which needs none of them, starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from wrkflw_tui.engine import defaults as _defaults

if TYPE_CHECKING:
    from wrkflw_tui.engine.builder import WorkflowBuilder, create_workflow
    from wrkflw_tui.engine.context import StepCancelled, StepContext
    from wrkflw_tui.engine.errors import (
        DefinitionError,
        GiveUp,
        InvalidInput,
        RunAlreadyClaimed,
        RunAlreadyStarted,
        RunEnded,
        RunNotFound,
        StepCrashed,
        StepNotRun,
        StepTimeout,
        StorageError,
        WorkflowCancelled,
        WorkflowFailed,
        WrkflwError,
    )
    from wrkflw_tui.engine.models import (
        ErrorInfo,
        RunSummary,
        StepFailure,
        StepResult,
        WorkflowSnapshot,
    )
    from wrkflw_tui.engine.retry import RetryPolicy
    from wrkflw_tui.engine.run import WorkflowRun
    from wrkflw_tui.engine.schema import UnstorableValue
    from wrkflw_tui.engine.step import Step, create_step, step
    from wrkflw_tui.engine.workflow import Workflow
    from wrkflw_tui.store.runs import WorkflowStorage

__all__ = [
    "DefinitionError",
    "ErrorInfo",
    "GiveUp",
    "InvalidInput",
    "RetryPolicy",
    "RunAlreadyClaimed",
    "RunAlreadyStarted",
    "RunEnded",
    "RunNotFound",
    "RunSummary",
    "Step",
    "StepCancelled",
    "StepContext",
    "StepCrashed",
    "StepFailure",
    "StepNotRun",
    "StepResult",
    "StepTimeout",
    "StorageError",
    "UnstorableValue",
    "Workflow",
    "WorkflowBuilder",
    "WorkflowCancelled",
    "WorkflowFailed",
    "WorkflowRun",
    "WorkflowSnapshot",
    "WorkflowStorage",
    "WrkflwError",
    "create_step",
    "create_workflow",
    "step",
]

_HOMES = {
    "engine.builder": ("WorkflowBuilder", "create_workflow"),
    "engine.context": ("StepCancelled", "StepContext"),
    "engine.models": (
        "ErrorInfo",
        "RunSummary",
        "StepFailure",
        "StepResult",
        "WorkflowSnapshot",
    ),
    "engine.retry": ("RetryPolicy",),
    "engine.run": ("WorkflowRun",),
    "engine.schema": ("UnstorableValue",),
    "engine.step": ("Step", "create_step", "step"),
    "engine.workflow": ("Workflow",),
    "store.runs": ("WorkflowStorage",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'wrkflw_tui' has no attribute {name!r}")
    module = import_module(f"wrkflw_tui.{_HOME.get(name, 'engine.errors')}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def _configured_storage() -> WorkflowStorage:
    from wrkflw_tui.config import load_config
    from wrkflw_tui.store.runs import shared_storage

    return shared_storage(load_config().database)


_defaults.storage_factory = _configured_storage
