"""What the panes of a run say, as plain text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from wrkflw_tui.drawing.deliveries import delivery_lines
from wrkflw_tui.engine.models import OPEN
from wrkflw_tui.tui import text
from wrkflw_tui.tui.tree import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from wrkflw_tui.engine.models import ErrorInfo, StepResult
    from wrkflw_tui.tui.run_record import RunRecord

TABS = ("Output", "Input", "Logs", "Error", "Details")


def pane(record: RunRecord, path: str, tab: str, now: datetime) -> str:
    """Return the text of a tab but the logs', of the run itself where `path` is empty."""
    step = record.results.get(path)
    match tab:
        case "Output":
            return _output(record, path, step)
        case "Input":
            if path and step is None:
                return "not started yet"
            return text.pretty(step.input_json if step else record.input_json)
        case "Error":
            error = step.error if step else (None if path else record.run and record.run.error)
            return error_text(error) if error else "no error"
        case _:
            return "\n".join(
                _step_details(record, path, now) if path else _run_details(record, now)
            )


def _output(record: RunRecord, path: str, step: StepResult | None) -> str:
    if not path:
        if record.result_json is not None:
            return text.pretty(record.result_json)
        status = record.run.status if record.run else "queued"
        return f"none: the run is {text.mark(status)[1]}" if record.run else ""
    if step is None:
        return "not started yet"
    if step.output_json is not None:
        return text.pretty(step.output_json)
    if step.status in OPEN and step.question is not None:
        return question_text(step.question.to_json())
    return f"none: the step is {text.mark(step.status)[1]}"


def question_text(question_json: str) -> str:
    """Write what a suspended step asks: why, about what, and how an answer has to look."""
    try:
        content: object = json.loads(question_json)
    except ValueError:
        return text.plain(question_json)
    if not isinstance(content, dict):
        return text.pretty(question_json)
    asked = cast("dict[str, object]", content)
    parts = [f"? {asked.get('reason') or 'It waits for an answer.'}"]
    for name, title in (("key", "question"), ("payload", "about"), ("schema", "answer")):
        if asked.get(name) not in (None, ""):
            value = asked[name]
            said = value if isinstance(value, str) else text.pretty(json.dumps(value))
            parts += ["", title, said]
    return text.plain("\n".join(parts))


def error_text(error: ErrorInfo) -> str:
    """Write an error with its causes and tracebacks."""
    parts = [str(error)]
    if error.path:
        parts.append(f"in step {error.path}")
    cause = error.cause
    while cause is not None:
        parts.append(f"caused by {cause}")
        cause = cause.cause
    if error.traceback:
        parts += ["", error.traceback.rstrip()]
    return text.plain("\n".join(parts))


def _step_details(record: RunRecord, path: str, now: datetime) -> Iterator[str]:
    step = record.results.get(path)
    yield f"path        {path}"
    if step is None:
        yield "status      not started yet"
        return
    yield f"step        {step.step_id} ({step.kind})"
    yield f"status      {text.mark(step.status)[1]}"
    yield f"started     {text.exact(step.started_at)}"
    if step.finished_at:
        yield f"finished    {text.exact(step.finished_at)}"
    yield f"{'took' if step.finished_at else 'so far':<12}{text.duration(seconds_of(step, now))}"
    if step.progress is not None:
        done = text.number(step.progress.done)
        of = f" of {text.number(step.progress.total)}" if step.progress.total else ""
        yield f"progress    {done}{of} {text.one_line(step.progress.message)}"
    attempts = record.attempts_at(path)
    yield f"attempts    {len(attempts)}"
    if len(attempts) > 1:
        for attempt in attempts:
            glyph, word, _ = text.mark(attempt.status)
            why = f"  {text.one_line(str(attempt.error))}" if attempt.error else ""
            took = text.duration(seconds_of(attempt, now))
            yield f"  {attempt.attempt:>2} {glyph} {word:<11} {took:>8}{why}"


def _run_details(record: RunRecord, now: datetime) -> Iterator[str]:
    run = record.run
    if run is None:
        return
    yield f"run         {run.run_id}"
    yield f"workflow    {run.workflow_id}"
    asked = ", asked to cancel" if run.cancel_requested and run.finished_at is None else ""
    yield f"status      {text.mark(run.status)[1]}{asked}"
    yield f"started by  {trigger_words(run.trigger)}"
    if run.follows:
        yield f"follows     run {run.follows}"
    yield f"created     {text.exact(run.created_at)}"
    if run.started_at:
        yield f"started     {text.exact(run.started_at)}"
    if run.finished_at:
        yield f"finished    {text.exact(run.finished_at)}"
    if run.started_at:
        took = ((run.finished_at or now) - run.started_at).total_seconds()
        yield f"took        {text.duration(took)}"
    yield f"steps       {run.steps_done} of {run.steps_total}"
    if record.follow_ups:
        yield from ("", "follow-ups", *delivery_lines(record.follow_ups))


def trigger_words(trigger: str) -> str:
    """Say who started a run."""
    words = {"app": "the app", "cli": "the command line", "library": "a program", "http": "HTTP"}
    return words.get(trigger, f"a {trigger}")
