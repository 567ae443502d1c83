"""Runs as they are read: lists by key, snapshots, and what changed since a revision."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui import RunNotFound, WorkflowFailed, WorkflowStorage, create_workflow, step
from wrkflw_tui.store import claims
from wrkflw_tui.store.changes import Changes
from wrkflw_tui.store.runs import AmbiguousRun, find_run, read_summary, runs_since
from wrkflw_tui.store.storage import shared_storage
from wrkflw_tui.store.summaries import revision_now

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


@step
async def invert(value: int) -> float:
    return 1 / value


FLOW = create_workflow(id="flow", input_schema=int, output_schema=float).then(invert).commit()
OTHER = create_workflow(id="other", input_schema=int, output_schema=float).then(invert).commit()


async def put_runs(storage: WorkflowStorage, number: int) -> list[str]:
    def put(connection: sqlite3.Connection) -> list[str]:
        return [
            claims.enqueue(connection, "flow", "1", "app", run_id=f"run-{n:03}")
            for n in range(number)
        ]

    return await storage.database.write(put)


async def test_pages_by_key_hold_every_run_once(storage: WorkflowStorage) -> None:
    ids = await put_runs(storage, 25)
    pages: list[list[str]] = []
    before: str | None = None
    while page := await storage.list_runs(limit=10, before=before):
        pages.append([run.run_id for run in page])
        before = page[-1].run_id
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [id for page in pages for id in page] == ids[::-1]


async def test_a_page_does_not_move_when_runs_are_added(storage: WorkflowStorage) -> None:
    await put_runs(storage, 10)
    first = await storage.list_runs(limit=5)
    await FLOW.create_run(storage=storage).start(1)
    second = await storage.list_runs(limit=5, before=first[-1].run_id)
    assert [run.run_id for run in second] == [f"run-{n:03}" for n in (4, 3, 2, 1, 0)]


async def test_filters(storage: WorkflowStorage) -> None:
    for flow, value in ((FLOW, 1), (OTHER, 1), (FLOW, 0)):
        run = flow.create_run(storage=storage)
        try:
            await run.start(value)
        except WorkflowFailed:
            assert value == 0
    everything = await storage.list_runs()
    assert [(r.workflow_id, r.status) for r in everything] == [
        ("flow", "failed"),
        ("other", "success"),
        ("flow", "success"),
    ]
    assert [r.status for r in await storage.list_runs("flow")] == ["failed", "success"]
    assert [r.workflow_id for r in await storage.list_runs(status="success")] == ["other", "flow"]
    assert len(await storage.list_runs("flow", "failed")) == 1
    assert await storage.list_runs("nothing") == []
    middle = everything[1].created_at
    assert [r.run_id for r in await storage.list_runs(since=middle)] == [
        run.run_id for run in everything[:2]
    ]
    assert [r.run_id for r in await storage.list_runs(until=middle)] == [everything[2].run_id]
    tomorrow = middle + timedelta(days=1)
    assert await storage.list_runs(since=tomorrow) == []


async def test_a_summary_says_why_a_run_failed(storage: WorkflowStorage) -> None:
    run = FLOW.create_run(storage=storage)
    with pytest.raises(WorkflowFailed):
        await run.start(0)
    (summary,) = await storage.list_runs()
    assert summary.error is not None
    assert (summary.error.type, summary.error.path) == ("ZeroDivisionError", "invert")
    assert summary.trigger == "library"
    assert (summary.steps_done, summary.steps_total) == (0, 1)
    assert await storage.database.read(lambda c: read_summary(c, run.run_id or "")) == summary


async def test_an_unknown_run_is_named(storage: WorkflowStorage) -> None:
    with pytest.raises(RunNotFound, match="nothing"):
        await storage.load_snapshot("nothing")
    with pytest.raises(RunNotFound, match="nothing"):
        await storage.database.read(lambda c: read_summary(c, "nothing"))


async def test_a_run_is_found_by_a_part_of_its_id(storage: WorkflowStorage) -> None:
    await put_runs(storage, 12)
    await storage.database.write(lambda c: claims.enqueue(c, "other", "1", "app", run_id="run-00"))

    async def found(text: str) -> str:
        return await storage.database.read(lambda c: find_run(c, text))

    assert await found("run-003") == "run-003"
    assert await found("07") == "run-007"
    assert await found("run-00") == "run-00", "a whole id is meant, whatever begins so"
    assert await found("@latest") == "run-00"
    assert await found("@latest:flow") == "run-011"
    for text in ("", "nothing", "un-003 ", "@latest:nothing", "%", "_"):
        with pytest.raises(RunNotFound):
            await found(text)
    with pytest.raises(AmbiguousRun, match=r"run-011 \(flow\), run-010 \(flow\)"):
        await found("run-01")
    with pytest.raises(AmbiguousRun, match="and more"):
        await found("run")


async def test_runs_since_a_revision(storage: WorkflowStorage) -> None:
    assert await storage.database.read(revision_now) == 0
    first = FLOW.create_run(storage=storage)
    await first.start(1)
    seen = await storage.database.read(revision_now)
    assert await storage.database.read(lambda c: runs_since(c, seen)) == []
    ids = await put_runs(storage, 3)
    changed = await storage.database.read(lambda c: runs_since(c, seen))
    assert [run.run_id for run in changed] == ids
    assert [run.revision for run in changed] == [seen + 1, seen + 2, seen + 3]
    assert len(await storage.database.read(lambda c: runs_since(c, 0, limit=2))) == 2


async def test_a_snapshot_is_of_one_moment(storage: WorkflowStorage) -> None:
    """A run and its steps are read together, however many commits come in between."""

    @step
    async def add_one(value: int) -> int:
        return value + 1

    builder = create_workflow(id="w", input_schema=int, output_schema=int)
    for n in range(150):
        builder = builder.then(add_one.with_id(f"s-{n}"))
    run = builder.commit().create_run("r", storage=storage)
    task = asyncio.create_task(run.start(0))
    looks = 0
    while not task.done():
        await asyncio.sleep(0)
        try:
            snapshot = await storage.load_snapshot("r")
        except RunNotFound:
            continue
        done = [r for r in snapshot.step_results.values() if r.status == "success"]
        assert snapshot.run.steps_done == len(done)
        working = [r.path for r in snapshot.step_results.values() if r.status == "running"]
        assert list(snapshot.execution_path) == working
        looks += 1
    await task
    assert looks > 3


async def test_a_snapshot_for_anyone_with_a_shell(storage: WorkflowStorage) -> None:
    await FLOW.create_run("r", storage=storage).start(4)

    def read(connection: sqlite3.Connection) -> dict[str, object]:
        return dict(connection.execute("SELECT * FROM wrkflw_snapshots").fetchone())

    row = await storage.database.read(read)
    assert (row["run_id"], row["status"], row["result"]) == ("r", "success", "0.25")
    assert '"invert"' in str(row["step_results"])


async def test_another_process_reads_what_this_one_wrote(
    storage: WorkflowStorage, file: Path
) -> None:
    await FLOW.create_run("r", storage=storage).start(4)
    mine = await storage.load_snapshot("r")
    other = WorkflowStorage(file)
    assert await other.load_snapshot("r") == mine
    await other.close()


async def test_a_look_sees_commits_of_others(storage: WorkflowStorage, file: Path) -> None:
    await put_runs(storage, 1)
    changes = Changes(file)
    assert changes.seen()
    assert not changes.seen()
    await storage.database.write(lambda c: claims.claim_next(c, "me"))
    assert changes.seen()
    assert not changes.seen()
    changes.forget()
    assert changes.seen()
    changes.close()


def test_a_process_has_one_storage_for_a_file(tmp_path: Path) -> None:
    assert shared_storage(tmp_path / "a") is shared_storage(tmp_path / "a")
    assert shared_storage(tmp_path / "a") is not shared_storage(tmp_path / "b")


async def test_closing_leaves_no_thread_and_may_be_done_twice(file: Path) -> None:
    before = set(threading.enumerate())

    def threads() -> set[str]:
        new = set(threading.enumerate()) - before
        return {t.name for t in new if t.name in ("wrkflw-writer", "wrkflw-reader")}

    storage = WorkflowStorage(file)
    await FLOW.create_run(storage=storage).start(1)
    assert threads() == {"wrkflw-writer", "wrkflw-reader"}
    await storage.close()
    await storage.close()
    assert threads() == set()


async def test_a_storage_may_be_used_from_one_loop_after_another(file: Path) -> None:
    storage = WorkflowStorage(file)

    def in_a_loop_of_its_own() -> float:
        return asyncio.run(FLOW.create_run(storage=storage).start(2))

    assert await asyncio.to_thread(in_a_loop_of_its_own) == 0.5
    assert await FLOW.create_run(storage=storage).start(4) == 0.25
    await storage.close()
