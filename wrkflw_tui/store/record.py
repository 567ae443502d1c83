"""What a walk needs of a run's record, read in one go."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.journal import Entry

if TYPE_CHECKING:
    import sqlite3


@dataclass(slots=True)
class Record:
    """A run's record at the moment of a claim."""

    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    """The latest attempt at every path."""
    order: int = 0
    """The number of the last start or end."""
    answers: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """What was answered, by the step's path and the question's key."""
    events: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])
    """Events that nobody took: message id, name and payload, the earliest first."""
    asked: dict[int, int] = field(default_factory=dict[int, int])
    """Where the ends of the attempts that have asked stand, by the attempts' orders."""
    last_message: int = 0
    states: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    deadline: int | None = None
    forked_at: str | None = None
    forked_input: str | None = None
    cancel_requested: bool = False


def load_record(connection: sqlite3.Connection, key: int) -> Record:
    """Read a run's record."""
    row = connection.execute(
        "SELECT budget_from, last_event, state, deadline, forked_from_path, forked_input,"
        " cancel_requested FROM wrkflw_workflow_runs WHERE id = ?",
        (key,),
    ).fetchone()
    entries = load_entries(connection, key, cast("int", row["budget_from"]))
    record = Record(
        entries=entries,
        order=max(cast("int", row["last_event"]), _last_number(connection, key)),
        states=json.loads(row["state"] or "{}"),
        deadline=row["deadline"],
        forked_at=row["forked_from_path"],
        forked_input=row["forked_input"],
        cancel_requested=bool(row["cancel_requested"]),
    )
    asked = connection.execute(
        "SELECT n, ended FROM wrkflw_step_results WHERE run = ? AND status = 'suspended'", (key,)
    )
    record.asked = dict(asked.fetchall())
    messages = connection.execute(
        "SELECT id, kind, path, name, payload, refused, taken_by FROM wrkflw_messages"
        " WHERE run = ? ORDER BY id",
        (key,),
    )
    for message in messages:
        if message["kind"] != "cancel":  # the row tells of those that still hold
            hear(record, message)
    record.last_message = newest_message(connection)
    return record


def _last_number(connection: sqlite3.Connection, key: int) -> int:
    row = connection.execute(
        "SELECT coalesce(max(max(n, coalesce(ended, 0))), 0) FROM wrkflw_step_results"
        " WHERE run = ?",
        (key,),
    ).fetchone()
    return cast("int", row[0])


def newest_message(connection: sqlite3.Connection) -> int:
    """Return the id of the newest message to any run."""
    row = connection.execute("SELECT coalesce(max(id), 0) FROM wrkflw_messages").fetchone()
    return cast("int", row[0])


def hear(record: Record, message: sqlite3.Row) -> None:
    """Add a message, a row with the columns that `load_record` reads."""
    record.last_message = message["id"]
    if message["kind"] == "cancel":
        record.cancel_requested = True
    elif message["kind"] == "event" and message["taken_by"] is None:
        record.events.append((message["id"], message["name"], message["payload"]))
    elif message["kind"] == "answer" and message["refused"] is None:
        record.answers[message["path"], message["name"]] = message["payload"]


def load_entries(
    connection: sqlite3.Connection, key: int, budget_from: int = 0
) -> dict[str, Entry]:
    """Read the latest attempt at every path, with what came of those before it.

    Failures and crashes up to the order `budget_from` are on record but no longer count.
    """
    entries: dict[str, Entry] = {}
    rows = connection.execute(
        "SELECT path, n, attempt, status, output, error, kind, wake_at, question"
        " FROM wrkflw_step_results WHERE run = ? ORDER BY n",
        (key,),
    )
    for path, n, attempt, status, output, error, kind, wake_at, question in rows:
        before = entries.get(path)
        entry = Entry(path, n, attempt, status, 0, 0, output, error, kind, wake_at, question)
        if before is not None:
            entry.failures = before.failures
        if n > budget_from:
            entry.failures += status == "failed"
            if status == "crashed":
                entry.crashes = 1 + (before.crashes if before is not None else 0)
        elif kind == "workflow" and status != "waiting":
            entry.wake_at = None  # the time that it had does not count either
        entries[path] = entry
    return entries
