"""A process that is killed for being overdue is hunted to the end before its run goes on."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from wrkflw_tui.store import claims
from wrkflw_tui.store.database import Database
from wrkflw_tui.worker import process
from wrkflw_tui.worker.children import Children
from wrkflw_tui.worker.process import RunnerProcess

if TYPE_CHECKING:
    import pytest
    from worker.harness import Bench


async def test_the_next_attempt_is_not_taken_for_what_the_last_has_started(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.automation(
        "job", "@step\ndef work(value: int) -> int:\n    time.sleep(60)\n    return 1\n"
    )
    bench.enqueue("job")
    claim = bench.write_record(lambda c: claims.claim_next(c, "me"))
    assert claim is not None
    may_end, looks = threading.Event(), 0

    def slow(token: str) -> None:
        nonlocal looks
        looks += 1
        if looks == 2:  # the process is dead by then, and others may still be found by its run
            may_end.wait(20)

    monkeypatch.setattr(process, "end_all", slow)
    children, database = Children(bench.folder, bench.database), Database(bench.database)
    runner = RunnerProcess(await children.start())
    runner.give(bench.folder / "job.py", claim, 1000)
    listening = asyncio.create_task(runner.listen(database, claim.key, 1000))
    runner._end_overdue("late")  # pyright: ignore[reportPrivateUsage]
    while looks < 2 or runner.is_alive:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)
    done, _ = await asyncio.wait({listening}, timeout=0.5)
    may_end.set()
    assert not done
    assert await listening == -9
    await runner.reap()
    children.close()
    await database.close()
