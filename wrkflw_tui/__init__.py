"""Typed, durable workflows for a person's own automations: what an author writes.

Names are loaded when first used, so that the screen, which needs none of them, starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from wrkflw_tui.engine import defaults as _defaults

if TYPE_CHECKING:
    from wrkflw_tui.engine.builder import WorkflowBuilder
    from wrkflw_tui.engine.context import StepCancelled, StepContext
    from wrkflw_tui.engine.create import create_workflow
    from wrkflw_tui.engine.errors import (
        AmbiguousAnswer,
        DefinitionChanged,
        DefinitionError,
        EventTimeout,
        GiveUp,
        InvalidAnswer,
        InvalidInput,
        InvalidState,
        NoState,
        NotSuspended,
        RunAlreadyClaimed,
        RunAlreadyStarted,
        RunEnded,
        RunNotFound,
        SecretNotFound,
        StepCrashed,
        StepNotRun,
        StepTimeout,
        StorageError,
        UnknownPath,
        WorkflowCancelled,
        WorkflowFailed,
        WorkflowSuspended,
        WrkflwError,
    )
    from wrkflw_tui.engine.events import (
        Event,
        RunEndedEvent,
        StepEnded,
        StepProgressed,
        StepStarted,
    )
    from wrkflw_tui.engine.models import (
        ErrorInfo,
        ForkOrigin,
        JsonValue,
        Question,
        RunStatus,
        RunSummary,
        StepFailure,
        StepResult,
        StepStatus,
        WorkflowSnapshot,
    )
    from wrkflw_tui.engine.retry import RetryPolicy
    from wrkflw_tui.engine.run import ForkedRun, WorkflowRun
    from wrkflw_tui.engine.schema import TooLarge, UnstorableValue
    from wrkflw_tui.engine.step import Step, create_step, step
    from wrkflw_tui.engine.workflow import Workflow
    from wrkflw_tui.schedules.schedule import Schedule, ScheduleError
    from wrkflw_tui.secrets import secret
    from wrkflw_tui.store.storage import WorkflowStorage

__all__ = [
    "AmbiguousAnswer",
    "DefinitionChanged",
    "DefinitionError",
    "ErrorInfo",
    "Event",
    "EventTimeout",
    "ForkOrigin",
    "ForkedRun",
    "GiveUp",
    "InvalidAnswer",
    "InvalidInput",
    "InvalidState",
    "JsonValue",
    "NoState",
    "NotSuspended",
    "Question",
    "RetryPolicy",
    "RunAlreadyClaimed",
    "RunAlreadyStarted",
    "RunEnded",
    "RunEndedEvent",
    "RunNotFound",
    "RunStatus",
    "RunSummary",
    "Schedule",
    "ScheduleError",
    "SecretNotFound",
    "Step",
    "StepCancelled",
    "StepContext",
    "StepCrashed",
    "StepEnded",
    "StepFailure",
    "StepNotRun",
    "StepProgressed",
    "StepResult",
    "StepStarted",
    "StepStatus",
    "StepTimeout",
    "StorageError",
    "TooLarge",
    "UnknownPath",
    "UnstorableValue",
    "Workflow",
    "WorkflowBuilder",
    "WorkflowCancelled",
    "WorkflowFailed",
    "WorkflowRun",
    "WorkflowSnapshot",
    "WorkflowStorage",
    "WorkflowSuspended",
    "WrkflwError",
    "create_step",
    "create_workflow",
    "secret",
    "step",
]

_HOMES = {
    "engine.builder": ("WorkflowBuilder",),
    "engine.context": ("StepCancelled", "StepContext"),
    "engine.create": ("create_workflow",),
    "engine.events": ("Event", "RunEndedEvent", "StepEnded", "StepProgressed", "StepStarted"),
    "engine.models": (
        "ErrorInfo",
        "ForkOrigin",
        "JsonValue",
        "Question",
        "RunStatus",
        "RunSummary",
        "StepFailure",
        "StepResult",
        "StepStatus",
        "WorkflowSnapshot",
    ),
    "engine.retry": ("RetryPolicy",),
    "engine.run": ("ForkedRun", "WorkflowRun"),
    "engine.schema": ("TooLarge", "UnstorableValue"),
    "engine.step": ("Step", "create_step", "step"),
    "engine.workflow": ("Workflow",),
    "schedules.schedule": ("Schedule", "ScheduleError"),
    "secrets": ("secret",),
    "store.storage": ("WorkflowStorage",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a checker would take any misspelt name for one that is there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'wrkflw_tui' has no attribute {name!r}")
        module = import_module(f"wrkflw_tui.{_HOME.get(name, 'engine.errors')}")
        value = getattr(module, name)
        globals()[name] = value
        return value


def _configured_storage() -> WorkflowStorage:
    from wrkflw_tui.config import load_config
    from wrkflw_tui.store.storage import shared_storage

    config = load_config()
    return shared_storage(config.database, config.max_result_bytes)


def _found_secret(name: str) -> str:
    from wrkflw_tui.secrets import find

    return find(name)


_defaults.storage_factory = _configured_storage
_defaults.secret_finder = _found_secret
