"""The app's hold on a background worker."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from worker.harness import end_process, is_gone

from wrkflw_tui.config import Config
from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.store import leases
from wrkflw_tui.store.database import Database
from wrkflw_tui.worker.ending import WorkerStays
from wrkflw_tui.worker.link import BackgroundWorker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from worker.harness import Bench

NEVER_BEGINS = "raise SystemExit('no worker today')\n"


class App:
    """What the app does with its link: starts it and checks again and again."""

    def __init__(self, bench: Bench, database: Database) -> None:
        self.bench = bench
        self.database = database
        self.link = BackgroundWorker(Config(bench.folder, bench.database), lambda: database)
        self.pids: set[int] = set()

    async def until(self, status: str, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not self.link.status.startswith(status):
            if time.monotonic() > deadline:
                found = f"{self.link.status!r}, not {status!r}\n{self.log}"
                raise AssertionError(f"{found}\n{self.bench.describe()}")
            await asyncio.sleep(0.02)
            await self.link.check()

    @property
    def log(self) -> str:
        path = self.bench.database.with_name("worker.log")
        return path.read_text() if path.exists() else ""

    async def worker(self) -> psutil.Process:
        """The worker that holds the lease."""
        lease = await self.database.read(lambda c: leases.find(c, leases.WORKER))
        assert lease is not None
        self.pids.add(lease.pid)
        return psutil.Process(lease.pid)

    async def close(self) -> None:
        await self.link.stop()
        await self.database.close()
        for pid in self.pids:
            if not is_gone(pid):
                psutil.Process(pid).kill()
            self.bench.until(lambda pid=pid: is_gone(pid), f"worker {pid} is gone")


@pytest.fixture
async def app(bench: Bench) -> AsyncGenerator[App]:
    made = App(bench, Database(bench.database))
    yield made
    await made.close()


async def test_starts_a_worker_and_stops_it(app: App) -> None:
    await app.link.start()
    assert app.link.status == "worker starting"
    await app.until("worker ready")
    assert app.link.status == "worker ready"
    process = await app.worker()
    await app.link.stop()
    assert is_gone(process.pid)
    # It ended gently: the lease is given up.
    assert await app.database.read(lambda c: leases.find(c, leases.WORKER)) is None
    assert f"worker {process.pid} holds" in app.log


async def test_a_worker_that_is_slow_to_start_holds_nothing_up_and_is_stopped_too(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_go, real = threading.Event(), threading.Event(), subprocess.Popen
    started: list[int] = []

    def slow(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        begun.set()
        assert may_go.wait(20)
        process = real(*arguments, **options)
        started.append(process.pid)
        return process

    monkeypatch.setattr(subprocess, "Popen", slow)
    starting = asyncio.create_task(app.link.start())
    assert await asyncio.to_thread(begun.wait, 20)
    stopping = asyncio.create_task(app.link.stop())
    await asyncio.sleep(0.01)
    assert not stopping.done()
    may_go.set()
    await asyncio.gather(starting, stopping)
    assert [is_gone(pid) for pid in started] == [True]


async def test_finds_the_worker_of_another(app: App) -> None:
    other = app.bench.worker()
    app.bench.wait_said(other, "holds")
    await app.link.start()
    assert app.link.status == f"worker ready (process {other.pid})"
    await app.link.stop()
    assert other.process.poll() is None
    assert app.log == ""


async def test_stops_runs_gently(app: App) -> None:
    code = """
        @step
        def work(value: int) -> int:
            note("at work")
            wait_for("go")
            return value
    """
    app.bench.automation("job", code)
    await app.link.start()
    run_id = app.bench.enqueue("job")
    app.bench.wait_note("at work")
    await app.link.stop()
    assert app.bench.snapshot(run_id).run.status == "queued"
    assert app.bench.attempts(run_id) == [("work", 1, "interrupted")]


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
async def test_leaves_the_worker_running(app: App) -> None:
    await app.link.start()
    await app.until("worker ready")
    process = await app.worker()
    await app.link.leave()
    await app.link.stop()
    other = BackgroundWorker(Config(app.bench.folder, app.bench.database), lambda: app.database)
    await other.start()
    assert other.status == f"worker ready (process {process.pid})"
    # It goes on working.
    run_id = app.bench.enqueue("nothing")
    app.bench.wait(run_id, "failed")


async def test_starts_another_when_its_worker_was_killed(app: App) -> None:
    await app.link.start()
    await app.until("worker ready")
    first = await app.worker()
    first.kill()
    app.bench.until(lambda: is_gone(first.pid), "the worker is gone")
    await app.until("worker starting")
    await app.until("worker ready")
    second = await app.worker()
    assert second.pid != first.pid


async def test_starts_one_when_the_other_app_took_its_own_along(app: App) -> None:
    other = app.bench.worker()
    app.bench.wait_said(other, "holds")
    await app.link.start()
    other.kill()
    await app.until("worker starting")
    await app.until("worker ready")
    assert (await app.worker()).pid != other.pid


async def test_gives_up_after_three_that_ended_at_once(
    app: App, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path_factory.mktemp("broken")
    (broken / "sitecustomize.py").write_text(NEVER_BEGINS)
    monkeypatch.setenv("PYTHONPATH", str(broken))
    await app.link.start()
    await app.until("no worker")
    assert app.link.status.endswith(app.link.log_file)
    assert app.log.count("Fatal Python error") == 3
    for _ in range(20):
        await app.link.check()
        await asyncio.sleep(0.02)
    assert app.log.count("Fatal Python error") == 3


async def test_a_log_that_cannot_be_written_is_named(app: App) -> None:
    app.bench.database.with_name("worker.log").mkdir()
    await app.link.start()
    assert app.link.status.startswith(f"no worker: cannot write {app.link.log_file}")


LEAVES = """
import asyncio, sys
from pathlib import Path
from wrkflw_tui.config import Config
from wrkflw_tui.store.database import Database
from wrkflw_tui.worker.link import BackgroundWorker

async def main():
    config = Config(Path(sys.argv[1]), Path(sys.argv[2]))
    database = Database(config.database)
    link = BackgroundWorker(config, lambda: database)
    await link.start()
    while link.status != "worker ready":
        await asyncio.sleep(0.02)
        await link.check()
    await link.leave()
    await database.close()

asyncio.run(main())
"""


def test_a_worker_that_was_left_outlives_its_app(bench: Bench) -> None:
    arguments = [sys.executable, "-c", LEAVES, str(bench.folder), str(bench.database)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    ((pid,),) = bench.rows("SELECT pid FROM wrkflw_leases")
    try:
        # It does what comes after the app's end.
        bench.wait(bench.enqueue("nothing"), "failed")
        assert not is_gone(int(str(pid)))
    finally:
        end_process(int(str(pid)))


async def test_stops_the_worker_that_somebody_else_has_started(app: App) -> None:
    code = """
        @step
        async def work(value: int) -> int:
            note("at work")
            await asyncio.sleep(60)
            return value
    """
    app.bench.automation("job", code)
    other = app.bench.worker()
    app.bench.wait_said(other, "holds")
    await app.link.start()
    run_id = app.bench.enqueue("job")
    app.bench.wait_note("at work")
    await app.link.stop()
    assert other.process.poll() is None, "it is not this app's own"
    await app.link.stop_all()
    assert other.wait() == 0
    assert app.bench.snapshot(run_id).run.status == "queued"
    await app.link.stop_all()  # nobody is left


async def test_a_worker_on_another_machine_is_not_stopped_from_here(app: App) -> None:
    far = leases.Identity(host="elsewhere")
    await app.database.write(lambda c: leases.take(c, leases.WORKER, far, micros_now()))
    with pytest.raises(WorkerStays, match="elsewhere"):
        await app.link.stop_all()
    await app.database.write(lambda c: leases.give_up(c, far.holder))
