"""A runner's process, forked and started from nothing: given a job, killed, let go of."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from wrkflw_tui.store import claims
from wrkflw_tui.store.database import Database
from wrkflw_tui.worker.children import Children
from wrkflw_tui.worker.process import RunnerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.harness import Bench

WORK = """
    @step
    def work(value: int) -> int:
        print("said", value)
        return value + 1
"""


@pytest.fixture(params=[True, False], ids=["forked", "spawned"])
async def children(bench: Bench, request: pytest.FixtureRequest) -> AsyncIterator[Children]:
    made = Children(bench.folder, bench.database, may_fork=request.param)
    yield made
    made.close()


async def test_walks_the_run_it_is_given(bench: Bench, children: Children) -> None:
    file = bench.automation("job", WORK)
    run_id = bench.enqueue("job", "4")
    claim = bench.write_record(lambda c: claims.claim_next(c, "me"))
    assert claim is not None
    runner = RunnerProcess(await children.start())
    database = Database(bench.database)
    runner.give(file, claim, 1000)
    assert await runner.listen(database, claim.key, 1 << 20) == 0
    await runner.reap()
    await database.close()
    assert bench.snapshot(run_id).result == 5
    assert bench.lines(run_id) == ["said 4"]
    assert not psutil.pid_exists(runner.pid)


async def test_leads_a_group_of_its_own_in_the_folder(bench: Bench, children: Children) -> None:
    child = await children.start()
    assert os.getpgid(child.pid) == child.pid == os.getsid(child.pid)
    assert psutil.Process(child.pid).cwd() == str(bench.folder)
    child.hang_up()
    assert await asyncio.wait_for(child.wait(), 20) == 0
    child.reap()


async def test_keeps_its_number_until_it_is_let_go_of(children: Children) -> None:
    child = await children.start()
    assert child.pid in children.pids
    os.kill(child.pid, 9)
    assert await asyncio.wait_for(child.wait(), 20) == -9
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    child.reap()
    assert not psutil.pid_exists(child.pid)
    assert child.pid not in children.pids


async def test_nothing_stays_open(children: Children) -> None:
    await end(children)
    before = psutil.Process().num_fds()
    for _ in range(3):
        await end(children)
    assert psutil.Process().num_fds() == before


async def end(children: Children) -> None:
    child = await children.start()
    child.hang_up()
    with suppress(TimeoutError):
        await asyncio.wait_for(child.wait(), 20)
    child.reap()
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the pipes are closed at the end of the loop's turn
