"""`recover=`: what is called once a step has finally failed, and when it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from engine.lives import Life, enqueue, live, snapshot_of
from engine.turning import HOUR, asks, begin

from wrkflw_tui import DefinitionError, RetryPolicy, StepContext, StepFailure, WorkflowFailed, step

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui import WorkflowStorage

AT_ONCE = 0 * HOUR


class Steps:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failures: list[StepFailure] = []
        self.is_broken = True
        self.mend_is_broken = False

        @step(retry=RetryPolicy(max_attempts=2, initial_delay=AT_ONCE))
        async def shaky(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            if self.is_broken:
                raise OSError(f"no {context.attempt}")
            return value

        @step
        async def mend(failure: StepFailure, context: StepContext) -> int:
            self.calls.append(context.path)
            self.failures.append(failure)
            if self.mend_is_broken:
                raise ValueError("cannot be mended")
            return -1

        @step
        async def behind(value: int, context: StepContext) -> int:
            self.calls.append(context.path)
            return value * 10

        self.shaky, self.mend, self.behind = shaky, mend, behind

    def flow(self) -> Any:
        return begin().then(self.shaky, recover=self.mend).then(self.behind).commit()


async def test_the_handler_stands_in_once_the_step_has_finally_failed(
    storage: WorkflowStorage,
) -> None:
    steps = Steps()
    run = steps.flow().create_run(storage=storage)
    assert await run.start(1) == -10
    assert steps.calls == ["shaky", "shaky", "mend", "behind"]
    assert steps.failures == [StepFailure("shaky", "OSError", "no 2")]
    snapshot = await run.snapshot()
    assert snapshot.status == "success"
    results = snapshot.step_results
    assert (results["shaky"].status, results["mend"].status) == ("failed", "success")
    assert results["mend"].input == {"path": "shaky", "type": "OSError", "message": "no 2"}


async def test_a_step_that_succeeds_needs_no_handler(storage: WorkflowStorage) -> None:
    steps = Steps()
    steps.is_broken = False
    run = steps.flow().create_run(storage=storage)
    assert await run.start(1) == 10
    assert steps.calls == ["shaky", "behind"]


async def test_the_handler_of_a_nested_workflow_is_told_the_step(storage: WorkflowStorage) -> None:
    steps = Steps()
    inner = begin("inner").then(steps.shaky).then(steps.behind.with_id("never")).commit()
    run = begin().then(inner, recover=steps.mend).commit().create_run(storage=storage)
    assert await run.start(1) == -1
    assert steps.failures == [StepFailure("inner/shaky", "OSError", "no 2")]


async def test_a_handler_has_a_policy_of_its_own_and_may_fail(storage: WorkflowStorage) -> None:
    steps = Steps()
    steps.mend_is_broken = True
    run = steps.flow().create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="cannot be mended") as caught:
        await run.start(1)
    assert caught.value.path == "mend"
    assert steps.calls == ["shaky", "shaky", "mend"]


async def test_a_failed_handler_is_tried_again_and_not_what_it_is_for(
    storage: WorkflowStorage,
) -> None:
    steps = Steps()
    steps.mend_is_broken = True
    run = steps.flow().create_run(storage=storage)
    with pytest.raises(WorkflowFailed):
        await run.start(1)
    steps.calls.clear()
    steps.mend_is_broken = steps.is_broken = False
    assert await run.recover() == -10
    assert steps.calls == ["mend", "behind"]
    assert steps.failures[0] == steps.failures[1]


async def test_a_handler_may_ask(storage: WorkflowStorage) -> None:
    steps = Steps()

    @step
    async def ask(failure: StepFailure, context: StepContext) -> int:
        return context.suspend(int, reason=f"{failure.message}: what now?")

    run = begin().then(steps.shaky, recover=ask).commit().create_run(storage=storage)
    (question,) = await asks(run.start(1))
    assert question.reason == "no 2: what now?"
    assert await run.resume(7) == 7
    assert steps.calls == ["shaky", "shaky"]


@pytest.mark.parametrize("commits", range(1, 7))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_death_at_any_commit(file: Path, commits: int, before: bool) -> None:
    steps = Steps()
    await enqueue(file, 1)
    assert await live(file, steps.flow(), Life(commits, before)) is None
    snapshot = await snapshot_of(file)
    if snapshot.status == "success":
        assert snapshot.result == -10
        return
    finally_failed = len([a for a in snapshot.attempts("shaky") if a.status == "failed"]) == 2
    recorded = {path for path, r in snapshot.step_results.items() if r.status == "success"}
    steps.calls.clear()
    steps.is_broken = not finally_failed  # a failure on record is not given a second chance
    assert await live(file, steps.flow(), Life()) == -10
    assert not recorded & set(steps.calls)
    assert ("shaky" in steps.calls) is not finally_failed


def test_a_handlers_id_is_one_of_the_workflows() -> None:
    steps = Steps()
    twice: Any = steps.mend
    with pytest.raises(DefinitionError, match="two nodes with the id 'mend'"):
        begin().then(steps.shaky, recover=steps.mend).then(twice).commit()
