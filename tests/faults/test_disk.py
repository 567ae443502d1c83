"""What lies under the record and the folder fails: it is said, nothing is lost, and all goes on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest
from terminal import Terminal

from wrkflw_tui import cli
from wrkflw_tui.commands import record
from wrkflw_tui.store.file import Turn, prepare

if TYPE_CHECKING:
    from collections.abc import Generator

    from worker.harness import Bench, Worker

    from wrkflw_tui.engine.models import WorkflowSnapshot

can_mount = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount a small disk"
)

BIG = 200_000
TWO_STEPS = f"""
    @step
    def first(value: int) -> str:
        note("first")
        wait_for("go")
        return "x" * {BIG}

    @step
    def second(value: str) -> int:
        note("second")
        return len(value)
"""
HOLDER = """
import fcntl, sqlite3, sys
path, kind = sys.argv[1:]
if kind == "turn":
    file = open(path + "-turn", "w")
    fcntl.flock(file, fcntl.LOCK_EX)
else:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""
FULL = "the disk is full; free some room, the run can go on later"
GONE = "the record is not there any more"
KNOWN = "SELECT 1 FROM wrkflw_workflows"
LEASE = "SELECT pid FROM wrkflw_leases WHERE name = 'worker'"


class Disk:
    """A bench whose record lies on a place of its own."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.place = bench.place / "disk"
        self.place.mkdir()
        self.record = self.place / ".wrkflw"

    def begin(self) -> None:
        self.record.mkdir()
        self.bench.database = self.record / "wrkflw.db"
        prepare(self.bench.database)
        self.bench.automation("job", TWO_STEPS, "first", "second")

    def worker(self) -> Worker:
        worker = self.bench.worker("--max-runs", "2")
        self.bench.until(lambda: self.bench.rows(KNOWN), "it is in the catalogue")
        return worker

    def run_in_first(self) -> str:
        """Start a run, and wait until its first step is at work."""
        run_id = self.bench.enqueue("job")
        self.bench.wait_note("first")
        return run_id

    def fill(self) -> None:
        file = os.open(self.place / "ballast", os.O_CREAT | os.O_WRONLY)
        try:
            while True:
                os.write(file, bytes(4096))
        except OSError:
            os.close(file)

    def make_room(self) -> None:
        (self.place / "ballast").unlink()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        places = ("--folder", str(self.bench.folder), "--database", str(self.bench.database))
        done = subprocess.run(
            [sys.executable, "-m", "wrkflw_tui", *words, *places], capture_output=True, text=True
        )
        assert "Traceback" not in done.stderr
        return done

    def goes_on(self, run_id: str) -> WorkflowSnapshot:
        """See that a run ends well by itself, and that its second step was called once."""
        snapshot = self.bench.wait(run_id)
        assert snapshot.result == BIG
        assert self.bench.notes.count("second") == 1
        return snapshot


@pytest.fixture
def plain(bench: Bench) -> Disk:
    disk = Disk(bench)
    disk.begin()
    return disk


@pytest.fixture
def small(bench: Bench) -> Generator[Disk]:
    """A disk of eight megabytes."""
    disk = Disk(bench)
    mount = ("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk.place))
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        disk.begin()
        yield disk
    finally:
        bench.close()
        subprocess.run(["umount", "--lazy", str(disk.place)], check=True)


@contextmanager
def held(disk: Disk, kind: str) -> Generator[None]:
    """Have another process hold the record locked."""
    command = [sys.executable, "-c", HOLDER, str(disk.bench.database), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        yield


def is_calm(disk: Disk, worker: Worker) -> None:
    """See that a worker, and all it has started, do not go round and round meanwhile."""
    process = psutil.Process(worker.pid)
    watched = [process, *process.children(recursive=True)]
    before, ends = _cpu(watched), time.monotonic() + 1.0
    disk.bench.until(lambda: time.monotonic() > ends, "a second has gone by")
    assert _cpu(watched) - before < 0.4  # whoever goes round takes all of the second


def _cpu(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        if process.is_running():
            times = process.cpu_times()
            total += times.user + times.system
    return total


@can_mount
def test_a_full_disk_in_the_middle_of_a_run(small: Disk) -> None:
    bench = small.bench
    worker = small.worker()
    run_id = small.run_in_first()
    small.fill()
    bench.touch("go")
    bench.wait_said(worker, FULL)
    is_calm(small, worker)
    assert worker.said.count(FULL) == 1
    assert bench.attempts(run_id) == [("first", 1, "running")]
    assert "second" not in bench.notes
    assert small.command("list").returncode == 0
    assert "running" in small.command("show", run_id).stdout
    refused = small.command("run", "job", "--input", "3", "--detach")
    assert refused.returncode == 1
    assert refused.stderr == (f"wrkflw-tui: {bench.database}: database or disk is full: {FULL}\n")
    small.make_room()
    snapshot = small.goes_on(run_id)
    error = snapshot.all_attempts[0].error
    assert error is not None
    assert "the record could not be written" in error.message
    assert FULL in error.message


@can_mount
def test_a_worker_whose_log_lies_on_the_full_disk(small: Disk) -> None:
    bench = small.bench
    app = Terminal.with_app(bench.folder, bench.database)
    try:
        bench.until(lambda: _shown(app) and bench.rows(KNOWN), "the app's worker is there")
        bench.until(lambda: _shown(app) and bench.rows(LEASE), "it holds the lease")
        ((pid,),) = bench.rows(LEASE)
        run_id = bench.enqueue("job")
        bench.until(lambda: _shown(app) and bench.notes, "the step is at work")
        small.fill()
        bench.touch("go")
        said = "no sign of life of the worker"
        bench.until(lambda: _says(app, said), "it says so", seconds=40)
        assert bench.rows(LEASE) == [(pid,)]
        assert psutil.pid_exists(int(str(pid)))
        small.make_room()
        bench.until(lambda: _shown(app) and bench.snapshot(run_id).status == "success", "done")
        assert bench.notes.count("second") == 1
        assert b"Traceback" not in app.seen
    finally:
        app.close()


def _shown(app: Terminal) -> bool:
    """Read what the app writes, as a terminal does."""
    app.read_what_is_there()
    return app.process.poll() is None


def _says(app: Terminal, text: str) -> bool:
    """Tell whether a text was on the screen, however it was broken into lines and pieces."""
    app.read_what_is_there()
    plain = re.sub(
        r"\x1b\[[0-9;?]*[a-zA-Z]|[\s\u2500-\u259f]", "", app.seen.decode(errors="ignore")
    )
    return re.sub(r"\s", "", text) in plain


@can_mount
def test_a_read_only_disk(small: Disk) -> None:
    bench = small.bench
    worker = small.worker()
    bench.touch("go")
    run_id = bench.enqueue("job")
    bench.wait(run_id)
    worker.signal(15)
    worker.wait()
    subprocess.run(["mount", "-o", "remount,ro", str(small.place)], check=True)
    assert "job" in small.command("list").stdout
    assert str(BIG) in small.command("show", run_id).stdout
    for words in (("run", "job", "--input", "3", "--detach"), ("worker",)):
        refused = small.command(*words)
        assert refused.returncode == 1
        assert "Read-only file system: make its folder writable, or choose" in refused.stderr
    app = Terminal.with_app(bench.folder, bench.database)
    try:
        app.read_until(b"job")
        bench.until(lambda: _says(app, "no worker: cannot write"), "it says so")
        assert b"Traceback" not in app.seen
        subprocess.run(["mount", "-o", "remount,rw", str(small.place)], check=True)
        later = bench.enqueue("job")
        bench.until(lambda: _shown(app) and bench.snapshot(later).status == "success", "done")
    finally:
        app.close()


@pytest.mark.parametrize("kind", ["turn", "exclusive"])
def test_a_record_that_another_process_holds_locked(plain: Disk, kind: str) -> None:
    worker = plain.worker()
    run_id = plain.run_in_first()
    with held(plain, kind):
        plain.bench.touch("go")
        is_calm(plain, worker)
        assert plain.bench.attempts(run_id) == [("first", 1, "running")]
        assert "second" not in plain.bench.notes
        assert "running" in plain.command("show", run_id).stdout
        assert plain.command("list").returncode == 0
    plain.goes_on(run_id)
    assert plain.bench.notes == ["first", "second"]


def test_a_command_does_not_wait_for_ever(
    plain: Disk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "BUSY_TIMEOUT", 0.2)
    bench = plain.bench
    run_id = bench.enqueue("job")
    places = ["--folder", str(bench.folder), "--database", str(bench.database)]
    with held(plain, "turn"):
        assert cli.main(["cancel", run_id, *places]) == 1
        said = capsys.readouterr().err
        assert "another process holds it locked, for more than 0.2 s" in said
        assert "try again" in said
    assert bench.snapshot(run_id).status == "queued"
    assert cli.main(["cancel", run_id, *places]) == 0


def test_who_waits_in_turn_gets_it(plain: Disk) -> None:
    turn = Turn(plain.bench.database, 20)
    with held(plain, "turn"):
        assert not turn.try_enter()
    with turn:
        assert not Turn(plain.bench.database).try_enter()
    turn.close()


def test_the_automations_are_taken_away_and_put_back(plain: Disk) -> None:
    bench = plain.bench
    worker = plain.worker()
    run_id = plain.run_in_first()
    away = bench.place / "away"
    bench.folder.rename(away)
    files = "SELECT file FROM wrkflw_automation_files"
    bench.until(lambda: not bench.rows(files), "none is in the catalogue")
    is_calm(plain, worker)
    assert "there is no folder" in plain.command("list").stderr
    refused = plain.command("run", "job", "--input", "3")
    assert refused.returncode == 2
    assert "no workflow in" in refused.stderr
    away.rename(bench.folder)
    bench.touch("go")
    plain.goes_on(run_id)
    bench.until(lambda: bench.rows(files), "it is in the catalogue again")
    bench.wait(bench.enqueue("job"))


def test_the_record_is_taken_away_and_put_back(plain: Disk) -> None:
    bench = plain.bench
    worker = plain.worker()
    run_id = plain.run_in_first()
    away = plain.place / "away"
    plain.record.rename(away)
    bench.touch("go")
    bench.wait_said(worker, GONE)
    is_calm(plain, worker)
    assert not plain.record.exists()
    away.rename(plain.record)
    plain.goes_on(run_id)
    assert bench.attempts(run_id)[-1] == ("second", 1, "success")


def test_another_file_is_put_in_the_place_of_the_record(plain: Disk) -> None:
    bench = plain.bench
    worker = plain.worker()
    plain.run_in_first()
    plain.record.rename(plain.place / "before")
    bench.touch("go")
    plain.record.mkdir()
    prepare(bench.database)
    assert worker.wait() == 0
    assert "another file is in the place of the record" in worker.said
    assert bench.rows("SELECT 1 FROM wrkflw_workflow_runs") == []
    plain.worker()
    bench.wait(bench.enqueue("job"))


def test_the_record_is_taken_away_under_the_app(plain: Disk) -> None:
    bench = plain.bench
    away = plain.place / "away"
    app = Terminal.with_app(bench.folder, bench.database)
    try:
        bench.until(lambda: _shown(app) and bench.rows(KNOWN), "the app's worker is there")
        run_id = bench.enqueue("job")
        bench.until(lambda: _shown(app) and bench.notes, "the step is at work")
        plain.record.rename(away)
        bench.touch("go")
        bench.until(lambda: _says(app, "the record is not there any more"), "it says so")
        assert not plain.record.exists()
        away.rename(plain.record)
        bench.until(lambda: _shown(app) and bench.snapshot(run_id).status == "success", "done")
        assert b"Traceback" not in app.seen
    finally:
        app.close()
