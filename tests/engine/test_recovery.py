"""Walking on over the record: the process is thrown away at a commit, and another takes up the run.

Nothing of a life is kept but the file. A life ends before or after a commit of its own choice.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, cast

import pytest
from engine.lives import Died, Life, enqueue, live, snapshot_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wrkflw_tui import (
    RetryPolicy,
    StepContext,
    StepCrashed,
    StorageError,
    WorkflowFailed,
    WorkflowStorage,
    create_workflow,
    step,
)
from wrkflw_tui.engine.execution import ExecutionEngine
from wrkflw_tui.engine.run import input_value
from wrkflw_tui.store import claims

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui import Workflow
    from wrkflw_tui.engine.models import StepStatus, WorkflowSnapshot

AT_ONCE = timedelta(0)


@dataclass
class StoppedClock:
    """Stands still until somebody sleeps."""

    instant: datetime = field(default_factory=lambda: datetime.now(UTC))
    slept: list[timedelta] = field(default_factory=list)

    def now(self) -> datetime:
        return self.instant

    async def sleep(self, duration: timedelta) -> None:
        self.slept.append(duration)
        self.instant += duration


class Counted:
    """A workflow of steps, a nested workflow and a map that notes who was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

        @step
        async def add(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            return value + 1

        @step
        async def uses_the_first(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            return value + context.get_step_result(add) * 100

        inner = (
            create_workflow(id="inner", input_schema=int, output_schema=int)
            .then(add.with_id("deep"))
            .map(lambda n: n * 2, output_schema=int)
            .then(add.with_id("deeper"))
            .commit()
        )
        self.workflow = (
            create_workflow(id="flow", input_schema=int, output_schema=int)
            .then(add)
            .then(inner)
            .map(lambda n: n + 1, output_schema=int)
            .then(uses_the_first)
            .commit()
        )
        self.paths = ["add", "inner/deep", "inner/deeper", "uses-the-first"]
        self.output = 106


COMMITS = 5
"""One for each step's start, one for the run's end."""


async def test_an_undisturbed_walk(file: Path) -> None:
    await enqueue(file)
    counted = Counted()
    assert await live(file, counted.workflow, Life()) == counted.output
    assert counted.calls == counted.paths
    snapshot = await snapshot_of(file)
    assert (snapshot.status, snapshot.result) == ("success", counted.output)


@pytest.mark.parametrize("commits", range(1, COMMITS + 1))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_death_at_any_commit(file: Path, commits: int, before: bool) -> None:
    await enqueue(file)
    counted = Counted()
    assert await live(file, counted.workflow, Life(commits, before)) is None
    done_by_then = list(counted.calls)
    snapshot = await snapshot_of(file)
    if snapshot.status == "success":  # it died when all was on disk
        assert (commits, before) == (COMMITS, False)
        assert done_by_then == counted.paths
        return
    recorded = {path for path, r in snapshot.step_results.items() if r.status == "success"}
    counted.calls.clear()
    assert await live(file, counted.workflow, Life()) == counted.output
    assert counted.calls == [path for path in counted.paths if path not in recorded]
    # A step is called only after a commit that holds its start, and all that was put before it.
    lost = [path for path in done_by_then if path not in recorded]
    assert lost == (done_by_then[-1:] if before else [])


async def test_a_death_after_every_commit_that_follows_a_step(file: Path) -> None:
    await enqueue(file)
    counted = Counted()
    lives = 0
    while (snapshot := await snapshot_of(file)).status != "success":
        assert await live(file, counted.workflow, Life(2)) is None
        lives += 1
    assert counted.calls == counted.paths
    assert lives == len(counted.paths)
    assert snapshot.result == counted.output
    assert [a.status for a in snapshot.attempts("inner/deep")] == ["crashed", "success"]
    assert [a.attempt for a in snapshot.attempts("inner/deep")] == [1, 2]


@given(st.lists(st.builds(Life, commits=st.integers(1, 3), before=st.booleans()), max_size=8))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_the_lives_no_recorded_step_is_called_again(
    tmp_path_factory: pytest.TempPathFactory, lives: list[Life]
) -> None:
    asyncio.run(_live_through(tmp_path_factory.mktemp("lives") / "wrkflw.db", lives))


async def _live_through(file: Path, lives: list[Life]) -> None:
    await enqueue(file)
    counted = Counted()

    for life in [*lives, Life()]:
        recorded: set[str] = set()

        def note(snapshot: WorkflowSnapshot, recorded: set[str] = recorded) -> None:
            results = snapshot.step_results.items()
            recorded |= {path for path, r in results if r.status == "success"}

        counted.calls.clear()
        try:
            output = await live(file, counted.workflow, life, on_start=note)
        except WorkflowFailed as failed:
            # Died three times in a row in one step: the run has ended.
            assert failed.error.type == "StepCrashed"  # noqa: PT017 - it may fail, but not otherwise
            break
        assert not recorded & set(counted.calls)
        assert len(counted.calls) == len(set(counted.calls))
        status = (await snapshot_of(file)).status
        assert output is None or status == "success"
        if status in ("success", "failed"):
            break
    snapshot = await snapshot_of(file)
    assert snapshot.status in ("success", "failed")
    statuses: dict[str, list[StepStatus]] = {}
    for attempt in snapshot.all_attempts:
        statuses.setdefault(attempt.path, []).append(attempt.status)
    for path, all_of_them in statuses.items():
        assert all_of_them.count("success") <= 1, path
        assert "success" not in all_of_them[:-1], path


async def test_attempts_already_used_count(file: Path) -> None:
    calls: list[int] = []

    @step(retry=RetryPolicy(max_attempts=3, initial_delay=AT_ONCE))
    async def fails(value: int, context: StepContext) -> int:
        calls.append(context.attempt)
        raise OSError(f"failure {context.attempt}")

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(fails).commit()
    await enqueue(file)
    # Commits: the first start, the first failure, the second start, the second failure.
    assert await live(file, flow, Life(4)) is None
    assert calls == [1, 2]
    with pytest.raises(WorkflowFailed, match="failure 3"):
        await live(file, flow, Life())
    assert calls == [1, 2, 3]
    attempts = (await snapshot_of(file)).attempts("fails")
    assert [a.status for a in attempts] == ["failed"] * 3


async def test_a_retry_that_is_on_record_is_made_whatever_the_policy_says_now(file: Path) -> None:
    calls: list[int] = []

    def flow_of(attempts: int) -> Workflow[int, int]:
        @step(retry=RetryPolicy(max_attempts=attempts, initial_delay=AT_ONCE))
        async def fails(value: int) -> int:
            calls.append(value)
            raise OSError("as recorded")

        builder = create_workflow(id="flow", input_schema=int, output_schema=int)
        return builder.then(fails).commit()

    await enqueue(file)
    assert await live(file, flow_of(2), Life(2)) is None
    with pytest.raises(WorkflowFailed, match="OSError: as recorded") as caught:
        await live(file, flow_of(1), Life())  # the file was changed meanwhile
    assert caught.value.path == "fails"
    assert len(calls) == 2
    assert (await snapshot_of(file)).status == "failed"


async def test_the_rest_of_a_delay_is_waited_for_after_a_restart(file: Path) -> None:
    policy = RetryPolicy(max_attempts=2, initial_delay=timedelta(seconds=60), jitter=0)

    @step(retry=policy)
    async def fails_once(value: int, context: StepContext) -> int:
        if context.attempt == 1:
            raise OSError("once")
        return value

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(fails_once)
    workflow = flow.commit()
    await enqueue(file, 7)
    assert await live(file, workflow, Life(2)) is None
    due = (await snapshot_of(file)).step_results["fails-once"].wake_at
    assert due is not None
    clock = StoppedClock(due - timedelta(seconds=10))
    assert await live(file, workflow, Life(), clock) == 7
    assert clock.slept == [timedelta(seconds=10)]


async def test_a_delay_that_is_over_is_not_waited_for(file: Path) -> None:
    policy = RetryPolicy(max_attempts=2, initial_delay=timedelta(seconds=60), jitter=0)

    @step(retry=policy)
    async def fails_once(value: int, context: StepContext) -> int:
        if context.attempt == 1:
            raise OSError("once")
        return value

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(fails_once)
    workflow = flow.commit()
    await enqueue(file, 7)
    assert await live(file, workflow, Life(2)) is None
    clock = StoppedClock(datetime.now(UTC) + timedelta(hours=3))
    assert await live(file, workflow, Life(), clock) == 7
    assert clock.slept == []


async def test_the_delays_of_one_life_follow_the_policy(file: Path) -> None:
    policy = RetryPolicy(max_attempts=4, initial_delay=timedelta(seconds=2), jitter=0)

    @step(retry=policy)
    async def fails(value: int) -> int:
        raise OSError("always")

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(fails).commit()
    await enqueue(file)
    clock = StoppedClock()
    with pytest.raises(WorkflowFailed):
        await live(file, flow, Life(), clock)
    assert [pause.total_seconds() for pause in clock.slept] == [2, 4, 8]


async def test_a_step_whose_process_died_three_times_in_a_row_fails(file: Path) -> None:
    calls: list[int] = []

    @step(retry=RetryPolicy(max_attempts=10, initial_delay=AT_ONCE))
    async def deadly(value: int) -> int:
        calls.append(value)
        raise Died

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(deadly).commit()
    await enqueue(file)
    for _ in range(3):
        assert await live(file, flow, Life()) is None
    with pytest.raises(WorkflowFailed, match=r"3 times in a row.*killed by signal 9") as caught:
        await live(file, flow, Life())
    assert isinstance(caught.value.__cause__, StepCrashed)
    assert len(calls) == 3
    snapshot = await snapshot_of(file)
    assert snapshot.status == "failed"
    assert [a.status for a in snapshot.attempts("deadly")] == [*["crashed"] * 3, "failed"]


async def test_a_hand_over_in_between_breaks_the_row_of_crashes(file: Path) -> None:
    lives = iter([True, True, True, True, False])

    @step
    async def deadly(value: int) -> int:
        if next(lives):
            raise Died
        return value

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(deadly).commit()
    await enqueue(file, 3)
    endings: list[Literal["crashed", "interrupted"]] = [
        "crashed",
        "crashed",
        "interrupted",
        "crashed",
    ]
    for ended_as in endings:
        assert await live(file, flow, Life(ended_as=ended_as)) is None
    assert await live(file, flow, Life()) == 3


async def test_a_death_does_not_use_up_an_attempt(file: Path) -> None:
    calls: list[int] = []

    @step
    async def dies_once(value: int) -> int:
        calls.append(value)
        if len(calls) == 1:
            raise Died
        return value

    flow = create_workflow(id="flow", input_schema=int, output_schema=int).then(dies_once).commit()
    await enqueue(file, 3)
    assert await live(file, flow, Life()) is None
    assert await live(file, flow, Life()) == 3
    assert (await snapshot_of(file)).step_results["dies-once"].attempt == 2


async def test_where_a_result_cannot_be_recorded_the_next_step_is_not_called(file: Path) -> None:
    counted = Counted()
    await enqueue(file)
    storage = WorkflowStorage(file)
    claim = await storage.database.write(lambda c: claims.claim_next(c, "holder"))
    assert claim is not None
    flow = cast("Workflow[object, object]", counted.workflow)
    journal, _ = await storage.reopen(claim, flow)
    commit = journal.commit

    async def commit_until_full() -> None:
        if len(counted.calls) == 2:
            raise StorageError("disk is full")
        await commit()

    journal.commit = commit_until_full
    value = input_value(flow.id, flow.input_schema, 0)
    with pytest.raises(StorageError, match="full"):
        await ExecutionEngine().execute(flow, journal, value)
    assert counted.calls == counted.paths[:2]
    await storage.database.write(lambda c: claims.release(c, claim, "interrupted"))
    await storage.close()
    counted.calls.clear()
    assert await live(file, counted.workflow, Life()) == counted.output
    assert counted.calls == counted.paths[1:]
