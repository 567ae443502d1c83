"""What `--json` prints: the shapes that a script can rely on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from wrkflw_tui.engine.models import parse_json

if TYPE_CHECKING:
    from datetime import datetime

    from wrkflw_tui.engine.models import (
        ErrorInfo,
        Question,
        RunSummary,
        StepResult,
        WorkflowSnapshot,
    )
    from wrkflw_tui.store.deliveries import Delivery
    from wrkflw_tui.store.logs import LogStretch

Shape = dict[str, object]


def run_shape(run: RunSummary) -> Shape:
    """Return a run as a list has it."""
    origin = run.forked_from
    return {
        "run_id": run.run_id,
        "workflow_id": run.workflow_id,
        "status": run.status,
        "trigger": run.trigger,
        "steps_done": run.steps_done,
        "steps_total": run.steps_total,
        "at_work": list(run.execution_path),
        "created_at": _iso(run.created_at),
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "updated_at": _iso(run.updated_at),
        "wake_at": _iso(run.wake_at),
        "seconds": _seconds(run.started_at, run.finished_at),
        "cancel_requested": run.cancel_requested,
        "error": error_shape(run.error),
        "forked_from": None if origin is None else {"run_id": origin.run_id, "path": origin.path},
        "follows": run.follows,
    }


def snapshot_shape(snapshot: WorkflowSnapshot) -> Shape:
    """Return a run with all that is on record of it."""
    latest = {id(result) for result in snapshot.step_results.values()}
    earlier = [attempt for attempt in snapshot.all_attempts if id(attempt) not in latest]
    return {
        **run_shape(snapshot.run),
        "input": snapshot.input_data,
        "result": snapshot.result,
        "state": snapshot.state,
        "questions": [question_shape(question) for question in snapshot.questions],
        "steps": [step_shape(result) for result in snapshot.step_results.values()],
        "earlier_attempts": [step_shape(attempt) for attempt in earlier],
    }


def delivery_shape(delivery: Delivery) -> Shape:
    """Return one thing that follows a run."""
    is_due = delivery.status == "pending" and delivery.begun_at is None
    return {
        "delivery_id": delivery.delivery_id,
        "event": delivery.event,
        "kind": delivery.kind,
        "target": delivery.target,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "created_at": _iso(delivery.created_at),
        "begun_at": _iso(delivery.begun_at),
        "next_at": _iso(delivery.next_at) if is_due else None,
        "ended_at": _iso(delivery.ended_at),
        "error": delivery.error,
        "output": delivery.output,
        "started_run": delivery.started_run,
    }


def step_shape(step: StepResult) -> Shape:
    """Return one attempt of a step."""
    progress = step.progress
    return {
        "path": step.path,
        "step_id": step.step_id,
        "kind": step.kind,
        "status": step.status,
        "attempt": step.attempt,
        "started_at": _iso(step.started_at),
        "finished_at": _iso(step.finished_at),
        "wake_at": _iso(step.wake_at),
        "seconds": _seconds(step.started_at, step.finished_at),
        "progress": None
        if progress is None
        else {"done": progress.done, "total": progress.total, "message": progress.message},
        "input": parse_json(step.input_json),
        "output": parse_json(step.output_json),
        "error": error_shape(step.error),
        "question": None if step.question is None else question_shape(step.question),
    }


def question_shape(question: Question) -> Shape:
    """Return what a run waits to be told."""
    return {"path": question.path, **json.loads(question.to_json())}


def error_shape(error: ErrorInfo | None) -> Shape | None:
    """Return a failure with its causes."""
    return None if error is None else json.loads(error.to_json())


def line_shapes(stretch: LogStretch) -> list[Shape]:
    """Return the lines of a stretch of a log."""
    return [line_shape(stretch, line) for line in stretch.lines]


def line_shape(stretch: LogStretch, line: str) -> Shape:
    """Return a line that a run has printed."""
    return {
        "at": stretch.at.isoformat(),
        "step": stretch.path,
        "stream": stretch.stream,
        "line": line,
    }


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _seconds(begun: datetime | None, ended: datetime | None) -> float | None:
    if begun is None or ended is None:
        return None
    return round((ended - begun).total_seconds(), 6)
