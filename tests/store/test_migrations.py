"""A file of an older version is brought up to date, and keeps what was on record."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wrkflw_tui
from wrkflw_tui import StorageError, create_workflow, step
from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.store import file as file_module
from wrkflw_tui.store import schedules
from wrkflw_tui.store.copying import find_damage
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
    assert [node["id"] for node in json.loads(snapshot.graph_json or "")] == ["add-one", "fails"]
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


# -- the copy that is kept


FORMAT = len(list(MIGRATIONS.glob("*.sql")))


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def beside(file: Path) -> set[str]:
    ours = {"wrkflw.db", "wrkflw.db-turn", "wrkflw.db-wal", "wrkflw.db-shm"}
    return set(os.listdir(file.parent)) - ours


def test_a_copy_of_the_older_file_is_kept_beside_it(old: Path) -> None:
    prepare(old)
    assert version_of(old) == FORMAT
    assert beside(old) == {"wrkflw.db.v1-backup"}
    copy = old.with_name("wrkflw.db.v1-backup")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert version_of(copy) == 1
    assert find_damage(copy) == ""
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT run_id FROM wrkflw_workflow_runs").fetchall() == [
            ("old",)
        ]


def test_the_copy_can_take_the_place_of_the_record(old: Path) -> None:
    prepare(old)
    old.unlink()
    old.with_name("wrkflw.db.v1-backup").rename(old)
    prepare(old)
    assert version_of(old) == FORMAT


def test_no_copy_is_kept_of_a_record_without_runs(old: Path) -> None:
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("DELETE FROM wrkflw_step_results")
        connection.execute("DELETE FROM wrkflw_workflow_runs")
    prepare(old)
    assert version_of(old) == FORMAT
    assert beside(old) == set()


def test_an_up_to_date_file_and_a_new_one_need_no_copy(file: Path) -> None:
    prepare(file)
    prepare(file)
    assert beside(file) == set()


PREPARE = """\
import sys
from pathlib import Path
from wrkflw_tui import StorageError
from wrkflw_tui.store import file
if len(sys.argv) > 2:
    file.MIGRATIONS = Path(sys.argv[2])
sys.stdin.readline()
try:
    file.prepare(Path(sys.argv[1]))
except StorageError as error:
    sys.exit(str(error))
"""


def start(*arguments: str, code: str = PREPARE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("processes", [5])
def test_processes_that_open_it_at_the_same_time_migrate_it_once(old: Path, processes: int) -> None:
    started = [start(str(old)) for _ in range(processes)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in started:
        _, err = process.communicate()
        assert (process.returncode, err) == (0, "")
    assert version_of(old) == FORMAT
    assert beside(old) == {"wrkflw.db.v1-backup"}
    assert version_of(old.with_name("wrkflw.db.v1-backup")) == 1


LONG = """\
CREATE TABLE wrkflw_long (n INTEGER);
INSERT INTO wrkflw_long
    WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 300000000)
    SELECT n FROM n;
"""


def test_killed_in_the_middle_the_file_is_as_it_was_before_that_script(
    old: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations"))
    (folder / "9999_long.sql").write_text(LONG, "utf-8")
    process = start(str(old), str(folder))
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    # The last script is at work once the log of writes has outgrown what it keeps in memory.
    wal = old.with_name("wrkflw.db-wal")
    while not wal.exists() or wal.stat().st_size < 8_000_000:
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert find_damage(old) == ""
    assert version_of(old) == FORMAT
    prepare(old)
    with closing(connect(old)) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert "wrkflw_long" not in names
        assert connection.execute("SELECT run_id FROM wrkflw_workflow_runs").fetchone()[0] == "old"
    assert version_of(old.with_name("wrkflw.db.v1-backup")) == 1


FULL = (
    """\
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
"""
    + PREPARE
)


def test_where_there_is_no_room_for_a_copy_the_file_is_left_as_it_is(old: Path) -> None:
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("UPDATE wrkflw_workflow_runs SET input = ?", ("x" * 200_000,))
    before = old.read_bytes()
    process = start(str(old), code=FULL)
    _, err = process.communicate("\n")
    assert process.returncode == 1
    assert "is of an older format, and is left as it is: cannot copy to" in err
    assert "make room" in err
    assert len(err.splitlines()) == 1
    assert old.read_bytes() == before
    assert beside(old) == set()


def test_a_database_of_another_program_is_left_as_it_is(file: Path) -> None:
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("CREATE TABLE songs (title TEXT); PRAGMA user_version = 2")
    before = file.read_bytes()
    with pytest.raises(StorageError, match="database of another program"):
        prepare(file)
    assert file.read_bytes() == before
