"""A file of an older version is brought up to date, and keeps what was on record."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wrkflw_tui
from wrkflw_tui import StorageError, create_workflow, step
from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.store import file as file_module
from wrkflw_tui.store import schedules
from wrkflw_tui.store.file import connect, prepare
from wrkflw_tui.store.fires import has_news
from wrkflw_tui.store.storage import WorkflowStorage

if TYPE_CHECKING:
    from wrkflw_tui.engine.models import WorkflowSnapshot

MIGRATIONS = Path(wrkflw_tui.__file__).parent / "store" / "migrations"

FIRST_VERSION = """
INSERT INTO wrkflw_workflow_runs (id, run_id, workflow_id, status, trigger, input, graph,
    created_at, updated_at, revision) VALUES
    (1, 'old', 'flow', 'failed', 'library', '3',
     '[{"kind": "step", "id": "add-one", "description": ""},
       {"kind": "step", "id": "fails", "description": ""}]', 5, 9, 4);
INSERT INTO wrkflw_step_results (run, n, path, step_id, kind, attempt, status, input, output,
    error, started_at, finished_at, revision) VALUES
    (1, 1, 'add-one', 'add-one', 'step', 1, 'success', '3', '4', NULL, 5, 6, 2),
    (1, 2, 'fails', 'fails', 'step', 1, 'failed', '4', NULL,
     '{"type": "OSError", "message": "once"}', 7, 8, 4);
INSERT INTO wrkflw_messages (kind, run_id, created_at) VALUES ('cancel', 'old', 1);
PRAGMA user_version = 1;
"""


@pytest.fixture
def old(file: Path) -> Path:
    """A file as the first version wrote it."""
    file.parent.mkdir()
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript((MIGRATIONS / "0001_record.sql").read_text("utf-8"))
    connection.executescript(FIRST_VERSION)
    connection.close()
    return file


SCHEDULES = """
INSERT INTO wrkflw_schedules (schedule_id, workflow_id, cron, timezone, zone, input, overlap,
    catch_up, paused, note, next_at, created_at, revision) VALUES
    ('a', 'flow', '0 8 * * *', 'local', 'Europe/Berlin', '3', 'skip', 'latest', 0, '', 1000,
     7000000, 5),
    ('b', 'flow', '@hourly', 'UTC', 'UTC', '4', 'allow', 'none', 1, 'not now', NULL, 8000000, 6);
INSERT INTO wrkflw_schedule_fires (schedule_id, due_at, outcome, reason, count, run_id, at) VALUES
    ('a', 100, 'started', '', 1, 'old', 100000000),
    ('a', 200, 'skipped', 'missed', 5, NULL, 700000000),
    ('a', 700, 'started', '', 1, 'queued', 700000001),
    ('b', 300, 'skipped', 'too late', 1, NULL, 300000001),
    ('gone', 300, 'started', '', 1, 'off-the-record', 300000001);
INSERT INTO wrkflw_workflow_runs (run_id, workflow_id, status, trigger, input, schedule_id, due_at,
    created_at, updated_at, revision) VALUES
    ('queued', 'flow', 'queued', 'schedule', '3', 'a', 700, 7, 7, 9);
"""


def test_schedules_and_their_fires_are_kept(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(SCHEDULES)
    prepare(old)
    with closing(connect(old)) as connection:
        first, second = schedules.list_schedules(connection)
        assert first == schedules.ScheduleRow(
            "a",
            "flow",
            "app",
            None,
            ScheduleTerms(timing="0 8 * * *"),
            zone="Europe/Berlin",
            anchor=7,
            input="3",
            remark="",
            paused=False,
            paused_until=None,
            runs_started=0,
            failures=0,
            next_at=1000,
            fire_at=1000,
        )
        assert (second.paused, second.note, second.next_at) == (True, "not now", None)
        assert (second.overlap, second.catch_up, second.timezone) == ("allow", "none", "UTC")
        fires = schedules.list_fires(connection, "a")
        assert [(int(f.due_at.timestamp()), f.outcome, f.count, f.run_status) for f in fires] == [
            (700, "started", 1, "queued"),
            (200, "skipped", 5, None),
            (100, "started", 1, "failed"),
        ]
        # The stretch reaches up to the instant that stood for it.
        assert int(fires[1].last_at.timestamp()) == 699
        assert len(schedules.list_fires(connection, "gone")) == 1
        # Only the run that still goes is watched.
        assert not has_news(connection)
        connection.execute("UPDATE wrkflw_workflow_runs SET status = 'success'")
        assert has_news(connection)


async def snapshot_of(file: Path) -> WorkflowSnapshot:
    storage = WorkflowStorage(file)
    try:
        return await storage.load_snapshot("old")
    finally:
        await storage.close()


async def test_runs_of_the_first_version_are_kept_whole(old: Path) -> None:
    snapshot = await snapshot_of(old)
    assert snapshot.status == "failed"
    assert snapshot.input_data == 3
    assert [(r.path, r.status, r.output, r.order, r.ended) for r in snapshot.all_attempts] == [
        ("add-one", "success", 4, 1, 1),
        ("fails", "failed", None, 2, 2),
    ]
    error = snapshot.step_results["fails"].error
    assert error is not None
    assert str(error) == "OSError: once"


async def test_a_run_of_the_first_version_goes_on(old: Path) -> None:
    calls: list[str] = []

    @step
    async def add_one(value: int) -> int:
        calls.append("add-one")
        return value + 1

    @step
    async def fails(value: int) -> int:
        calls.append("fails")
        return value * 10

    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=int)
        .then(add_one)
        .then(fails)
        .commit()
    )
    storage = WorkflowStorage(old)
    run = await flow.get_run("old", storage)
    assert await run.recover() == 40
    assert calls == ["fails"], "what succeeded is not called again"
    events = [event.type async for event in run.stream()]
    assert events[-1] == "run-ended"
    await storage.close()


def test_a_migration_that_fails_changes_nothing(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))
    scripts = list(folder.glob("*.sql"))
    broken = "DROP TABLE wrkflw_run_logs; INSERT INTO nowhere VALUES (1);"
    (folder / "9999_broken.sql").write_text(broken, "utf-8")
    monkeypatch.setattr(file_module, "MIGRATIONS", folder)
    with pytest.raises(StorageError, match="no such table: nowhere"):
        prepare(old)
    connection = sqlite3.connect(old)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(scripts)
    assert connection.execute("SELECT count(*) FROM wrkflw_run_logs").fetchone()[0] == 0
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()
