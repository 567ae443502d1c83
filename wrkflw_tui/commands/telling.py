"""`wrkflw-tui answer` and `wrkflw-tui send`: what a run that waits is told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

from wrkflw_tui.commands.care import Care
from wrkflw_tui.commands.exits import DONE, WRONG_CALL
from wrkflw_tui.commands.given import read_given
from wrkflw_tui.commands.outcome import question_lines
from wrkflw_tui.commands.printing import say
from wrkflw_tui.commands.record import reading, write
from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import AmbiguousAnswer
from wrkflw_tui.store import messages, runs

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from wrkflw_tui.commands.follow import Following
    from wrkflw_tui.config import Config
    from wrkflw_tui.engine.models import Question, WorkflowSnapshot
    from wrkflw_tui.forms.fields import Schema


def answer(
    config: Config,
    text: str,
    given: Sequence[str],
    path: str | None,
    key: str | None,
    how: Following | None,
) -> int:
    """Answer a question of a run; without an answer the questions are shown.

    Raises `WrongCall` where it does not fit, and what `messages.answer` does.
    """
    with reading(config) as connection:
        snapshot = runs.read_snapshot(connection, runs.find_run(connection, text))
    if not given and snapshot.questions:
        return _ask(snapshot)
    question = _meant(snapshot, path, key)
    payload = "null"
    if question is not None:
        payload = read_given(f"the answer to {question.path}", _schema(question.schema), given)
        path, key = question.path, question.key
    run_id = snapshot.run_id
    now = micros_now()
    return _tell(
        config, snapshot, how, lambda c: messages.answer(c, run_id, path, key, payload, now)
    )


def _ask(snapshot: WorkflowSnapshot) -> int:
    lines = "\n".join(question_lines(snapshot))
    if sys.stdin.isatty():
        print(lines)
        return DONE
    say(f"wrkflw-tui: which answer?\n{lines}")
    return WRONG_CALL


def _meant(snapshot: WorkflowSnapshot, path: str | None, key: str | None) -> Question | None:
    """Return the question that is meant; none where the record has to say why there is none."""
    found = [
        question
        for question in snapshot.questions
        if question.kind == "answer"
        and path in (None, question.path)
        and key in (None, question.key)
    ]
    if len(found) > 1:
        listed = "\n".join(question_lines(snapshot))
        raise AmbiguousAnswer(f"several questions are open: say which with --path\n{listed}")
    return found[0] if found else None


def send(config: Config, text: str, event: str, given: Sequence[str], how: Following | None) -> int:
    """Send a run an event. Raises `WrongCall` where it does not fit, and what `send_event` does."""
    with reading(config) as connection:
        snapshot = runs.read_snapshot(connection, runs.find_run(connection, text))
    schemas = messages.event_schemas(snapshot.graph_json, event)
    payload = "null"  # where nobody awaits it, the record has to say so
    if schemas:
        payload = read_given(f"event {event!r}", _schema(schemas[0]), given)
    now = micros_now()
    return _tell(
        config,
        snapshot,
        how,
        lambda c: messages.send_event(c, snapshot.run_id, event, payload, now),
    )


def _schema(schema: object) -> Schema:
    return cast("Schema", schema) if isinstance(schema, dict) else {}


def _tell(
    config: Config,
    snapshot: WorkflowSnapshot,
    how: Following | None,
    work: Callable[[sqlite3.Connection], object],
) -> int:
    run = snapshot.run
    if run.trigger == "library":
        write(config, work)
        say("told; the program that walks this run takes it from here, not the worker")
        return DONE
    care = Care(config, quiet=how is not None and how.quiet)
    care.write(work)
    if how is None:
        say(f"told; the run goes on: wrkflw-tui show {run.run_id} -f")
        return DONE
    from wrkflw_tui.commands.follow import follow

    return follow(config, run.run_id, how, care)
