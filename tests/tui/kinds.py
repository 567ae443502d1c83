"""A run with a row of every kind and status, at fixed times."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from drawing.graphs import (
    branch,
    foreach,
    loop,
    parallel,
    recover,
    sleep,
    step,
    wait,
    workflow,
)
from tui.record import Recorder

from wrkflw_tui.engine.models import ErrorInfo, Question
from wrkflw_tui.store import graphs
from wrkflw_tui.store.file import closing_connection, prepare, transaction

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

GRAPH = json.dumps(
    [
        step("list-new"),
        parallel("parallel-1", step("fetch"), recover(step("charge"), step("refund"))),
        branch("branch-1", ("is_big", step("split")), otherwise=step("keep")),
        foreach("each-mail", workflow("mail", step("write"), step("approve")), 4, "collect"),
        loop("loop-1", step("look"), "is_paid", most=10),
        sleep("sleep-1", 3600),
        wait("wait-for-1", "invoice-paid", 259_200),
        step("tell"),
    ]
)
PAID = {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}
DECLINED = ErrorInfo("Declined", "the card was declined")


def build(path: Path) -> str:
    """Make the record; return the run's id."""
    prepare(path)
    with closing_connection(path) as connection, transaction(connection):
        record = Recorder(connection)
        run_id = record.run("month-end", "suspended", 900, None, done=7)
        graph_id = graphs.keep(connection, GRAPH)
        connection.execute("UPDATE wrkflw_workflow_runs SET graph_id = ?", (graph_id,))
        _steps(record, run_id)
        _tell_what_is_waited_for(connection)
    return run_id


def _steps(record: Recorder, run_id: str) -> None:
    def add(path: str, status: str, began: float, took: float | None, kind: str = "step") -> None:
        output = {"branch": ["split"], "decision": path.endswith("[1]")}.get(kind, {"of": path})
        record.step(
            run_id, path, status, began, took, kind=kind, output=output if took else None,
            error=DECLINED if status == "failed" else None,
            progress=(1, 3, "") if kind == "foreach" else None,
        )  # fmt: skip

    add("list-new", "success", 900, 0.8)
    add("fetch", "success", 899, 12)
    add("charge", "failed", 899, 2)
    add("refund", "success", 897, 3)
    add("branch-1", "success", 880, 0.001, "branch")
    add("split", "success", 880, 2)
    add("each-mail", "waiting", 870, None, "foreach")
    add("mail[0]", "success", 870, 20, "workflow")
    add("mail[0]/write", "success", 870, 10)
    add("mail[0]/approve", "bailed", 860, 10)
    add("mail[1]", "waiting", 870, None, "workflow")
    add("mail[1]/write", "success", 870, 11)
    add("mail[1]/approve", "suspended", 859, None)
    add("loop-1", "success", 700, 30, "loop")
    for n in range(2):
        add(f"look[{n}]", "success", 700 - n, 0.5)
        add(f"loop-1[{n}]", "success", 699 - n, 0.001, "decision")
    add("sleep-1", "waiting", 600, None, "sleep")
    add("wait-for-1", "waiting", 600, None, "wait")


AWAITED = Question("wait-for-1", "event", "invoice-paid", schema=PAID)
ASKED = Question(
    "mail[1]/approve",
    "answer",
    "",
    "Send it?",
    {"to": "ada@example.org"},
    {"type": "object", "properties": {"ok": {"type": "boolean"}}},
)


def _tell_what_is_waited_for(connection: sqlite3.Connection) -> None:
    change = "UPDATE wrkflw_step_results SET"
    connection.execute(f"{change} question = ? WHERE path = 'mail[1]/approve'", (ASKED.to_json(),))
    connection.execute(f"{change} question = ? WHERE path = 'wait-for-1'", (AWAITED.to_json(),))
    for path, seconds in (("sleep-1", 3600), ("wait-for-1", 259_200)):
        connection.execute(
            f"{change} wake_at = started_at + ? WHERE path = ?", (seconds * 1_000_000, path)
        )
