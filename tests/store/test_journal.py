"""A run's journal in the file: one commit a step, appended, under one claim."""

from __future__ import annotations

import asyncio
import itertools
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from wrkflw_tui import StepContext, StorageError, create_workflow, step
from wrkflw_tui.engine.models import Progress
from wrkflw_tui.store import claims, database, journal
from wrkflw_tui.store.record import load_entries
from wrkflw_tui.store.runs import steps_since

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from wrkflw_tui import Workflow, WorkflowStorage
    from wrkflw_tui.store.journal import SqliteJournal


@step
async def add_one(value: int) -> int:
    return value + 1


def chain(length: int) -> Workflow[int, int]:
    builder = create_workflow(id="chain", input_schema=int, output_schema=int)
    for n in range(length):
        builder = builder.then(add_one.with_id(f"step-{n}"))
    return builder.commit()


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every commit of any connection that is opened from now on."""
    commits: list[str] = []

    def trace(sql: str) -> None:
        if sql.startswith("COMMIT"):
            commits.append(sql)

    def traced(*arguments: Any, read_only: bool = False, **more: Any) -> sqlite3.Connection:
        connection = connect(*arguments, read_only=read_only, **more)
        if not read_only:
            connection.set_trace_callback(trace)
        return connection

    connect = database.connect
    monkeypatch.setattr(database, "connect", traced)
    return commits


async def revisions(storage: WorkflowStorage) -> dict[int, int]:
    def read(connection: sqlite3.Connection) -> dict[int, int]:
        return dict(connection.execute("SELECT n, revision FROM wrkflw_step_results").fetchall())

    return await storage.database.read(read)


async def on_record(storage: WorkflowStorage) -> SqliteJournal:
    await storage.database.write(lambda c: claims.enqueue(c, "w", "1", "app", run_id="r"))
    claim = await storage.database.write(lambda c: claims.claim_next(c, "me"))
    assert claim is not None
    return (await storage.reopen(claim, cast("Workflow[object, object]", chain(1))))[0]


@pytest.mark.parametrize("length", [1, 2, 10])
async def test_n_steps_take_n_plus_one_commits(
    storage: WorkflowStorage, commits: list[str], length: int
) -> None:
    await storage.list_runs()  # the file is there
    commits.clear()
    run = chain(length).create_run(storage=storage)
    await run.start(0)
    assert len(commits) == length + 1
    assert (await run.snapshot()).run.revision == length + 1


async def test_maps_and_nested_workflows_take_no_commit_of_their_own(
    storage: WorkflowStorage, commits: list[str]
) -> None:
    inner = (
        create_workflow(id="inner", input_schema=int, output_schema=int)
        .map(lambda n: n, output_schema=int)
        .then(add_one)
        .map(lambda n: n, output_schema=int)
        .commit()
    )
    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(inner).then(add_one)
    run = flow.commit().create_run(storage=storage)
    await storage.list_runs()
    commits.clear()
    await run.start(0)
    assert len(commits) == 3


async def test_history_is_appended_never_rewritten(storage: WorkflowStorage) -> None:
    seen: list[dict[int, int]] = []

    @step
    async def look(value: int) -> int:
        seen.append(await revisions(storage))
        return value

    builder = create_workflow(id="w", input_schema=int, output_schema=int)
    for n in range(5):
        builder = builder.then(look.with_id(f"look-{n}"))
    await builder.commit().create_run(storage=storage).start(0)
    seen.append(await revisions(storage))
    for before, after in itertools.pairwise(seen):
        ended = sorted(before)[:-1]  # all but the one that was at work
        assert {n: after[n] for n in ended} == {n: before[n] for n in ended}
        assert after[max(before)] > before[max(before)]
    assert sorted(seen[-1]) == [1, 3, 5, 7, 9]


async def test_a_step_is_on_record_as_at_work_before_it_is_called(
    storage: WorkflowStorage,
) -> None:
    @step
    async def look(value: int, context: StepContext) -> int:
        snapshot = await storage.load_snapshot(context.run_id)
        assert snapshot.status == "running"
        assert snapshot.execution_path == ("inner/look",)
        assert snapshot.run.steps_done == 1
        assert {p: r.status for p, r in snapshot.step_results.items()} == {
            "add-one": "success",
            "inner": "running",
            "inner/look": "running",
        }
        assert snapshot.step_results["add-one"].output == 2
        return value

    inner = create_workflow(id="inner", input_schema=int, output_schema=int).then(look).commit()
    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(add_one).then(inner)
    await flow.commit().create_run(storage=storage).start(1)


async def test_what_was_put_is_not_on_record_before_a_commit(storage: WorkflowStorage) -> None:
    one = await on_record(storage)
    entry = one.start("a", "a", "step", "1")
    one.end(entry, "success", "2")
    assert (await storage.load_snapshot("r")).step_results == {}
    await one.commit()
    result = (await storage.load_snapshot("r")).step_results["a"]
    assert (result.status, result.input, result.output) == ("success", 1, 2)


async def test_a_commit_of_nothing_writes_nothing(
    storage: WorkflowStorage, commits: list[str]
) -> None:
    one = await on_record(storage)
    commits.clear()
    await one.commit()
    assert commits == []


async def test_commits_of_one_turn_of_the_loop_are_one(
    storage: WorkflowStorage, commits: list[str]
) -> None:
    one = await on_record(storage)
    commits.clear()

    async def arm(path: str) -> None:
        one.start(path, path, "step", "1")
        await one.commit()

    await asyncio.gather(*(arm(f"arm-{n}") for n in range(10)))
    assert len(commits) == 1
    assert len((await storage.load_snapshot("r")).step_results) == 10


async def test_a_waiter_that_is_cancelled_takes_no_other_with_it(
    storage: WorkflowStorage,
) -> None:
    one = await on_record(storage)
    one.start("a", "a", "step", "1")
    waiters = [asyncio.create_task(one.commit()) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[1].cancel()
    outcomes = await asyncio.gather(*waiters, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        asyncio.CancelledError,
        type(None),
    ]
    assert "a" in (await storage.load_snapshot("r")).step_results


async def test_a_commit_that_fails_is_told(storage: WorkflowStorage) -> None:
    one = await on_record(storage)
    await storage.database.write(
        lambda c: c.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON wrkflw_step_results"
            " BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    )
    one.start("a", "a", "step", "1")
    with pytest.raises(StorageError, match="no room"):
        await one.commit()
    assert (await storage.load_snapshot("r")).step_results == {}


async def test_attempts_are_counted(storage: WorkflowStorage) -> None:
    one = await on_record(storage)
    for status in ("failed", "crashed", "failed"):
        one.end(one.start("a", "a", "step", "1"), status)
    await one.commit()
    entry = one.find("a")
    assert entry is not None
    assert (entry.attempt, entry.order, entry.failures) == (3, 5, 2)
    assert one.find("b") is None


async def test_entries_are_loaded_with_what_came_before(storage: WorkflowStorage) -> None:
    one = await on_record(storage)
    for status in ("failed", "crashed", "crashed"):
        one.end(one.start("a", "a", "step", "1"), status)
    one.end(one.start("b", "b", "step", "1"), "success", "2")
    one.end(one.start("c", "c", "step", "1"), "crashed")
    one.end(one.start("c", "c", "step", "1"), "interrupted")
    await one.commit()
    entries = await storage.database.read(lambda c: load_entries(c, 1))
    assert [(e.path, e.attempt, e.failures, e.crashes) for e in entries.values()] == [
        ("a", 3, 1, 2),
        ("b", 1, 0, 0),
        ("c", 2, 0, 0),
    ]
    assert entries["b"].output == "2"
    later = await storage.database.read(lambda c: load_entries(c, 1, budget_from=3))
    assert (later["a"].failures, later["a"].crashes) == (0, 1)


# Progress


async def progress_writes(
    storage: WorkflowStorage, report: Callable[[StepContext], None], *, on_thread: bool
) -> list[int]:
    """Return the revisions that were seen while a step reported."""
    seen: list[int] = []
    release_it = asyncio.Event()
    loop = asyncio.get_running_loop()
    go_on = threading.Event()

    @step(id="reports")
    def on_a_thread(value: int, context: StepContext) -> int:
        report(context)
        loop.call_soon_threadsafe(release_it.set)
        assert go_on.wait(10)
        return value

    @step(id="reports")
    async def in_the_loop(value: int, context: StepContext) -> int:
        report(context)
        release_it.set()
        await asyncio.to_thread(go_on.wait, 10)
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int)
    flow = flow.then(on_a_thread if on_thread else in_the_loop).commit()
    run = flow.create_run(storage=storage)
    task = asyncio.create_task(run.start(1))
    await release_it.wait()
    while True:
        snapshot = await run.snapshot()
        seen.append(snapshot.run.revision)
        if snapshot.step_results["reports"].progress is not None:
            break
        await asyncio.sleep(0.005)
    go_on.set()
    await task
    seen.append((await run.snapshot()).run.revision)
    return seen


@pytest.mark.parametrize("on_thread", [True, False])
async def test_progress_is_written_seldom_however_often_it_is_reported(
    storage: WorkflowStorage, on_thread: bool
) -> None:
    def report(context: StepContext) -> None:
        for n in range(1000):
            context.report_progress(n + 1, 1000, "so far")

    seen = await progress_writes(storage, report, on_thread=on_thread)
    assert seen[0] == 1
    assert seen[-1] <= 4  # the start, the end, and one write of progress or two
    (summary,) = await storage.list_runs()
    snapshot = await storage.load_snapshot(summary.run_id)
    assert snapshot.step_results["reports"].progress == Progress(1000, 1000, "so far")


async def test_progress_is_written_with_the_end_where_that_comes_first(
    storage: WorkflowStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "PROGRESS_INTERVAL", 3600)

    @step
    async def reports(value: int, context: StepContext) -> int:
        context.report_progress(3, None, "three \ud800")
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(reports).commit()
    run = flow.create_run(storage=storage)
    await run.start(1)
    snapshot = await run.snapshot()
    assert snapshot.run.revision == 2
    progress = snapshot.step_results["reports"].progress
    assert progress == Progress(3, None, "three \\ud800")
    assert progress is not None
    assert progress.fraction is None


async def test_progress_of_a_run_that_has_ended_writes_nothing(
    storage: WorkflowStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "PROGRESS_INTERVAL", 0.0)
    contexts: list[StepContext] = []

    @step
    async def keeps(value: int, context: StepContext) -> int:
        contexts.append(context)
        context.report_progress(1)
        return value

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(keeps).commit()
    run = flow.create_run(storage=storage)
    await run.start(1)
    before = await run.snapshot()
    contexts[0].report_progress(2)
    for _ in range(20):
        await asyncio.sleep(0)
    assert await run.snapshot() == before


def test_a_fraction_stays_between_nothing_and_all() -> None:
    assert [Progress(d, t).fraction for d, t in ((1, 4), (9, 4), (-1, 4), (1, 0), (1, -1))] == [
        0.25,
        1.0,
        0.0,
        None,
        None,
    ]


async def test_steps_since_a_revision_are_those_that_changed(storage: WorkflowStorage) -> None:
    one = await on_record(storage)
    first = one.start("a", "a", "step", "1")
    await one.commit()
    _, newest = await storage.database.read(lambda c: steps_since(c, "r", 0))
    one.end(first, "success", "1")
    one.start("b", "b", "step", "1")
    await one.commit()
    changed, later = await storage.database.read(lambda c: steps_since(c, "r", newest))
    assert [(r.path, r.status) for r in changed] == [("a", "success"), ("b", "running")]
    assert later > newest
    nothing = await storage.database.read(lambda c: steps_since(c, "r", later))
    assert nothing == ([], later)
    from_b = await storage.database.read(lambda c: steps_since(c, "r", 0, from_order=2))
    assert [r.path for r in from_b[0]] == ["b"]


async def test_paths_at_work_on_the_runs_own_row_are_few(storage: WorkflowStorage) -> None:
    one = await on_record(storage)
    for n in range(50):
        one.start(f"arm-{n}", "arm", "step", "1")
    await one.commit()
    assert len((await storage.load_snapshot("r")).execution_path) == journal.SHOWN_PATHS


async def test_what_is_put_before_the_run_itself_is_on_disk_goes_to_that_run(
    storage: WorkflowStorage,
) -> None:
    """A second transaction is sent while the first, which puts the run on record, is under way."""
    journal = storage.begin("r", cast("Workflow[object, object]", chain(1)), "1")
    tasks: list[asyncio.Task[None]] = []
    for path in ("a", "b", "c"):
        journal.start(path, path, "step", "1")
        tasks.append(asyncio.create_task(journal.commit()))
        for _ in range(3):
            await asyncio.sleep(0)  # to the next turn of the loop: it is sent
    await asyncio.gather(*tasks)
    assert list((await storage.load_snapshot("r")).step_results) == ["a", "b", "c"]
