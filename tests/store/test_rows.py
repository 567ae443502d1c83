"""Commits of many runs together write of each what a commit of its own would."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from wrkflw_tui import (
    RetryPolicy,
    RunAlreadyStarted,
    StepContext,
    WorkflowFailed,
    WorkflowSuspended,
    create_workflow,
    step,
)

if TYPE_CHECKING:
    from wrkflw_tui import WorkflowSnapshot, WorkflowStorage

MANY = 40
"""Runs at once: each of their commits is for more rows than one statement for all writes best."""


class Total(BaseModel):
    total: int = 0


class Approval(BaseModel):
    approved: bool


@step
async def add(value: int, context: StepContext) -> int:
    context.set_state(Total(total=value + 1))
    return value + 1


@step(retry=RetryPolicy(max_attempts=2, initial_delay=timedelta(0), jitter=0))
async def stumble(value: int, context: StepContext) -> int:
    if context.attempt == 1:
        raise OSError("once")
    context.report_progress(1, 2)
    return value


@step
async def end(value: int, context: StepContext) -> int:
    match value % 4:
        case 0:
            raise ValueError("no multiple of four")
        case 1:
            context.suspend(Approval)
        case 2:
            context.bail(-1)
        case _:
            return value
    return value


def double(value: int) -> int:
    return value * 2 - value


flow = (
    create_workflow(id="flow", input_schema=int, output_schema=int, state_schema=Total)
    .then(add)
    .map(double)
    .then(stumble)
    .sleep(timedelta(milliseconds=1))
    .parallel(add.with_id("left"), add.with_id("right"))
    .map(lambda pair: pair[0] - 1, output_schema=int)
    .then(end)
    .commit()
)


async def walked(storage: WorkflowStorage, value: int) -> WorkflowSnapshot:
    run = flow.create_run(storage=storage)
    with suppress(WorkflowFailed, WorkflowSuspended):
        await run.start(value)
    return await run.snapshot()


def on_record(snapshot: WorkflowSnapshot) -> list[object]:
    """Say all that is on record of a run but its id, its instants and how arms took turns."""
    run = snapshot.run
    steps = [
        (
            *(s.path, s.step_id, s.kind, s.attempt, s.status, s.input_json, s.output_json),
            *(s.error and (s.error.type, s.error.message), s.question and s.question.reason),
            *(s.finished_at is None, s.ended is None, s.wake_at is None, s.state_json),
        )
        for s in sorted(snapshot.all_attempts, key=lambda s: (s.path, s.attempt))
    ]
    told = (run.status, run.steps_done, run.steps_total, run.execution_path)
    return [*told, snapshot.states_json, snapshot.result_json, snapshot.graph_json, *steps]


async def test_many_runs_at_once_leave_what_each_leaves_alone(storage: WorkflowStorage) -> None:
    alone = [on_record(await walked(storage, value)) for value in range(4)]
    together = await asyncio.gather(*(walked(storage, n % 4) for n in range(MANY)))
    for n, snapshot in enumerate(together):
        assert on_record(snapshot) == alone[n % 4]
    assert len({snapshot.run_id for snapshot in together}) == MANY


async def test_of_two_runs_with_one_id_at_once_one_is_refused(storage: WorkflowStorage) -> None:
    ids = [f"run-{n % (MANY - 1)}" for n in range(MANY)]
    runs = [flow.create_run(run_id=id, storage=storage).start(2) for id in ids]
    results = await asyncio.gather(*runs, return_exceptions=True)
    refused = [result for result in results if isinstance(result, RunAlreadyStarted)]
    assert len(refused) == 1
    assert results.count(3) == MANY - 1
    summaries = await storage.list_runs(limit=MANY * 2)
    assert sorted(run.run_id for run in summaries) == sorted(set(ids))


@pytest.mark.parametrize("count", [1, MANY])
async def test_a_graph_is_kept_once(storage: WorkflowStorage, count: int) -> None:
    await asyncio.gather(*(walked(storage, n) for n in range(count)))
    graphs = await storage.database.read(
        lambda c: [row["graph"] for row in c.execute("SELECT graph FROM wrkflw_graphs")]
    )
    assert graphs == [flow.graph]
