"""Leases: who may act, for how long, and what becomes of those whose process is gone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

from wrkflw_tui import RunAlreadyStarted, WorkflowStorage, create_workflow, step
from wrkflw_tui.store import leases
from wrkflw_tui.store.file import connect, prepare, transaction
from wrkflw_tui.store.heartbeat import Heartbeat

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

NOW = 1_000_000_000
EXPIRED = NOW + leases.LEASE_MICROS


@pytest.fixture
def connection(file: Path) -> sqlite3.Connection:
    prepare(file)
    return connect(file)


@pytest.fixture(autouse=True)
def _closed(connection: sqlite3.Connection):
    yield
    connection.close()


def test_an_identity_is_this_process() -> None:
    one, other = leases.Identity(), leases.Identity()
    assert one.holder != other.holder
    assert one.pid == os.getpid()
    assert one.process_started == psutil.Process().create_time()


def test_a_lease_is_taken_once(connection: sqlite3.Connection) -> None:
    one, other = leases.Identity(), leases.Identity()
    assert leases.take(connection, "worker", one, NOW)
    assert not leases.take(connection, "worker", other, NOW)
    assert leases.take(connection, "other name", other, NOW)
    lease = leases.find(connection, "worker")
    assert lease is not None
    assert (lease.holder, lease.expires_at) == (one.holder, EXPIRED)
    assert leases.find(connection, "nobody's") is None


def test_its_holder_may_take_it_again(connection: sqlite3.Connection) -> None:
    one = leases.Identity()
    assert leases.take(connection, "worker", one, NOW)
    assert leases.take(connection, "worker", one, NOW + 5)


def test_it_expires_and_is_renewed(connection: sqlite3.Connection) -> None:
    one, other = leases.Identity(), leases.Identity()
    leases.take(connection, "worker", one, NOW)
    assert leases.renew(connection, "worker", one.holder, NOW + 10)
    assert not leases.take(connection, "worker", other, EXPIRED)
    assert leases.take(connection, "worker", other, EXPIRED + 10)
    assert not leases.renew(connection, "worker", one.holder, EXPIRED + 11)


def test_it_is_given_up(connection: sqlite3.Connection) -> None:
    one, other = leases.Identity(), leases.Identity()
    leases.take(connection, "worker", one, NOW)
    leases.give_up(connection, other.holder)
    assert leases.find(connection, "worker") is not None
    leases.give_up(connection, one.holder)
    assert leases.find(connection, "worker") is None


def test_of_a_process_that_is_gone_it_is_free_at_once(connection: sqlite3.Connection) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = leases.Identity(pid=gone.pid, process_started=1.0)
    leases.take(connection, "worker", dead, NOW)
    assert leases.take(connection, "worker", leases.Identity(), NOW + 1)


def test_a_reused_pid_is_another_process(connection: sqlite3.Connection) -> None:
    before = leases.Identity(process_started=leases.Identity().process_started - 100)
    leases.take(connection, "worker", before, NOW)
    assert leases.take(connection, "worker", leases.Identity(), NOW + 1)


def test_of_another_host_it_holds_until_it_expires(connection: sqlite3.Connection) -> None:
    far = leases.Identity(host="elsewhere.invalid", pid=2**22 + 1)
    leases.take(connection, "worker", far, NOW)
    assert not leases.take(connection, "worker", leases.Identity(), EXPIRED - 1)
    assert leases.take(connection, "worker", leases.Identity(), EXPIRED)


def test_a_heartbeat_renews_until_the_lease_is_lost(
    file: Path, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT", 0.005)
    one, lost = leases.Identity(), threading.Event()
    with transaction(connection):
        leases.take(connection, "worker", one, NOW)
    heartbeat = Heartbeat(file, "worker", one.holder, lost.set)
    heartbeat.start()
    for _ in range(1000):
        lease = leases.find(connection, "worker")
        assert lease is not None
        if lease.expires_at > EXPIRED:
            break
        threading.Event().wait(0.005)
    else:
        pytest.fail("never renewed")
    assert not lost.is_set()
    with transaction(connection):
        leases.give_up(connection, one.holder)
    assert lost.wait(10)


def test_a_heartbeat_opens_its_files_once(
    file: Path, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT", 0.001)
    one, beats, enough = leases.Identity(), [0], threading.Event()
    opened: list[str] = []
    open_ = os.open
    renew = leases.renew

    def counting(connection: sqlite3.Connection, name: str, holder: str, now: int) -> bool:
        beats[0] += 1
        if beats[0] == 10:
            enough.set()
        return renew(connection, name, holder, now)

    def opening(path: str, *rest: int) -> int:
        opened.append(str(path))
        return open_(path, *rest)

    with transaction(connection):
        leases.take(connection, "worker", one, NOW)
    monkeypatch.setattr(leases, "renew", counting)
    monkeypatch.setattr("wrkflw_tui.store.file.os.open", opening)
    heartbeat = Heartbeat(file, "worker", one.holder)
    heartbeat.start()
    assert enough.wait(10)
    heartbeat.stop()
    assert len([path for path in opened if path.endswith("-turn")]) == 1


@step
async def same(value: int) -> int:
    return value


FLOW = create_workflow(id="w", input_schema=int, output_schema=int).then(same).commit()


async def test_a_process_that_walks_runs_holds_a_lease_until_it_closes(
    connection: sqlite3.Connection, storage: WorkflowStorage
) -> None:
    run = FLOW.create_run(storage=storage)
    await run.start(1)
    (lease,) = connection.execute("SELECT name, pid FROM wrkflw_leases").fetchall()
    assert lease["name"].startswith("process:")
    assert lease["pid"] == os.getpid()
    await storage.close()
    assert connection.execute("SELECT count(*) FROM wrkflw_leases").fetchone()[0] == 0


async def test_a_lease_whose_taking_was_undone_is_taken_by_the_next_run(
    connection: sqlite3.Connection, file: Path
) -> None:
    """The first run's transaction is undone, and with it the lease that it took."""
    first = WorkflowStorage(file)
    await FLOW.create_run("taken", storage=first).start(1)
    await first.close()
    second = WorkflowStorage(file)
    with pytest.raises(RunAlreadyStarted):
        await FLOW.create_run("taken", storage=second).start(1)
    assert connection.execute("SELECT count(*) FROM wrkflw_leases").fetchone()[0] == 0
    await asyncio.gather(*(FLOW.create_run(storage=second).start(n) for n in range(2)))
    assert connection.execute("SELECT count(*) FROM wrkflw_leases").fetchone()[0] == 1
    await second.close()
