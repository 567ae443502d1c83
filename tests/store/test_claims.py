"""Claims: every change of a run's status has one winner, and older claims are fenced off."""

from __future__ import annotations

import subprocess
import sys
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, cast

import pytest

from wrkflw_tui import ErrorInfo, RunEnded, RunNotFound, StorageError, create_workflow
from wrkflw_tui.engine.ids import new_run_id
from wrkflw_tui.engine.journal import Fenced
from wrkflw_tui.store import claims
from wrkflw_tui.store.file import closing_connection, connect, prepare, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from wrkflw_tui import Workflow, WorkflowStorage
    from wrkflw_tui.engine.models import RunStatus
    from wrkflw_tui.store.journal import SqliteJournal


FLOW = cast(
    "Workflow[object, object]",
    create_workflow(id="flow", input_schema=int, output_schema=int)
    .map(lambda n: n, output_schema=int)
    .commit(),
)


@pytest.fixture
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    prepare(file)
    connection = connect(file)
    yield connection
    connection.close()


def enqueue(connection: sqlite3.Connection, run_id: str = "r") -> str:
    return claims.enqueue(connection, "flow", "1", "app", run_id=run_id)


def claimed(connection: sqlite3.Connection, holder: str = "me") -> claims.Claim:
    claim = claims.claim_next(connection, holder)
    assert claim is not None
    return claim


def column(connection: sqlite3.Connection, name: str, run_id: str = "r") -> object:
    row = connection.execute(
        f"SELECT {name} FROM wrkflw_workflow_runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    return row[0]


def set_status(connection: sqlite3.Connection, status: RunStatus) -> None:
    connection.execute("UPDATE wrkflw_workflow_runs SET status = ?", (status,))


def test_ids_are_uuids_that_sort_by_time() -> None:
    ids = [uuid.UUID(new_run_id()) for _ in range(100)]
    assert {id.version for id in ids} == {7}
    assert {id.variant for id in ids} == {uuid.RFC_4122}
    assert len(set(ids)) == 100
    millis = [id.int >> 80 for id in ids]
    assert millis == sorted(millis)


def test_a_queued_run_is_on_record(connection: sqlite3.Connection) -> None:
    run_id = claims.enqueue(connection, "flow", '{"a": 1}', "schedule", schedule_id="s", due_at=5)
    assert uuid.UUID(run_id).version == 7
    assert column(connection, "status", run_id) == "queued"
    assert column(connection, "schedule_id", run_id) == "s"
    assert column(connection, "due_at", run_id) == 5
    assert claims.has_queued(connection)
    assert column(connection, "input", run_id) == '{"a": 1}'


def test_an_id_on_record_is_not_queued_again(connection: sqlite3.Connection) -> None:
    enqueue(connection)
    with pytest.raises(Exception, match="UNIQUE"):
        enqueue(connection)


def test_the_oldest_of_the_highest_priority_comes_first(connection: sqlite3.Connection) -> None:
    for run_id in ("a", "b", "c"):
        enqueue(connection, run_id)
    connection.execute("UPDATE wrkflw_workflow_runs SET priority = 1 WHERE run_id = 'c'")
    assert [claimed(connection).run_id for _ in range(3)] == ["c", "a", "b"]
    assert claims.claim_next(connection, "me") is None
    assert not claims.has_queued(connection)


def test_a_claim_has_one_winner(connection: sqlite3.Connection) -> None:
    enqueue(connection)
    claim = claims.claim(connection, 1, "one", ("queued",))
    assert claim is not None
    assert claim == claims.Claim(1, "r", "flow", 1)
    assert claims.claim(connection, 1, "other", ("queued",)) is None
    assert column(connection, "owner") == "one"
    assert column(connection, "status") == "running"
    assert claims.is_good(connection, claim)


def test_a_run_of_a_library_is_not_the_workers(connection: sqlite3.Connection) -> None:
    claims.enqueue(connection, "flow", "1", "library")
    assert claims.claim_next(connection, "worker") is None
    assert not claims.has_queued(connection)


CLAIMER = """
import sys
from pathlib import Path
from wrkflw_tui.store import claims
from wrkflw_tui.store.file import Turn, connect, transaction

path = Path(sys.argv[1])
connection = connect(path)
print("ready", flush=True)
sys.stdin.readline()
while True:
    with Turn(path), transaction(connection):
        claim = claims.claim_next(connection, sys.argv[2])
    if claim is None:
        break
    print(claim.run_id)
"""


def test_of_two_processes_one_wins_each_run(file: Path, connection: sqlite3.Connection) -> None:
    runs = [f"run-{n}" for n in range(60)]
    with transaction(connection):
        for run_id in runs:
            enqueue(connection, run_id)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, str(file), holder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for holder in ("one", "other")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    claimed_ids: list[str] = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        claimed_ids += out.split()
    assert sorted(claimed_ids) == sorted(runs)


STARTER = """
import asyncio, sys
from wrkflw_tui import RunAlreadyStarted, WorkflowStorage, create_workflow, step

@step
async def note(value: int) -> int:
    print("entered", flush=True)
    return value

flow = create_workflow(id="w", input_schema=int, output_schema=int).then(note).commit()

async def main():
    storage = WorkflowStorage(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        await flow.create_run("mine", storage=storage).start(1)
    except RunAlreadyStarted:
        print("refused")
    await storage.close()

asyncio.run(main())
"""


def test_of_two_processes_that_start_one_id_one_executes(file: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = sorted(process.communicate(timeout=60)[0] for process in processes)
    assert said == ["entered\n", "refused\n"]


async def at_work(storage: WorkflowStorage) -> tuple[claims.Claim, SqliteJournal]:
    """Return a claimed run that has a step at work on record."""
    await storage.database.write(enqueue)
    claim = await storage.database.write(claimed)
    journal, _ = await storage.reopen(claim, FLOW)
    journal.start("one", "one", "step", "1")
    await journal.commit()
    return claim, journal


async def test_an_older_claim_is_fenced_off(storage: WorkflowStorage) -> None:
    claim, old = await at_work(storage)
    assert await storage.database.write(lambda c: claims.release(c, claim, "interrupted"))
    newer = await storage.database.write(claimed)
    assert newer.epoch > claim.epoch
    entry = old.find("one")
    assert entry is not None
    old.end(entry, "success", "1")
    with pytest.raises(Fenced):
        await old.commit()
    old.finish("success", "1")
    with pytest.raises(Fenced):
        await old.commit()
    snapshot = await storage.load_snapshot("r")
    assert snapshot.status == "running"
    assert snapshot.step_results["one"].status == "interrupted"


@pytest.mark.parametrize("as_what", ["crashed", "interrupted"])
async def test_release_queues_a_run_again(
    storage: WorkflowStorage, as_what: Literal["crashed", "interrupted"]
) -> None:
    claim, _ = await at_work(storage)
    assert await storage.database.read(lambda c: claims.is_in_step(c, claim))
    error = ErrorInfo("RunnerDied", "killed by signal 9")
    assert await storage.database.write(lambda c: claims.release(c, claim, as_what, error))
    assert not await storage.database.write(lambda c: claims.release(c, claim, as_what, error))
    snapshot = await storage.load_snapshot("r")
    assert (snapshot.status, snapshot.execution_path) == ("queued", ())
    result = snapshot.step_results["one"]
    assert (result.status, result.error) == (as_what, error)
    assert result.finished_at is not None
    assert not await storage.database.read(lambda c: claims.is_in_step(c, claim))
    assert not await storage.database.read(lambda c: claims.is_good(c, claim))


async def test_each_end_that_a_release_records_has_a_number_of_its_own(
    storage: WorkflowStorage,
) -> None:
    claim, journal = await at_work(storage)
    journal.start("two", "two", "step", "1")
    journal.start("three", "three", "step", "1")
    await journal.commit()
    await storage.database.write(lambda c: claims.release(c, claim, "crashed"))
    results = (await storage.load_snapshot("r")).step_results
    assert [results[path].ended for path in ("one", "two", "three")] == [4, 5, 6]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_finish_ends_a_run_for_its_runner(
    storage: WorkflowStorage, status: Literal["failed", "cancelled"]
) -> None:
    claim, journal = await at_work(storage)
    error = ErrorInfo("RunnerDied", "gone")
    assert await storage.database.write(lambda c: claims.finish(c, claim, status, error))
    assert not await storage.database.write(lambda c: claims.finish(c, claim, "failed"))
    snapshot = await storage.load_snapshot("r")
    assert (snapshot.status, snapshot.error) == (status, error)
    assert snapshot.run.finished_at is not None
    assert snapshot.step_results["one"].status == "interrupted"
    journal.finish("success", "1")
    with pytest.raises(Fenced):
        await journal.commit()


async def test_a_worker_takes_over_what_the_one_before_was_walking(
    storage: WorkflowStorage,
) -> None:
    claim, _ = await at_work(storage)
    await storage.database.write(lambda c: claims.enqueue(c, "flow", "1", "app", run_id="waits"))
    assert await storage.database.write(claims.take_over) == [claim.run_id]
    snapshot = await storage.load_snapshot("r")
    assert snapshot.status == "queued"
    assert snapshot.step_results["one"].status == "crashed"
    assert not await storage.database.read(lambda c: claims.is_good(c, claim))
    assert await storage.database.write(claims.take_over) == []


@pytest.mark.parametrize("status", ["queued", "sleeping", "suspended"])
def test_a_run_that_is_not_at_work_is_cancelled_at_once(
    connection: sqlite3.Connection, status: RunStatus
) -> None:
    enqueue(connection)
    set_status(connection, status)
    assert claims.request_cancel(connection, "r") == "cancelled"
    assert column(connection, "status") == "cancelled"
    assert column(connection, "finished_at") is not None
    assert claims.claim_next(connection, "me") is None


def test_whoever_walks_a_run_is_asked_to_cancel_it(connection: sqlite3.Connection) -> None:
    enqueue(connection)
    claimed(connection, "me")
    assert claims.cancels_for(connection, "me") == []
    assert claims.request_cancel(connection, "r") == "running"
    assert column(connection, "status") == "running"
    assert claims.cancels_for(connection, "me") == ["r"]
    assert claims.cancels_for(connection, "another") == []


@pytest.mark.parametrize("status", ["success", "failed", "cancelled"])
def test_a_run_that_has_ended_is_not_cancelled(
    connection: sqlite3.Connection, status: RunStatus
) -> None:
    enqueue(connection)
    set_status(connection, status)
    before = column(connection, "revision")
    with pytest.raises(RunEnded, match=f"ended already: {status}"):
        claims.request_cancel(connection, "r")
    assert (column(connection, "status"), column(connection, "revision")) == (status, before)


def test_an_unknown_run_is_not_cancelled(connection: sqlite3.Connection) -> None:
    with pytest.raises(RunNotFound, match="nothing"):
        claims.request_cancel(connection, "nothing")


async def test_a_run_knows_the_definition_that_it_follows(storage: WorkflowStorage) -> None:
    await storage.database.write(enqueue)
    claim = await storage.database.write(claimed)
    for graph, hash, total in (("[1]", "one", 3), ("[2]", "two", 5)):
        limit = timedelta(seconds=total)
        await storage.database.write(
            lambda c, g=graph, h=hash, t=total, of=limit: claims.define(
                c, claim.key, g, h, t, of, 7
            )
        )
        snapshot = await storage.load_snapshot("r")
        assert (snapshot.graph_json, snapshot.run.steps_total) == (graph, total)
    deadline = await storage.database.read(lambda c: column(c, "deadline"))
    assert deadline == 7 + 3_000_000, "its time begins once"


def test_every_change_takes_a_newer_revision(file: Path, connection: sqlite3.Connection) -> None:
    seen: list[object] = []
    with closing_connection(file) as reader:
        enqueue(connection)
        seen.append(column(reader, "revision"))
        claim = claimed(connection)
        seen.append(column(reader, "revision"))
        claims.request_cancel(connection, "r")
        seen.append(column(reader, "revision"))
        claims.release(connection, claim, "interrupted")
        seen.append(column(reader, "revision"))
        claims.request_cancel(connection, "r")
        seen.append(column(reader, "revision"))
    assert seen == [1, 2, 3, 4, 5]


async def test_the_record_says_so_where_an_id_is_taken(storage: WorkflowStorage) -> None:
    await storage.database.write(enqueue)
    with pytest.raises(StorageError, match="UNIQUE"):
        await storage.database.write(enqueue)
