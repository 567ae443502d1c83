"""What a run is told: answers to its questions, and events. Each has one winner.

All functions run inside a transaction of their caller.
"""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, cast

from wrkflw_tui.engine.differences import with_bodies
from wrkflw_tui.engine.errors import (
    AmbiguousAnswer,
    InvalidAnswer,
    NotSuspended,
    RunEnded,
    RunNotFound,
    UnknownPath,
)
from wrkflw_tui.engine.models import ENDED, Question
from wrkflw_tui.engine.sealing import opened
from wrkflw_tui.store import claims, questions
from wrkflw_tui.store.graphs import GRAPH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrkflw_tui.engine.differences import Drawn


def answer(
    connection: sqlite3.Connection,
    run_id: str,
    path: str | None,
    key: str | None,
    payload: str,
    now: int,
) -> None:
    """Put an answer on record, and queue the run if it rests.

    Raises `RunNotFound`, `RunEnded`, `NotSuspended`, `AmbiguousAnswer`, `UnknownPath` and
    `InvalidAnswer`; each changes nothing.
    """
    run = _open_run(connection, run_id)
    asked = _asked(connection, run, run_id, questions.of_run(connection, run), path, key)
    _check(asked.schema, payload, f"the answer to {asked}")
    try:
        _insert(connection, run, "answer", asked.path, asked.key, payload, now)
    except sqlite3.IntegrityError:
        raise NotSuspended(f"{asked.path} in run {run_id} was answered already") from None
    claims.queue(connection, run)


def send_event(
    connection: sqlite3.Connection, run_id: str, name: str, payload: str, now: int
) -> None:
    """Put an event on record, and queue the run if it rests and waits for it.

    Raises `RunNotFound`, `RunEnded`, `NotSuspended` where the workflow awaits no such event, and
    `InvalidAnswer`; each changes nothing.
    """
    run = _open_run(connection, run_id)
    graph = connection.execute(
        f"SELECT {GRAPH} FROM wrkflw_workflow_runs WHERE id = ?", (run,)
    ).fetchone()["graph"]
    if graph is not None:
        schemas = event_schemas(graph, name)
        if not schemas:
            awaited = {repr(node.get("event")) for node in _waits(json.loads(graph))}
            names = ", ".join(sorted(awaited)) or "none"
            raise NotSuspended(
                f"run {run_id} never waits for an event {name!r}; it waits for {names}"
            )
        _check({"anyOf": schemas} if len(schemas) > 1 else schemas[0], payload, f"event {name!r}")
    _insert(connection, run, "event", "", name, payload, now)
    row = connection.execute(
        "SELECT 1 FROM wrkflw_step_results WHERE run = ? AND kind = 'wait' AND status = 'waiting'"
        " AND json_extract(question, '$.key') = ? LIMIT 1",
        (run, name),
    ).fetchone()
    if row is not None:
        claims.queue(connection, run)


def event_schemas(graph: str | None, name: str) -> list[object]:
    """Return the JSON Schemas of the event of that name, one for each node that awaits it."""
    nodes = cast("list[Drawn]", json.loads(graph or "[]"))
    return [node.get("schema") for node in _waits(nodes) if node.get("event") == name]


def _open_run(connection: sqlite3.Connection, run_id: str) -> int:
    row = connection.execute(
        "SELECT id, status FROM wrkflw_workflow_runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    if row is None:
        raise RunNotFound(f"no run {run_id} is on record")
    if row["status"] in ENDED:
        raise RunEnded(f"run {run_id} has ended already: {row['status']}")
    return cast("int", row["id"])


def _asked(
    connection: sqlite3.Connection,
    run: int,
    run_id: str,
    open_ones: list[Question],
    path: str | None,
    key: str | None,
) -> Question:
    """Return the question that an answer is for."""
    listed = ", ".join(question.path for question in open_ones)
    meant = [
        question
        for question in open_ones
        if path in (None, question.path) and key in (None, question.key)
    ]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise AmbiguousAnswer(f"run {run_id} has open questions at {listed}: say which with path=")
    has_path = (
        path is None
        or connection.execute(
            "SELECT 1 FROM wrkflw_step_results WHERE run = ? AND path = ? LIMIT 1", (run, path)
        ).fetchone()
    )
    is_open = f"open are: {listed}" if open_ones else "no question of it is open"
    if not has_path:
        raise UnknownPath(f"nothing is on record at {path!r} in run {run_id}; {is_open}")
    raise NotSuspended(f"run {run_id} does not wait for that answer; {is_open}")


def _waits(nodes: list[Drawn]) -> Iterator[Drawn]:
    for node in nodes:
        if node["kind"] == "wait":
            yield node
        inside = cast("list[Drawn]", node.get("nodes") or [])
        yield from _waits([*inside, *with_bodies(node)[1:]])


def _check(schema: object, payload: str, what: str) -> None:
    """Raise `InvalidAnswer`, with the fields named, where a payload does not fit its schema."""
    from jsonschema import Draft202012Validator  # 100 ms that nothing else here needs

    value: object = json.loads(opened(payload))
    errors = Draft202012Validator(cast("Any", schema)).iter_errors(cast("Any", value))  # pyright: ignore[reportUnknownMemberType] - jsonschema leaves its values untyped
    said = [f"{error.json_path}: {error.message}".removeprefix("$: ") for error in errors]
    said = [text.removeprefix("$.") for text in said]
    if said:
        raise InvalidAnswer(f"{what} does not fit: {'; '.join(said)}")


def _insert(
    connection: sqlite3.Connection,
    run: int,
    kind: str,
    path: str,
    name: str,
    payload: str,
    now: int,
) -> None:
    connection.execute(
        "INSERT INTO wrkflw_messages (run, kind, path, name, payload, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (run, kind, path, name, payload, now),
    )
