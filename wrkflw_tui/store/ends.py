"""What is told of a run's end, or of its question, to whoever is to hear of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.models import Question, from_micros

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.store.follow_ups import Event

STATUSES: dict[Event, str] = {"success": "success", "failure": "failed", "question": "suspended"}
"""How the run stood then; it may have been taken up again since."""


@dataclass(frozen=True, slots=True)
class End:
    """One event of a run, as it was when it happened."""

    delivery_id: str
    run_id: str
    workflow_id: str
    event: Event
    result_json: str | None
    error_json: str | None
    questions: tuple[Question, ...]
    created_at: int
    started_at: int | None
    happened_at: int
    follow_depth: int

    @property
    def status(self) -> str:
        """How the run stood."""
        return STATUSES[self.event]

    @property
    def reason(self) -> str:
        """Say in few words what a person wants to know first."""
        if self.questions:
            return "; ".join(str(question) for question in self.questions)
        if self.error_json is None:
            return ""
        error = cast("dict[str, object]", json.loads(self.error_json))
        where = f" in {error['path']}" if error.get("path") else ""
        return f"{error['type']}{where}: {error['message']}"

    def document(self) -> str:
        """Write it as the JSON object that a command, a server or a workflow is given."""
        head = {
            "delivery_id": self.delivery_id,
            "event": self.event,
            "run_id": self.run_id,
            "workflow_id": self.workflow_id,
            "status": self.status,
            "created_at": _iso(self.created_at),
            "started_at": _iso(self.started_at),
            "happened_at": _iso(self.happened_at),
            "questions": [
                {"path": question.path, **json.loads(question.to_json())}
                for question in self.questions
            ],
        }
        # The result may be large, and is JSON already: it is neither read nor written anew.
        rest = f'"error": {self.error_json or "null"}, "result": {self.result_json or "null"}'
        return f"{json.dumps(head, ensure_ascii=False)[:-1]}, {rest}}}"


def read_end(connection: sqlite3.Connection, key: int) -> End | None:
    """Return what a delivery is about; `None` where it is not on record any more."""
    row = connection.execute(
        "SELECT run, delivery_id, run_id, workflow_id, event, result, run_error, asked,"
        " r.created_at, started_at, happened_at, follow_depth"
        " FROM wrkflw_deliveries AS d JOIN wrkflw_workflow_runs AS r ON r.id = d.run"
        " WHERE d.id = ?",
        (key,),
    ).fetchone()
    if row is None:
        return None
    return End(
        delivery_id=row["delivery_id"],
        run_id=row["run_id"],
        workflow_id=row["workflow_id"],
        event=row["event"],
        result_json=row["result"] if row["event"] == "success" else None,
        error_json=row["run_error"],
        questions=_questions(connection, row["run"], row["asked"]),
        created_at=row["created_at"],
        started_at=row["started_at"],
        happened_at=row["happened_at"],
        follow_depth=row["follow_depth"],
    )


def _questions(connection: sqlite3.Connection, run: int, asked: str | None) -> tuple[Question, ...]:
    if asked is None:
        return ()
    rows = connection.execute(
        "SELECT path, question FROM wrkflw_step_results WHERE run = ?"
        " AND n IN (SELECT value FROM json_each(?)) AND question IS NOT NULL ORDER BY n",
        (run, asked),
    )
    return tuple(Question.from_json(row["path"], row["question"]) for row in rows)


def _iso(micros: int | None) -> str | None:
    return None if micros is None else from_micros(micros).isoformat()
