"""The questions that runs wait to have answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrkflw_tui.engine.models import Question, from_micros

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

MOST = 1000
"""Questions that are read at most."""

_OPEN = """\
 step.status = 'suspended'
   AND NOT EXISTS (SELECT 1 FROM wrkflw_step_results AS later WHERE later.run = step.run
                   AND later.path = step.path AND later.n > step.n)
   AND NOT EXISTS (SELECT 1 FROM wrkflw_messages AS message WHERE message.run = step.run
                   AND message.kind = 'answer' AND message.refused IS NULL
                   AND message.path = step.path
                   AND message.name = json_extract(step.question, '$.key'))"""
"""Whether a step's attempt has asked what nobody has answered yet."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An open question, and who asks it."""

    run_id: str
    workflow_id: str
    since: datetime
    question: Question


def of_run(connection: sqlite3.Connection, run: int) -> list[Question]:
    """Return the open questions of a run, in the order of asking."""
    rows = connection.execute(
        "SELECT path, question FROM wrkflw_step_results AS step"
        f" WHERE run = ? AND {_OPEN} ORDER BY ended",
        (run,),
    )
    return [Question.from_json(row["path"], row["question"]) for row in rows]


def of_all(connection: sqlite3.Connection) -> list[Asked]:
    """Return the open questions of all runs that have not ended, the oldest first."""
    rows = connection.execute(
        "SELECT run.run_id, run.workflow_id, step.path, step.question,"
        " coalesce(step.finished_at, step.started_at) AS since"
        " FROM wrkflw_workflow_runs AS run INDEXED BY wrkflw_runs_live"
        " CROSS JOIN wrkflw_step_results AS step INDEXED BY wrkflw_steps_asking"
        " ON step.run = run.id"
        f" WHERE run.status IN ('queued', 'running', 'sleeping', 'suspended') AND {_OPEN}"
        " ORDER BY since, run.id, step.ended LIMIT ?",
        (MOST,),
    )
    return [
        Asked(
            row["run_id"],
            row["workflow_id"],
            from_micros(row["since"]),
            Question.from_json(row["path"], row["question"]),
        )
        for row in rows
    ]
