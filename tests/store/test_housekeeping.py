"""Runs taken off the record, and room given back, in small steps beside others that write."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from store.ended import put_run, rows_of_runs, run_ids

from wrkflw_tui import RunNotFound, WorkflowStorage, create_workflow, step
from wrkflw_tui.store import claims, follow_ups, housekeeping, logs, retention, runs
from wrkflw_tui.store.file import (
    MIGRATIONS,
    connect,
    next_run_revision,
    prepare,
    transaction,
)
from wrkflw_tui.store.housekeeping import Housekeeper, Stopped, space
from wrkflw_tui.store.logs import Stretch
from wrkflw_tui.store.removed import removed_now, removed_since
from wrkflw_tui.store.retention import Rule

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

NOTHING = {
    "wrkflw_step_results": 0,
    "wrkflw_run_logs": 0,
    "wrkflw_log_sizes": 0,
    "wrkflw_messages": 0,
}


@pytest.fixture
def record(file: Path) -> Generator[sqlite3.Connection]:
    prepare(file)
    with closing(connect(file)) as connection:
        yield connection


@pytest.fixture
def keeper(record: sqlite3.Connection, file: Path) -> Generator[Housekeeper]:
    with closing(Housekeeper(file, lambda _took: False)) as made:
        yield made


def remove(keeper: Housekeeper, keep: int = 0, workflow_id: str = "flow") -> int:
    surplus = retention.surplus(keeper.connection, workflow_id, Rule(keep_runs=keep), 10**18)
    return 0 if surplus is None else keeper.remove(surplus)


def test_a_run_goes_with_all_that_belongs_to_it(
    record: sqlite3.Connection, keeper: Housekeeper
) -> None:
    with transaction(record):
        ids = [put_run(record, at=at, steps=40) for at in range(1, 11)]
    assert remove(keeper, keep=3) == 7
    keeper.clear()
    assert run_ids(record) == ids[-3:]
    assert rows_of_runs(record) == {
        "wrkflw_step_results": 120,
        "wrkflw_run_logs": 3,
        "wrkflw_log_sizes": 3,
        "wrkflw_messages": 3,
    }
    assert record.execute("PRAGMA foreign_key_check").fetchall() == []
    assert record.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_it_is_gone_at_once_and_cleared_away_by_whoever_comes_next(
    record: sqlite3.Connection, keeper: Housekeeper, file: Path
) -> None:
    with transaction(record):
        run_id = put_run(record, at=1, steps=500)
    assert remove(keeper) == 1
    with pytest.raises(RunNotFound):
        runs.read_snapshot(record, run_id)
    assert rows_of_runs(record)["wrkflw_step_results"] == 500
    with closing(Housekeeper(file, lambda _took: False)) as next_one:
        next_one.clear()
    assert rows_of_runs(record) == NOTHING


def test_a_run_that_was_taken_up_meanwhile_stays(
    record: sqlite3.Connection, keeper: Housekeeper
) -> None:
    with transaction(record):
        ids = [put_run(record, status="failed", at=1), put_run(record, at=2)]
    surplus = retention.surplus(record, "flow", Rule(keep_runs=0), 10**18)
    assert surplus is not None
    with transaction(record):
        key = record.execute("SELECT min(id) FROM wrkflw_workflow_runs").fetchone()[0]
        assert claims.claim(record, key, "me", ("failed",)) is not None
    assert keeper.remove(surplus) == 1
    keeper.clear()
    assert run_ids(record) == ids[:1]
    assert rows_of_runs(record)["wrkflw_step_results"] == 2


def test_one_that_cannot_go_holds_nothing_up(
    record: sqlite3.Connection, keeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "LISTED", 2)
    with transaction(record):
        ids = [put_run(record, at=1 + n // 4) for n in range(9)]
        record.execute(
            "UPDATE wrkflw_workflow_runs SET status = 'suspended' WHERE run_id = ?", (ids[1],)
        )
    assert remove(keeper) == 8
    assert run_ids(record) == [ids[1]]


def test_many_or_large_rows_take_many_short_transactions(
    record: sqlite3.Connection, keeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "STEP", 0.0)
    with transaction(record):
        put_run(record, at=1, steps=80, output="x" * 10_000)
    deleted: list[int] = []
    before = rows_of_runs(record)["wrkflw_step_results"]

    def rest(_took: float) -> bool:
        nonlocal before
        now = rows_of_runs(record)["wrkflw_step_results"]
        deleted.append(before - now)
        before = now
        return False

    keeper._rest = rest
    remove(keeper)
    keeper.clear()
    assert sum(deleted) == 80
    assert max(deleted) <= housekeeping.FEW


def test_it_stops_between_two_steps_and_goes_on_later(
    record: sqlite3.Connection, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "STEP", 0.0)
    with transaction(record):
        for at in range(1, 6):
            put_run(record, at=at)
    with closing(Housekeeper(file, lambda _took: True)) as stopped:
        with pytest.raises(Stopped):
            remove(stopped)
        assert len(run_ids(record)) == 4
        for _ in range(4):
            with pytest.raises(Stopped):
                remove(stopped)
    with closing(Housekeeper(file, lambda _took: False)) as keeper:
        keeper.clear()
    assert run_ids(record) == []
    assert rows_of_runs(record) == NOTHING


# -- what others rely on


def test_revisions_and_keys_never_come_again(
    record: sqlite3.Connection, keeper: Housekeeper
) -> None:
    with transaction(record):
        for at in range(1, 4):
            put_run(record, at=at)
    seen = record.execute("SELECT max(revision) FROM wrkflw_workflow_runs").fetchone()[0]
    last = record.execute("SELECT max(id) FROM wrkflw_workflow_runs").fetchone()[0]
    remove(keeper)
    with transaction(record):
        assert next_run_revision(record) == seen + 1
        new = claims.enqueue(record, "flow", "1", "app")
    assert [run.run_id for run in runs.runs_since(record, seen)] == [new]
    row = record.execute("SELECT id FROM wrkflw_workflow_runs").fetchone()
    assert row["id"] == last + 1


def test_what_is_said_after_a_run_is_gone_goes_to_no_other(
    record: sqlite3.Connection, keeper: Housekeeper
) -> None:
    with transaction(record):
        put_run(record, at=1)
    key = record.execute("SELECT id FROM wrkflw_workflow_runs").fetchone()["id"]
    remove(keeper)
    keeper.clear()
    with transaction(record):
        new = claims.enqueue(record, "flow", "1", "app")
    with pytest.raises(sqlite3.IntegrityError), transaction(record):
        logs.append(record, key, [Stretch("stdout", "", 1, ("late",))])
    assert logs.read_log(record, new) == []


def test_lists_learn_which_runs_are_gone(record: sqlite3.Connection, keeper: Housekeeper) -> None:
    with transaction(record):
        ids = [put_run(record, at=at) for at in range(1, 6)]
    seen = removed_now(record)
    assert removed_since(record, seen) == (0, [])
    remove(keeper, keep=3)
    assert removed_since(record, seen) == (2, ids[:2])
    seen = removed_now(record)
    remove(keeper, keep=2)
    assert removed_since(record, seen) == (3, ids[2:3])


def test_who_has_missed_too_many_is_told_so(
    record: sqlite3.Connection, keeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "REMEMBERED", 3)
    for at in range(1, 9):
        with transaction(record):
            put_run(record, at=at)
        remove(keeper)
        keeper.clear()
    assert removed_since(record, 0) is None
    newest = removed_now(record)
    found = removed_since(record, newest - 2)
    assert found is not None
    assert len(found[1]) == 2


def test_pages_go_on_from_a_run_that_was_removed(
    record: sqlite3.Connection, keeper: Housekeeper
) -> None:
    with transaction(record):
        ids = [put_run(record, at=at) for at in (1, 2, 9, 9, 9)]
        first = put_run(record, "other", at=1)
        last = put_run(record, at=10)
    assert [run.run_id for run in runs.list_runs(record, before=last, limit=2)] == [first, ids[4]]
    surplus = retention.surplus(record, "other", Rule(keep_runs=0), 10**18)
    assert surplus is not None
    keeper.remove(surplus)
    assert [run.run_id for run in runs.list_runs(record, before=first)] == ids[::-1]


def test_the_error_says_that_a_run_was_removed(
    record: sqlite3.Connection, keeper: Housekeeper
) -> None:
    with transaction(record):
        run_id = put_run(record, at=1)
    remove(keeper)
    for look in (runs.find_run, runs.read_snapshot, runs.read_summary):
        with pytest.raises(RunNotFound, match=rf"{run_id}.* any more: it was removed on \d{{4}}-"):
            look(record, run_id)
    with pytest.raises(RunNotFound, match=r"no run 'never' is on record$"):
        runs.find_run(record, "never")


async def test_a_fork_keeps_its_results_without_its_origin(file: Path) -> None:
    calls: list[str] = []

    @step
    async def first(value: int) -> int:
        calls.append("first")
        return value + 1

    @step
    async def second(value: int) -> int:
        calls.append("second")
        return value * 10

    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=int)
        .then(first)
        .then(second)
        .commit()
    )
    storage = WorkflowStorage(file)
    try:
        run = flow.create_run(storage=storage)
        assert await run.start(1) == 20
        fork = await run.fork(at="second", input_data=7)
        with closing(Housekeeper(file, lambda _took: False)) as keeper:
            assert remove(keeper) == 1
            keeper.clear()
        calls.clear()
        assert await fork.start() == 70
        snapshot = await fork.snapshot()
        assert calls == ["second"]
        assert snapshot.step_results["first"].output == 2
        assert snapshot.forked_from is not None
        assert snapshot.forked_from.run_id == run.run_id
    finally:
        await storage.close()


async def test_runs_go_on_while_others_are_removed(file: Path) -> None:
    @step
    async def add_one(value: int) -> int:
        return value + 1

    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=int)
        .then(add_one)
        .then(add_one.with_id("again"))
        .commit()
    )
    storage = WorkflowStorage(file)
    done = asyncio.Event()

    def prune() -> int:
        removed = 0
        with closing(Housekeeper(file, lambda _took: False)) as keeper:
            while not done.is_set():
                removed += remove(keeper, keep=1)
                keeper.clear()
            removed += remove(keeper, keep=1)
            keeper.clear()
            keeper.give_back()
        return removed

    await storage.list_runs()
    pruning = asyncio.create_task(asyncio.to_thread(prune))
    try:
        for _ in range(10):
            runs = [flow.create_run(storage=storage) for _ in range(10)]
            assert await asyncio.gather(*(run.start(1) for run in runs)) == [3] * 10
        done.set()
        assert await pruning == 99
        assert len(await storage.list_runs()) == 1
    finally:
        done.set()
        await storage.close()
    with closing(connect(file)) as connection:
        assert rows_of_runs(connection)["wrkflw_step_results"] == 2
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


# -- room


def fill(record: sqlite3.Connection, runs: int = 20) -> None:
    with transaction(record):
        for at in range(1, runs + 1):
            put_run(record, at=at, steps=20, output='"' + "x" * 5000 + '"')


def test_room_is_given_back_in_steps(
    record: sqlite3.Connection, keeper: Housekeeper, file: Path
) -> None:
    fill(record)
    keeper.checkpoint()
    before = file.stat().st_size
    remove(keeper, keep=1)
    keeper.clear()
    assert space(record).free > 100
    keeper.give_back(kept=10)
    assert space(record).free == 10
    keeper.give_back()
    assert space(record).free == 0
    keeper.empty_log()
    assert file.stat().st_size < before / 5
    assert file.with_name("wrkflw.db-wal").stat().st_size == 0
    assert record.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_the_log_of_writes_is_left_while_somebody_reads(
    record: sqlite3.Connection, keeper: Housekeeper, file: Path
) -> None:
    fill(record, 3)
    with closing(connect(file, read_only=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM wrkflw_workflow_runs").fetchone()
        fill(record, 1)
        keeper.empty_log()  # does not wait for the reader
        assert reader.execute("SELECT count(*) FROM wrkflw_workflow_runs").fetchone()[0] == 3
    assert file.with_name("wrkflw.db-wal").stat().st_size > 0


@pytest.fixture
def fixed(file: Path) -> Path:
    """A file that was made without room in mind: it cannot be made smaller in steps."""
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for number, script in enumerate(sorted(MIGRATIONS.glob("*.sql")), start=1):
            connection.executescript(
                f"{script.read_text('utf-8')}\nPRAGMA user_version = {number};"
            )
    return file


def test_a_file_that_gives_nothing_back_is_written_anew(fixed: Path) -> None:
    with closing(connect(fixed)) as record:
        assert not space(record).gives_back
        fill(record)
        with closing(Housekeeper(fixed, lambda _took: False)) as keeper:
            remove(keeper, keep=1)
            keeper.clear()
            keeper.give_back()
            assert space(record).free > 100
            with transaction(record):
                busy = put_run(record, status="running")
            assert not keeper.rebuild()
            assert not space(keeper.connection).gives_back
            with transaction(record):
                record.execute(
                    "UPDATE wrkflw_workflow_runs SET status = 'queued' WHERE run_id = ?", (busy,)
                )
            assert keeper.rebuild()
            found = space(keeper.connection)
            assert (found.free, found.gives_back) == (0, True)
        assert len(run_ids(record)) == 2
        assert record.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert record.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_killed_at_any_moment_it_leaves_a_whole_file(
    file: Path, record: sqlite3.Connection
) -> None:
    fill(record, 40)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from wrkflw_tui.store.housekeeping import Housekeeper\n"
        "from wrkflw_tui.store import retention\n"
        "def rest(took):\n"
        "    print('step', flush=True)\n"
        "    sys.stdin.readline()\n"
        "keeper = Housekeeper(Path(sys.argv[1]), rest)\n"
        "rule = retention.Rule(keep_runs=1)\n"
        "keeper.remove(retention.surplus(keeper.connection, 'flow', rule, 10**18))\n"
        "keeper.clear()\n"
        "keeper.give_back()\n"
    )
    for steps in (1, 3, 9):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(steps):
            if process.stdout.readline() == b"":
                break
            process.stdin.write(b"\n")
            process.stdin.flush()
        process.kill()
        process.communicate()
        assert record.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        fill(record, 10)
    with closing(Housekeeper(file, lambda _took: False)) as keeper:
        remove(keeper, keep=1)
        keeper.clear()
        keeper.give_back()
    assert len(run_ids(record)) == 1
    assert rows_of_runs(record)["wrkflw_step_results"] == 20
    assert record.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_run_stays_until_what_follows_it_was_delivered(
    record: sqlite3.Connection, keeper: Housekeeper
) -> None:
    with transaction(record):
        ids = [put_run(record, at=n) for n in (1, 2)]
        follow_ups.replace(record, [follow_ups.FollowUpRule("flow", "success", "notify")])
        for status in ("running", "success"):
            set_status = "UPDATE wrkflw_workflow_runs SET status = ? WHERE run_id = ?"
            record.execute(set_status, (status, ids[0]))
    assert remove(keeper) == 1
    assert run_ids(record) == ids[:1]
    with transaction(record):
        record.execute("UPDATE wrkflw_deliveries SET status = 'failed'")
    assert remove(keeper) == 1
    keeper.clear()
    assert run_ids(record) == []
    assert record.execute("SELECT count(*) FROM wrkflw_deliveries").fetchone()[0] == 0
