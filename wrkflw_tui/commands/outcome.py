"""What is said of a run that has ended, or waits to be told something."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from wrkflw_tui.commands.exits import code_of
from wrkflw_tui.commands.printing import print_json, say
from wrkflw_tui.commands.shapes import snapshot_shape
from wrkflw_tui.drawing.words import one_line, plain
from wrkflw_tui.forms.fields import fields_of

if TYPE_CHECKING:
    from wrkflw_tui.engine.models import ErrorInfo, Question, WorkflowSnapshot
    from wrkflw_tui.forms.fields import Schema


def tell_outcome(snapshot: WorkflowSnapshot, *, as_json: bool) -> int:
    """Print a run's result as data, or say why there is none; return the exit code."""
    if as_json:
        print_json(snapshot_shape(snapshot))
    elif snapshot.status == "success":
        print_json(snapshot.result)
    if snapshot.status == "failed":
        _tell_failure(snapshot)
    elif snapshot.status == "suspended":
        say("\n".join(question_lines(snapshot)))
    return code_of(snapshot.status)


def _tell_failure(snapshot: WorkflowSnapshot) -> None:
    error, run_id = snapshot.error, snapshot.run_id
    if error is not None:
        where = f" in {error.path}" if error.path else ""
        say(f"failed{where}: {one_line(str(error))}")
    say(
        f"  what happened     wrkflw-tui show {run_id}\n"
        f"  what it printed   wrkflw-tui logs {run_id}"
    )


def question_lines(snapshot: WorkflowSnapshot) -> list[str]:
    """Say what a run waits to be told, and how to tell it."""
    lines: list[str] = []
    several = sum(question.kind == "answer" for question in snapshot.questions) > 1
    for question in snapshot.questions:
        lines += _question(question)
        if question.kind == "event":
            lines.append(f"  wrkflw-tui send {snapshot.run_id} {question.key} JSON")
        else:
            path = f" --path {question.path}" if several else ""
            lines.append(f"  wrkflw-tui answer {snapshot.run_id} JSON{path}")
    return lines or ["the run waits for nothing that is still open"]


def _question(question: Question) -> list[str]:
    from wrkflw_tui.commands.given import takes

    if question.kind == "event":
        lines = [f"{question.path} waits for the event {question.key!r}"]
    else:
        lines = [f"{question.path} asks: {plain(question.reason or 'a question')}"]
    if question.payload is not None:
        about = json.dumps(question.payload, indent=2, ensure_ascii=False)
        lines += [f"  {line}" for line in plain(about).splitlines()]
    schema = cast("Schema | None", question.schema)
    if schema:
        lines += ["takes:", *takes(fields_of(schema))]
    return lines


def error_lines(error: ErrorInfo) -> list[str]:
    """Write an error with its causes and its traceback."""
    lines = [str(error)]
    cause = error.cause
    while cause is not None:
        lines.append(f"caused by {cause}")
        cause = cause.cause
    if error.traceback:
        lines += error.traceback.rstrip().splitlines()
    return plain("\n".join(lines)).splitlines()
