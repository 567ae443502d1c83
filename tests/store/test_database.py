"""The file: how it is made, what it refuses, and the writer that groups commits."""

from __future__ import annotations

import asyncio
import functools
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui import StorageError
from wrkflw_tui.store.database import Database
from wrkflw_tui.store.file import (
    MIGRATIONS,
    Turn,
    connect,
    next_revision,
    prepare,
    transaction,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TABLES = {
    "wrkflw_workflow_runs",
    "wrkflw_step_results",
    "wrkflw_run_logs",
    "wrkflw_automation_files",
    "wrkflw_workflows",
    "wrkflw_schedules",
    "wrkflw_schedule_fires",
    "wrkflw_leases",
}

FORMAT = len(list(MIGRATIONS.glob("*.sql")))


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    database = Database(file)
    yield database
    await database.close()


def note(text: str) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        row = connection.execute(
            "INSERT INTO wrkflw_workflow_runs (run_id, workflow_id, status, trigger, input,"
            " created_at, updated_at, revision) VALUES"
            " (hex(randomblob(8)), 'w', 'queued', 'app', ?, 0, 0, 0) RETURNING id",
            (text,),
        ).fetchone()
        return row[0]

    return work


def notes(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT input FROM wrkflw_workflow_runs ORDER BY id")
    return [row[0] for row in rows]


def test_a_new_file_is_migrated_and_only_its_owners(file: Path) -> None:
    prepare(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    connection = connect(file)
    names = {r[0] for r in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    assert names >= TABLES
    assert connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    connection.close()


def test_files_beside_it_are_only_their_owners_too(file: Path) -> None:
    prepare(file)
    connection = connect(file)
    with Turn(file), transaction(connection):
        next_revision(connection)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in file.parent.iterdir()}
    connection.close()
    assert set(modes) == {"wrkflw.db", "wrkflw.db-wal", "wrkflw.db-shm", "wrkflw.db-turn"}
    assert set(modes.values()) == {0o600}


def test_every_connection_waits_for_the_disk(file: Path) -> None:
    prepare(file)
    for read_only in (True, False):
        connection = connect(file, read_only=read_only)
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
        connection.close()


def test_a_prepared_file_is_left_as_it_is(file: Path) -> None:
    prepare(file)
    before = file.read_bytes()
    prepare(file)
    assert file.read_bytes() == before


def test_a_newer_file_is_refused_untouched(file: Path) -> None:
    prepare(file)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(StorageError, match=f"its format is 99, this one knows {FORMAT}"):
        prepare(file)
    assert file.read_bytes() == before


def test_what_is_no_database_is_refused_untouched(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("a letter, not a database " * 100)
    with pytest.raises(StorageError, match=r"cannot (open|prepare) .*wrkflw\.db"):
        prepare(file)
    assert file.read_text().startswith("a letter")


def test_a_damaged_file_that_cannot_even_be_told_of_in_text_is_named(file: Path) -> None:
    prepare(file)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole = file.read_bytes()
    damaged = whole.replace(b"wrkflw_workflow_runs", b"\xff\xfe\xed(((((((((((((((((")
    assert damaged != whole
    file.write_bytes(damaged)
    with pytest.raises(StorageError, match=r"cannot (open|prepare) .*damaged.*\.recover"):
        prepare(file)


def test_preparing_leaves_no_file_open(file: Path) -> None:
    prepare(file)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    for _ in range(10):
        prepare(file)
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    assert after == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match=r"cannot make .*taken"):
        prepare(tmp_path / "taken" / "wrkflw.db")


async def test_writes_are_read_back(database: Database) -> None:
    assert await database.write(note("one")) == 1
    assert await database.read(notes) == ["one"]


async def test_writes_that_wait_together_share_a_commit(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()
    commits: list[str] = []

    def hold(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(
            lambda sql: commits.append(sql) if sql.startswith("COMMIT") else None
        )
        begun.set()
        assert go_on.wait(10)

    first = asyncio.create_task(database.write(hold))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(begun.wait, 10)
    others = [asyncio.create_task(database.write(note(str(n)))) for n in range(20)]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, *others)
    assert len(commits) == 2  # the first alone, then the twenty together
    assert await database.read(notes) == [*map(str, range(20))]


async def test_one_write_that_raises_is_undone_alone(database: Database) -> None:
    def fails(connection: sqlite3.Connection) -> int:
        note("never")(connection)
        raise LookupError("mine")

    works = [note("a"), fails, note("b")]
    outcomes = await asyncio.gather(
        *(database.write(work) for work in works), return_exceptions=True
    )
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], LookupError)
    assert await database.read(notes) == ["a", "b"]


async def test_a_sole_write_that_raises_is_undone(database: Database) -> None:
    def fails(connection: sqlite3.Connection) -> None:
        note("never")(connection)
        raise LookupError("mine")

    with pytest.raises(LookupError):
        await database.write(fails)
    assert await database.read(notes) == []
    await database.write(note("after"))
    assert await database.read(notes) == ["after"]


async def test_writes_keep_the_order_of_their_submission(database: Database) -> None:
    await asyncio.gather(*(database.write(note(str(n))) for n in range(200)))
    assert await database.read(notes) == [str(n) for n in range(200)]


async def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError):
        await database.read(note("sneaked in"))


async def test_closing_finishes_what_was_submitted(file: Path) -> None:
    database = Database(file)
    writes = [asyncio.create_task(database.write(note(str(n)))) for n in range(50)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*writes)
    again = Database(file)
    assert len(await again.read(notes)) == 50
    await again.close()


async def test_a_full_disk_is_named_and_over_when_there_is_room(database: Database) -> None:
    def limit(pages: int) -> Callable[[sqlite3.Connection], None]:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")

        return work

    await database.write(note("before"))
    await database.write(limit(1))  # never fewer than there are: no page can be added
    with pytest.raises(StorageError, match=r"the disk is full; free some room") as caught:
        await database.write(note("x" * 1_000_000))
    assert str(database.path) in str(caught.value)
    assert await database.read(notes) == ["before"]
    await database.write(limit(1_000_000))
    await database.write(note("after"))
    assert await database.read(notes) == ["before", "after"]


async def test_a_lock_that_another_holds_too_long_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = functools.partial(connect, timeout=0.05)
    monkeypatch.setattr("wrkflw_tui.store.database.connect", impatient)
    database = Database(file)
    await database.write(note("before"))
    held = sqlite3.connect(file, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StorageError, match="another process holds it locked"):
            await database.write(note("never"))
    finally:
        held.execute("ROLLBACK")
        held.close()
    await database.write(note("after"))
    assert await database.read(notes) == ["before", "after"]
    await database.close()


async def test_a_file_that_cannot_be_written_is_named(database: Database) -> None:
    await database.write(lambda c: c.execute("PRAGMA query_only = ON"))
    with pytest.raises(StorageError, match="the file or its folder cannot be written"):
        await database.write(note("never"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match=r"cannot make .*wrkflw\.db"):
            prepare(tmp_path / "wrkflw.db")
    finally:
        tmp_path.chmod(0o700)


WRITER = """
import asyncio, sys
from pathlib import Path
from wrkflw_tui.store.database import Database
from wrkflw_tui.store.file import next_revision

async def main():
    database = Database(Path(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        print(await database.write(next_revision))
    await database.close()

asyncio.run(main())
"""


def test_writers_of_several_processes_lose_nothing(file: Path) -> None:
    """They also make the file at the same moment."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), "40"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    revisions: list[int] = []
    for writer in writers:
        out, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        mine = [int(line) for line in out.split()]
        assert mine == sorted(mine)
        revisions += mine
    assert sorted(revisions) == list(range(1, 161))
