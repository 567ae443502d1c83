"""What `stream` yields: a run's record as typed events, in one order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from wrkflw_tui.engine.models import (
        ErrorInfo,
        JsonValue,
        NodeKind,
        Progress,
        Question,
        RunStatus,
        StepResult,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """An attempt began."""

    type: Literal["step-started"] = "step-started"
    path: str
    revision: int
    """Where it stands among all starts and ends of the run: follow on with `since=revision`."""
    at: datetime
    step_id: str
    kind: NodeKind
    attempt: int
    wake_at: datetime | None
    question: Question | None
    """The event that a `wait_for` awaits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgressed:
    """An attempt at work said how far it is. Only seen live: the last one is kept."""

    type: Literal["step-progressed"] = "step-progressed"
    path: str
    revision: int
    """That of the last start or end before it."""
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """An attempt ended."""

    type: Literal["step-ended"] = "step-ended"
    path: str
    revision: int
    at: datetime
    status: Literal["suspended", "success", "bailed", "failed", "crashed", "interrupted"]
    output: JsonValue
    error: ErrorInfo | None
    question: Question | None
    """What it asked, where it is `suspended`."""
    retry_at: datetime | None
    """When it is tried again, where it `failed` and is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEndedEvent:
    """The run ended; the last event, unless it is recovered."""

    type: Literal["run-ended"] = "run-ended"
    path: Literal[""] = ""
    revision: int
    at: datetime
    status: RunStatus
    result: JsonValue
    error: ErrorInfo | None


Event: TypeAlias = StepStarted | StepProgressed | StepEnded | RunEndedEvent


def events_of(results: Iterable[StepResult], since: int) -> list[Event]:
    """Return what attempts tell, numbered after `since`, in the order in which it happened."""
    return sorted(_all(results, since), key=lambda event: event.revision)


def _all(results: Iterable[StepResult], since: int) -> Iterator[Event]:
    for result in results:
        if result.order > since:
            yield StepStarted(
                path=result.path,
                revision=result.order,
                at=result.started_at,
                step_id=result.step_id,
                kind=result.kind,
                attempt=result.attempt,
                wake_at=result.wake_at if result.kind in ("sleep", "wait") else None,
                question=result.question if result.kind == "wait" else None,
            )
        status = result.status
        if result.ended is None or result.ended <= since or result.finished_at is None:
            continue
        if status in ("running", "waiting"):
            continue
        yield StepEnded(
            path=result.path,
            revision=result.ended,
            at=result.finished_at,
            status=status,
            output=result.output,
            error=result.error,
            question=result.question if result.kind == "step" else None,
            retry_at=result.wake_at if status == "failed" and result.kind == "step" else None,
        )
