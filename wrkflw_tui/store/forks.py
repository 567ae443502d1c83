"""Putting a fork on record: a new run over a copy of another's results."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.differences import check_definition
from wrkflw_tui.engine.errors import RunAlreadyClaimed, RunNotFound, UnknownPath
from wrkflw_tui.engine.forking import is_settled, place_of
from wrkflw_tui.store import graphs
from wrkflw_tui.store.claims import is_abandoned
from wrkflw_tui.store.file import NEXT_RUN, next_run_revision
from wrkflw_tui.store.graphs import GRAPH
from wrkflw_tui.store.record import load_entries

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.engine.differences import Drawn
    from wrkflw_tui.engine.journal import Entry
    from wrkflw_tui.store.claims import Trigger

_COPIED = (
    "path, step_id, kind, attempt, status, input, output, error, progress, started_at,"
    " finished_at, ended, question, state"
)
LISTED = 12
"""How many paths an error names."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a fork has to know of the workflow as it is now: a catalogue has it, too."""

    workflow_id: str
    graph: str = field(repr=False)
    definition_hash: str
    steps_total: int


def fork(
    connection: sqlite3.Connection,
    run_id: str,
    at: str,
    definition: Definition,
    new_id: str,
    input: str | None,
    trigger: Trigger,
    now: int,
) -> None:
    """Put the run `new_id` on record, queued; the old one stays as it is.

    Raises `RunNotFound`, `RunAlreadyClaimed`, `UnknownPath` and `DefinitionChanged`.
    """
    row = connection.execute(
        f"SELECT id, status, {GRAPH} FROM wrkflw_workflow_runs"
        " WHERE run_id = ? AND workflow_id = ?",
        (run_id, definition.workflow_id),
    ).fetchone()
    if row is None:
        raise RunNotFound(f"no run {run_id} of {definition.workflow_id!r} is on record")
    old = cast("int", row["id"])
    if row["status"] == "running" and not is_abandoned(connection, old):
        raise RunAlreadyClaimed(f"run {run_id} is being walked: fork it once it rests or has ended")
    entries = load_entries(connection, old)
    if at not in entries:
        shown = ", ".join(list(entries)[:LISTED]) + (", …" if len(entries) > LISTED else "")
        raise UnknownPath(f"run {run_id} never came to {at!r}; it came to: {shown or 'nothing'}")
    taken = _taken_over(definition.graph, entries, at)
    reached = {entry.path: entry for entry in taken}
    check_definition(new_id, row["graph"], definition.graph, reached)
    revision = next_run_revision(connection)
    key = connection.execute(
        "INSERT INTO wrkflw_workflow_runs (id, run_id, workflow_id, status, trigger, input,"
        " graph_id,"
        " definition_hash, steps_total, forked_from_run, forked_from_path, forked_input,"
        " created_at, updated_at, revision)"
        f" SELECT {NEXT_RUN}, ?, workflow_id, 'queued', ?, input, ?, ?, ?, run_id, ?, ?, ?, ?, ?"
        " FROM wrkflw_workflow_runs WHERE id = ? RETURNING id",
        (
            new_id,
            trigger,
            graphs.keep(connection, definition.graph),
            definition.definition_hash,
            definition.steps_total,
            at,
            input,
            now,
            now,
            revision,
            old,
        ),
    ).fetchone()[0]
    connection.executemany(
        f"INSERT INTO wrkflw_step_results (run, n, revision, {_COPIED})"
        f" SELECT ?, n, ?, {_COPIED} FROM wrkflw_step_results WHERE run = ? AND n = ?",
        [(key, revision, old, n) for n in _attempts(connection, old, taken)],
    )
    _copy_state(connection, key)


def _taken_over(graph: str, entries: dict[str, Entry], at: str) -> list[Entry]:
    nodes = cast("list[Drawn]", json.loads(graph))
    taken: list[Entry] = []
    for path, entry in entries.items():
        place = place_of(nodes, path, at)
        is_kept = entry.status in ("success", "bailed") or (
            # A failure before it was taken for a value, or handled; one beside it, that may not
            # have been, is tried again.
            entry.status == "failed" and (place == "before" or is_settled(nodes, path, entries))
        )
        if place is not None and is_kept:
            taken.append(entry)
    return taken


def _attempts(connection: sqlite3.Connection, old: int, taken: list[Entry]) -> list[int]:
    """Return the order of every attempt at what is taken over: one that asked may hold state."""
    paths = {entry.path for entry in taken}
    rows = connection.execute("SELECT n, path FROM wrkflw_step_results WHERE run = ?", (old,))
    return [cast("int", n) for n, path in rows if path in paths]


def _copy_state(connection: sqlite3.Connection, key: int) -> None:
    """Build the state that the results taken over have made, in the order of their ends."""
    states: dict[str, dict[str, object]] = {}
    rows = connection.execute(
        "SELECT state FROM wrkflw_step_results WHERE run = ? AND state IS NOT NULL ORDER BY ended",
        (key,),
    )
    for row in rows:
        scope, fields, *gone = json.loads(row["state"])
        state = states.setdefault(scope, {})
        state.update(fields)
        for name in gone[0] if gone else ():
            state.pop(name, None)
    connection.execute(
        "UPDATE wrkflw_workflow_runs SET state = ? WHERE id = ?",
        (json.dumps(states, ensure_ascii=False) if states else None, key),
    )
