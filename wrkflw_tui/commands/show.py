"""`wrkflw-tui show`: a run with its steps, what went wrong, and what it waits for."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrkflw_tui.commands.outcome import error_lines, question_lines
from wrkflw_tui.commands.printing import paint, print_json
from wrkflw_tui.commands.record import reading
from wrkflw_tui.commands.shapes import delivery_shape, snapshot_shape
from wrkflw_tui.commands.steps import headline, step_lines, words_of
from wrkflw_tui.commands.watching import Watched
from wrkflw_tui.drawing.deliveries import delivery_lines
from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.drawing.times import exact, pretty
from wrkflw_tui.drawing.words import plain
from wrkflw_tui.store import deliveries, runs

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from wrkflw_tui.commands.follow import Following
    from wrkflw_tui.config import Config
    from wrkflw_tui.engine.models import WorkflowSnapshot
    from wrkflw_tui.store.deliveries import Delivery

TRIGGERS = {"app": "the app", "cli": "the command line", "library": "a program", "http": "HTTP"}


def show(config: Config, text: str, how: Following | None, *, as_json: bool, every: bool) -> int:
    """Print a run as it stands, with `every` attempt at each step; with `how` it is followed."""
    with reading(config) as connection:
        run_id = runs.find_run(connection, text)
        watched = Watched(connection, run_id)
        snapshot = watched.snapshot()
        origin = _origin(connection, snapshot)
        follow_ups = deliveries.of_run(connection, run_id)
    if how is not None:
        from wrkflw_tui.commands.follow import follow

        return follow(config, run_id, how)
    if as_json:
        follow = [delivery_shape(delivery) for delivery in follow_ups]
        print_json({**snapshot_shape(snapshot), "follow_ups": follow})
        return 0
    now = datetime.now(UTC)
    steps = _attempts(snapshot, now) if every else _overview(watched, now)
    lines = (*_head(snapshot, now, origin), *steps, *_tail(snapshot), *_follow_ups(follow_ups))
    for line in lines:
        print(line)
    return 0


def _head(snapshot: WorkflowSnapshot, now: datetime, origin: str) -> Iterator[str]:
    run = snapshot.run
    yield paint(headline(run, now), mark(run.status)[2], sys.stdout)
    yield f"run       {run.run_id}"
    by = TRIGGERS.get(run.trigger, f"a {run.trigger}")
    yield f"started   {exact(run.started_at or run.created_at)} by {by}"
    if run.follows is not None:
        yield f"follows   {run.follows}"
    if run.finished_at is not None:
        yield f"finished  {exact(run.finished_at)}"
    if run.wake_at is not None and run.finished_at is None:
        yield f"wakes     {exact(run.wake_at)}"
    if run.forked_from is not None:
        yield f"fork of   {run.forked_from.run_id} at {run.forked_from.path}{origin}"
    yield from _value("input", snapshot.input_json)


def _origin(connection: sqlite3.Connection, snapshot: WorkflowSnapshot) -> str:
    """Say where a fork's origin is not on record; the fork has its results itself."""
    fork = snapshot.run.forked_from
    is_there = fork is None or runs.has_run(connection, fork.run_id)
    return "" if is_there else ", which is not on record"


def _overview(watched: Watched, now: datetime) -> Iterator[str]:
    yield ""
    for line in step_lines(watched.nodes, watched.results, now):
        yield paint(f"  {line}", line.role, sys.stdout)


def _attempts(snapshot: WorkflowSnapshot, now: datetime) -> Iterator[str]:
    yield ""
    for attempt in snapshot.all_attempts:
        glyph, _, role = mark(attempt.status)
        indent = "  " * (1 + attempt.path.count("/"))
        line = f"{indent}{glyph} {attempt.path}  {words_of(attempt, now)}"
        yield paint(line, role, sys.stdout)


def _tail(snapshot: WorkflowSnapshot) -> Iterator[str]:
    if snapshot.questions and snapshot.run.finished_at is None:
        yield from ("", *question_lines(snapshot))
    if snapshot.error is not None:
        yield ""
        where = f" in {snapshot.error.path}" if snapshot.error.path else ""
        yield paint(f"error{where}", "bad", sys.stdout)
        yield from (f"  {line}" for line in error_lines(snapshot.error))
    if snapshot.status == "success":
        yield ""
        yield from _value("result", snapshot.result_json)


def _follow_ups(follow_ups: list[Delivery]) -> Iterator[str]:
    if follow_ups:
        yield from ("", "follow-ups", *delivery_lines(follow_ups))


def _value(name: str, json_text: str | None) -> Iterator[str]:
    """Lay a value out beside its name, or below it where it has several lines."""
    lines = plain(pretty(json_text)).splitlines()
    if len(lines) <= 1:
        yield f"{name:<10}{''.join(lines) or 'null'}"
        return
    yield name
    yield from (f"  {line}" for line in lines)
