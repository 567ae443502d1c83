"""Putting a whole run on record as a snapshot has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import RunAlreadyStarted
from wrkflw_tui.engine.models import to_micros
from wrkflw_tui.store import graphs
from wrkflw_tui.store.file import NEXT_RUN, next_run_revision

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from wrkflw_tui.engine.models import Progress, StepResult, WorkflowSnapshot


def save(connection: sqlite3.Connection, snapshot: WorkflowSnapshot) -> None:
    """Write a snapshot's run with all its attempts.

    One that was being walked when the snapshot was taken is queued: nobody walks it here. Raises
    `RunAlreadyStarted` where its id is taken.
    """
    run = snapshot.run
    revision = next_run_revision(connection)
    origin = run.forked_from
    row = connection.execute(
        "INSERT INTO wrkflw_workflow_runs (id, run_id, workflow_id, status, trigger,"
        " execution_path, steps_done, steps_total, state, input, result, error, graph_id, wake_at,"
        " forked_from_run, forked_from_path, follows, last_event, created_at, updated_at,"
        " started_at, finished_at, revision)"
        f" VALUES ({NEXT_RUN}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (run_id) DO NOTHING RETURNING id",
        (
            run.run_id,
            run.workflow_id,
            "queued" if run.status == "running" else run.status,
            run.trigger,
            json.dumps(run.execution_path),
            run.steps_done,
            run.steps_total,
            snapshot.states_json,
            snapshot.input_json,
            snapshot.result_json,
            None if run.error is None else run.error.to_json(),
            None if snapshot.graph_json is None else graphs.keep(connection, snapshot.graph_json),
            _micros(run.wake_at),
            None if origin is None else origin.run_id,
            None if origin is None else origin.path,
            run.follows,
            max((max(s.order, s.ended or 0) for s in snapshot.all_attempts), default=0) + 1,
            to_micros(run.created_at),
            to_micros(run.updated_at),
            _micros(run.started_at),
            _micros(run.finished_at),
            revision,
        ),
    ).fetchone()
    if row is None:
        raise RunAlreadyStarted(f"a run {run.run_id} is on record already: nothing was changed")
    connection.executemany(
        "INSERT INTO wrkflw_step_results (run, revision, n, path, step_id, kind, attempt, status,"
        " input, output, error, progress, started_at, finished_at, ended, wake_at, question, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(row["id"], revision, *_values(step)) for step in snapshot.all_attempts],
    )


def _values(step: StepResult) -> tuple[object, ...]:
    was_cut_off = step.status == "running"
    return (
        step.order,
        step.path,
        step.step_id,
        step.kind,
        step.attempt,
        "interrupted" if was_cut_off else step.status,
        step.input_json,
        step.output_json,
        None if step.error is None else step.error.to_json(),
        _progress(step.progress),
        to_micros(step.started_at),
        _micros(step.finished_at),
        step.order if was_cut_off else step.ended,
        _micros(step.wake_at),
        None if step.question is None else step.question.to_json(),
        step.state_json,
    )


def _progress(progress: Progress | None) -> str | None:
    if progress is None:
        return None
    return json.dumps([progress.done, progress.total, progress.message, progress.failed])


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else to_micros(instant)
