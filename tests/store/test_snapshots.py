"""Snapshots that are put on record, and the text that runs are found by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui import (
    RunAlreadyStarted,
    StepContext,
    WorkflowFailed,
    WorkflowStorage,
    WorkflowSuspended,
    create_workflow,
    step,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from wrkflw_tui import Workflow


@step
async def double(value: int) -> int:
    return value * 2


@step
def ask(value: int, context: StepContext) -> str:
    context.report_progress(1, 2, "half")
    return context.suspend(str, reason=f"A word for {value}?")


@step
async def shout(word: str) -> str:
    if word == "silence":
        raise OSError("nothing was said in Zürich")
    return word.upper()


def flow() -> Workflow[int, str]:
    builder = create_workflow(id="flow", input_schema=int, output_schema=str)
    return builder.then(double).then(ask).then(shout).commit()


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[WorkflowStorage]:
    storage = WorkflowStorage(tmp_path / "elsewhere.db")
    yield storage
    await storage.close()


async def suspended(storage: WorkflowStorage, value: int = 4) -> str:
    run = flow().create_run(storage=storage)
    with pytest.raises(WorkflowSuspended):
        await run.start(value)
    return run.run_id


async def test_a_saved_snapshot_is_the_run_as_it_was(
    storage: WorkflowStorage, elsewhere: WorkflowStorage
) -> None:
    run_id = await suspended(storage)
    snapshot = await storage.load_snapshot(run_id)
    await elsewhere.save_snapshot(snapshot)
    saved = await elsewhere.load_snapshot(run_id)
    assert saved.all_attempts == snapshot.all_attempts
    assert saved.questions == snapshot.questions
    assert (saved.status, saved.input_data) == ("suspended", 4)
    assert (saved.created_at, saved.updated_at) == (snapshot.created_at, snapshot.updated_at)
    assert (saved.execution_path, saved.state) == (snapshot.execution_path, snapshot.state)


async def test_a_saved_run_goes_on_in_its_new_file(
    storage: WorkflowStorage, elsewhere: WorkflowStorage
) -> None:
    run_id = await suspended(storage)
    await elsewhere.save_snapshot(await storage.load_snapshot(run_id))
    assert await (await flow().get_run(run_id, elsewhere)).resume("hello") == "HELLO"
    assert (await storage.load_snapshot(run_id)).status == "suspended", "the old one stays"


async def test_a_run_that_was_at_work_may_be_taken_up(
    storage: WorkflowStorage, elsewhere: WorkflowStorage
) -> None:
    @step(id="double")
    async def saves(value: int, context: StepContext) -> int:
        if context.attempt == 1:
            await elsewhere.save_snapshot(await storage.load_snapshot(context.run_id))
        return value

    builder = create_workflow(id="flow", input_schema=int, output_schema=int)
    workflow = builder.then(saves).commit()
    run = workflow.create_run(storage=storage)
    await run.start(1)
    saved = await elsewhere.load_snapshot(run.run_id)
    assert (saved.status, saved.step_results["double"].status) == ("queued", "interrupted")
    assert await (await workflow.get_run(run.run_id, elsewhere)).recover() == 1


async def test_an_id_that_is_on_record_is_not_saved_again(storage: WorkflowStorage) -> None:
    run_id = await suspended(storage)
    before = await storage.load_snapshot(run_id)
    with pytest.raises(RunAlreadyStarted, match=run_id):
        await storage.save_snapshot(before)
    assert await storage.load_snapshot(run_id) == before


@pytest.fixture
async def three(storage: WorkflowStorage) -> list[str]:
    """A run that said HELLO, one that failed, and one that asks; the oldest first."""
    ids = [await suspended(storage, value) for value in (77, 5, 6)]
    assert await (await flow().get_run(ids[0], storage)).resume("hello") == "HELLO"
    with pytest.raises(WorkflowFailed):
        await (await flow().get_run(ids[1], storage)).resume("silence")
    return ids


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hello", [0]),  # in an output, however it is written
        ("Zürich", [1]),  # in an error
        ("154", [0]),  # in the output of a step alone
        ("77", [0]),  # in an input
        ("nowhere", []),
        ("100%_", []),  # nothing in it has a meaning of its own
    ],
)
async def test_runs_are_found_by_text(
    storage: WorkflowStorage, three: list[str], text: str, found: list[int]
) -> None:
    runs = await storage.list_runs(text=text)
    assert [run.run_id for run in runs] == [three[index] for index in found]


async def test_runs_are_listed_by_what_is_known_of_them(
    storage: WorkflowStorage, three: list[str]
) -> None:
    async def ids(**asked: object) -> list[str]:
        return [run.run_id for run in await storage.list_runs(**asked)]  # type: ignore[arg-type] - each by name

    newest_first = list(reversed(three))
    assert await ids() == newest_first
    assert await ids(workflow_id="flow", limit=2) == newest_first[:2]
    assert await ids(before=newest_first[1]) == [three[0]]
    assert await ids(status="suspended") == [three[2]]
    assert await ids(workflow_id="other") == []
    hour = timedelta(hours=1)
    assert await ids(since=datetime.now(UTC) - hour, until=datetime.now(UTC) + hour) == newest_first
    assert await ids(until=datetime.now(UTC) - hour) == []
