"""Copies of the record: whole or not at all, whatever goes on meanwhile."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from store.ended import put_run, run_ids

from wrkflw_tui import StorageError
from wrkflw_tui.store import claims, copying
from wrkflw_tui.store.copying import DamagedRecord, backup, find_damage
from wrkflw_tui.store.file import Turn, connect, prepare, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture
def record(file: Path) -> Generator[sqlite3.Connection]:
    prepare(file)
    with closing(connect(file)) as connection:
        with transaction(connection):
            for at in range(1, 31):
                put_run(connection, at=at, steps=20, output='"' + "x" * 3000 + '"')
        yield connection


@pytest.fixture
def source(record: sqlite3.Connection, file: Path) -> Generator[sqlite3.Connection]:
    with closing(connect(file, read_only=True)) as connection:
        yield connection


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "copies" / "copy.db"


@pytest.fixture(autouse=True)
def _folder(target: Path) -> None:
    target.parent.mkdir()


def damage(path: Path) -> None:
    """Overwrite pages in the middle of a file that nobody has open."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 4096 * 8)


def test_it_has_everything_and_is_its_owners_alone(
    source: sqlite3.Connection, target: Path
) -> None:
    assert backup(source, target, replace=False) == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(target.parent) == [target.name]
    assert find_damage(target) == ""
    with closing(connect(target)) as copy:
        assert run_ids(copy) == run_ids(source)
        assert copy.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_it_is_of_one_moment_and_ends_however_much_is_written_meanwhile(
    source: sqlite3.Connection, file: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PAGES", 1)
    steps: list[int] = []
    before = run_ids(source)

    def write(done: int, total: int) -> None:
        steps.append(done)
        if done % 20 == 0:
            with (
                closing(Turn(file)) as turn,
                closing(connect(file)) as other,
                turn,
                transaction(other),
            ):
                claims.enqueue(other, "flow", "1", "app")

    backup(source, target, replace=False, progress=write)
    assert steps == sorted(steps), "it never began anew"
    with closing(connect(target)) as copy:
        assert run_ids(copy) == before
    assert len(run_ids(source)) > len(before)


def test_another_file_is_not_replaced_unless_that_is_wanted(
    source: sqlite3.Connection, target: Path
) -> None:
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        backup(source, target, replace=False)
    assert target.read_text() == "mine"
    assert os.listdir(target.parent) == [target.name]
    backup(source, target, replace=True)
    assert find_damage(target) == ""
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_of_a_damaged_record_the_copy_is_kept_under_another_name(
    record: sqlite3.Connection, file: Path, target: Path
) -> None:
    record.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    record.close()
    damage(file)
    with closing(connect(file, read_only=True)) as source, pytest.raises(DamagedRecord) as raised:
        backup(source, target, replace=False)
    assert "copy.db-damaged" in str(raised.value)
    assert ".recover" in str(raised.value)
    assert os.listdir(target.parent) == ["copy.db-damaged"]


def test_a_folder_that_is_not_there_is_named(source: sqlite3.Connection, target: Path) -> None:
    shutil.rmtree(target.parent)
    with pytest.raises(StorageError, match=r"cannot make .*copies.*No such file"):
        backup(source, target, replace=False)


LIMITED = """\
import resource, signal, sys
from pathlib import Path
from wrkflw_tui import StorageError
from wrkflw_tui.store.copying import backup
from wrkflw_tui.store.file import connect
source = connect(Path(sys.argv[1]), read_only=True)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    backup(source, Path(sys.argv[2]), replace=True)
except StorageError as error:
    print(error)
"""


def test_where_it_does_not_fit_the_file_before_it_stays(
    record: sqlite3.Connection, file: Path, target: Path
) -> None:
    record.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    target.write_text("the one before")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(file), str(target)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"cannot copy to {target}" in done.stdout
    assert target.read_text() == "the one before"
    assert os.listdir(target.parent) == [target.name]


KILLED = """\
import sys
from pathlib import Path
from wrkflw_tui.store import copying
from wrkflw_tui.store.file import connect
copying.PAGES = 1
def stop(done, total):
    print("half", flush=True)
    sys.stdin.read()
copying.backup(connect(Path(sys.argv[1]), read_only=True), Path(sys.argv[2]), replace=True,
               progress=stop)
"""


def test_what_a_killed_copy_has_left_is_removed_by_the_next(
    source: sqlite3.Connection, file: Path, target: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file), str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"half\n"
    backup(source, target.with_name("other.db"), replace=False)
    left = os.listdir(target.parent)
    process.kill()
    process.communicate()
    assert len(left) == 2, "the one that goes on is left alone"
    assert not target.exists()
    backup(source, target, replace=False)
    assert sorted(os.listdir(target.parent)) == ["copy.db", "other.db"]


def test_two_copies_to_one_name_end_with_one_whole_file(
    record: sqlite3.Connection, file: Path, target: Path
) -> None:
    def copy() -> None:
        code = KILLED.replace("sys.stdin.read()", "pass")
        subprocess.run([sys.executable, "-c", code, str(file), str(target)], check=True)

    threads = [threading.Thread(target=copy) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert os.listdir(target.parent) == [target.name]
    assert find_damage(target) == ""
