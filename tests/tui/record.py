"""A record as the screens' tests need it: everything in it has a fixed time and id."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrkflw_tui.engine.models import ErrorInfo, Question, to_micros
from wrkflw_tui.store import catalog, claims, logs, schedules
from wrkflw_tui.store.catalog import AutomationFile, CatalogEntry
from wrkflw_tui.store.file import closing_connection, prepare, transaction
from wrkflw_tui.store.logs import Stretch

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

NOW = datetime(2026, 7, 31, 12, 0, 0, tzinfo=UTC)
"""What the tests' clock says."""

BACKUP_SCHEMA = {
    "type": "object",
    "title": "Backup",
    "properties": {
        "folder": {"type": "string", "format": "path", "description": "Where the photos are"},
        "keep": {"type": "integer", "default": 30, "minimum": 1, "description": "Days to keep"},
        "mode": {"enum": ["copy", "move"], "type": "string", "default": "copy"},
        "verify": {"type": "boolean", "default": True},
        "tags": {"type": "array", "items": {"type": "string"}, "default": []},
        "until": {
            "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
            "default": None,
        },
        "target": {"$ref": "#/$defs/Target"},
    },
    "required": ["folder", "target"],
    "$defs": {
        "Target": {
            "type": "object",
            "title": "Target",
            "properties": {"host": {"type": "string"}, "port": {"type": "integer"}},
            "required": ["host"],
        }
    },
}
BACKUP_INPUT = {
    "folder": "/home/ada/photos",
    "keep": 30,
    "mode": "copy",
    "verify": True,
    "tags": ["summer", "lake"],
    "until": None,
    "target": {"host": "nas.local"},
}


def steps(*ids: str) -> str:
    return json.dumps([{"kind": "step", "id": id, "description": ""} for id in ids])


BACKUP_GRAPH = json.dumps(
    [
        {"kind": "step", "id": "list-new", "description": ""},
        {
            "kind": "workflow",
            "id": "copy-all",
            "description": "",
            "nodes": json.loads(steps("connect", "copy")),
        },
        {"kind": "map", "id": "map-1"},
        {"kind": "step", "id": "verify", "description": ""},
        {"kind": "step", "id": "notify", "description": ""},
    ]
)


def entry(
    id: str, schema: object, graph: str, description: str = "", tags: tuple[str, ...] = ()
) -> CatalogEntry:
    return CatalogEntry(
        workflow_id=id,
        file=f"{id.replace('-', '_')}.py",
        description=description,
        tags=tags,
        input_schema=json.dumps(schema),
        output_schema="{}",
        graph=graph,
        steps_total=graph.count('"step"') + graph.count('"map"'),
        definition_hash="0" * 16,
    )


WORKFLOWS = (
    entry("backup-photos", BACKUP_SCHEMA, BACKUP_GRAPH, "Copies new photos to the NAS.", ("home",)),
    entry(
        "morning-digest", {"type": "null"}, steps("fetch", "summarise", "send"), "News, by mail."
    ),
    entry("pay-invoice", {"type": "string"}, steps("look-up", "pay"), "Pays what is due."),
    entry("sync-notes", {"type": "object", "properties": {}}, steps("pull", "push")),
)

TRACEBACK = """\
Traceback (most recent call last):
  File "broken.py", line 14, in <module>
    later = undefined[/red]
NameError: name 'undefined' is not defined
"""


def ago(seconds: float) -> int:
    return to_micros(NOW) - int(seconds * 1_000_000)


class Recorder:
    """Puts runs and steps on record as they stand."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._count = 0

    def run(
        self,
        workflow_id: str,
        status: str,
        began: float,
        took: float | None,
        *,
        given: object = None,
        result: object = None,
        error: ErrorInfo | None = None,
        done: int = 0,
        trigger: claims.Trigger = "app",
        path: tuple[str, ...] = (),
    ) -> str:
        self._count += 1
        run_id = f"0192f3a0-0000-7000-8000-{self._count:012x}"
        claims.enqueue(self.connection, workflow_id, json.dumps(given), trigger, run_id=run_id)
        started = None if status == "queued" else ago(began)
        self.connection.execute(
            "UPDATE wrkflw_workflow_runs SET status = ?, created_at = ?, updated_at = ?,"
            " started_at = ?, finished_at = ?, result = ?, error = ?, steps_done = ?,"
            " execution_path = ? WHERE run_id = ?",
            (
                status,
                ago(began),
                ago(began),
                started,
                None if took is None else ago(began - took),
                None if result is None else json.dumps(result),
                None if error is None else error.to_json(),
                done,
                json.dumps(path),
                run_id,
            ),
        )
        return run_id

    def key(self, run_id: str) -> int:
        row = self.connection.execute(
            "SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?", (run_id,)
        ).fetchone()
        return row[0]

    def step(
        self,
        run_id: str,
        path: str,
        status: str,
        began: float,
        took: float | None,
        *,
        kind: str = "step",
        attempt: int = 1,
        given: object = None,
        output: object = None,
        error: ErrorInfo | None = None,
        progress: tuple[float, float | None, str] | None = None,
        question: Question | None = None,
    ) -> None:
        from wrkflw_tui.store.file import next_revision

        key = self.key(run_id)
        self.connection.execute(
            "INSERT INTO wrkflw_step_results (run, n, path, step_id, kind, attempt, status, input,"
            " output, error, progress, started_at, finished_at, revision, question) VALUES (?,"
            " (SELECT coalesce(max(n), 0) + 1 FROM wrkflw_step_results WHERE run = ?),"
            " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key,
                key,
                path,
                path.rsplit("/", 1)[-1],
                kind,
                attempt,
                status,
                json.dumps(given),
                None if output is None else json.dumps(output),
                None if error is None else error.to_json(),
                None if progress is None else json.dumps(progress),
                ago(began),
                None if took is None else ago(began - took),
                next_revision(self.connection),
                None if question is None else question.to_json(),
            ),
        )


DUE = {"number": "2026-118", "amount": "240.00 EUR", "to": "Stadtwerke [/b]"}
APPROVE = Question(
    "pay",
    "answer",
    "",
    "Pay 240.00 EUR to Stadtwerke [/b]?",
    DUE,
    {
        "type": "object",
        "properties": {
            "approved": {"type": "boolean"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["approved"],
    },
)
TIMEOUT = ErrorInfo(
    "TimeoutError",
    "nas.local did not answer [/red] within 30 s",
    'Traceback (most recent call last):\n  File "sync_notes.py", line 9, in push\n'
    "    raise TimeoutError\nTimeoutError: nas.local did not answer",
    ErrorInfo("OSError", "no route to host"),
    path="push",
)


def build(path: Path) -> dict[str, str]:
    """Make the record; return the ids of its runs by what they show."""
    prepare(path)
    with closing_connection(path) as connection, transaction(connection):
        _catalogue(connection)
        ids = _runs(Recorder(connection))
        _schedules(connection, ids)
    return ids


def _catalogue(connection: sqlite3.Connection) -> None:
    for workflow in WORKFLOWS:
        found = AutomationFile(workflow.file, 100, 1, "ok")
        catalog.record_file(connection, found, [workflow])
    broken = AutomationFile(
        "broken.py", 80, 1, "broken", "NameError: name 'undefined' is not defined", 14, TRACEBACK
    )
    catalog.record_file(connection, broken, [])
    catalog.keep_input(connection, "backup-photos", json.dumps(BACKUP_INPUT))


def _runs(record: Recorder) -> dict[str, str]:
    ids: dict[str, str] = {}
    for hours, took in ((30, 41.0), (28, 38.0), (26, 90.0), (24, 44.0)):
        record.run("backup-photos", "success", hours * 3600, took, result={"copied": 3}, done=6)
    record.run("morning-digest", "success", 18_000, 2.4, result="sent", done=3, trigger="schedule")
    ids["failed"] = record.run(
        "sync-notes", "failed", 3600, 31.0, given={}, error=TIMEOUT, done=1, trigger="schedule"
    )
    record.step(ids["failed"], "pull", "success", 3600, 0.8, given={}, output={"notes": 12})
    for attempt, began in ((1, 3599.0), (2, 3585.0)):
        record.step(
            ids["failed"], "push", "failed", began, 14.0, attempt=attempt, given={"notes": 12},
            error=TIMEOUT,
        )  # fmt: skip
    record.run("pay-invoice", "cancelled", 7200, 3.0, given="2026-117", done=1)
    ids["waiting"] = record.run("pay-invoice", "suspended", 600, None, given="2026-118", done=1)
    record.step(ids["waiting"], "look-up", "success", 600, 0.4, given="2026-118", output=DUE)
    record.step(ids["waiting"], "pay", "suspended", 599, 0.1, given=DUE, question=APPROVE)
    ids["queued"] = record.run("morning-digest", "queued", 20, None, trigger="schedule")
    ids["live"] = _live(record)
    return ids


def _live(record: Recorder) -> str:
    run_id = record.run(
        "backup-photos", "running", 41.0, None, given=BACKUP_INPUT, done=2,
        path=("copy-all", "copy-all/copy"),
    )  # fmt: skip
    record.step(run_id, "list-new", "success", 41.0, 0.8, given=BACKUP_INPUT, output=["a.jpg"] * 3)
    record.step(run_id, "copy-all", "running", 40.2, None, kind="workflow", given=["a.jpg"] * 3)
    record.step(run_id, "copy-all/connect", "success", 40.2, 5.1, output={"session": 7})
    record.step(
        run_id, "copy-all/copy", "running", 35.0, None, progress=(34, 54, "12 MB"), given=["a.jpg"]
    )
    stretches = [
        Stretch("stdout", "list-new", ago(41), ("looking in /home/ada/photos", "3 new photos")),
        Stretch(
            "stdout", "copy-all/copy", ago(35), ("copying a.jpg", "\x1b[32mcopied\x1b[0m [/b]")
        ),
        Stretch("stderr", "copy-all/copy", ago(30), ("warning: slow link",)),
    ]
    logs.append(record.connection, record.key(run_id), stretches)
    return run_id


def _schedules(connection: sqlite3.Connection, ids: dict[str, str]) -> None:
    def add(id: str, workflow_id: str, cron: str, due: int | None, paused: bool = False) -> None:
        made = schedules.add(connection, workflow_id, cron, "local", "UTC", "null", due)
        connection.execute(
            "UPDATE wrkflw_schedules SET schedule_id = ?, paused = ? WHERE schedule_id = ?",
            (id, paused, made),
        )

    now = int(NOW.timestamp())
    add("s1", "sync-notes", "30 * * * *", now + 1800)
    add("s2", "backup-photos", "0 18 * * *", now + 6 * 3600)
    add("s3", "morning-digest", "0 7 * * 1-5", now + 67 * 3600, paused=True)
    schedules.record_fire(connection, "s1", now - 1800, "skipped", "a run was going", 2)
    schedules.record_fire(connection, "s1", now - 3600, "started", run_id=ids["failed"])
    schedules.record_fire(connection, "s3", now - 18_000, "started")
