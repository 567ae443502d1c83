"""How large a value may be, and that what cannot be kept fails where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from engine.turning import asks, begin
from pydantic import BaseModel

from wrkflw_tui import (
    InvalidInput,
    InvalidState,
    RetryPolicy,
    StepContext,
    TooLarge,
    WorkflowFailed,
    WorkflowStorage,
    step,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MB = 1024 * 1024
LIMIT = 1000


@pytest.fixture
async def small(file: Path) -> AsyncIterator[WorkflowStorage]:
    """A storage that keeps values of up to a thousand bytes."""
    storage = WorkflowStorage(file, max_result_bytes=LIMIT)
    yield storage
    await storage.close()


class Text(BaseModel):
    text: str = ""


def giving(length: int, letter: str = "x") -> Any:
    @step(retry=RetryPolicy(max_attempts=3))
    async def give(value: int) -> str:
        return letter * length

    return give


@step
async def length_of(value: str) -> int:
    return len(value)


async def too_large(call: Any) -> WorkflowFailed:
    with pytest.raises(WorkflowFailed, match="at most 1,000 are kept") as caught:
        await call
    assert isinstance(caught.value.__cause__, TooLarge | InvalidState)
    return caught.value


async def test_results_of_several_megabytes_are_kept(storage: WorkflowStorage) -> None:
    flow = begin().then(giving(5 * MB)).then(length_of).commit()
    run = flow.create_run(storage=storage)
    assert await run.start(1) == 5 * MB
    output = (await run.snapshot()).step_results["give"].output
    assert output == "x" * 5 * MB


@pytest.mark.parametrize(("length", "letter"), [(LIMIT - 2, "x"), ((LIMIT - 2) // 2, "é")])
async def test_a_result_may_take_all_that_is_allowed(
    small: WorkflowStorage, length: int, letter: str
) -> None:
    flow = begin().then(giving(length, letter)).then(length_of).commit()
    assert await flow.create_run(storage=small).start(1) == length


@pytest.mark.parametrize(("length", "letter"), [(LIMIT - 1, "x"), (LIMIT // 2, "é")])
async def test_a_result_over_the_limit_fails_its_step_and_is_not_tried_again(
    small: WorkflowStorage, length: int, letter: str
) -> None:
    flow = begin().then(giving(length, letter)).then(length_of).commit()
    run = flow.create_run(storage=small)
    failed = await too_large(run.start(1))
    assert failed.path == "give"
    assert "write it to a file" in str(failed)
    snapshot = await run.snapshot()
    assert len(snapshot.attempts("give")) == 1
    assert snapshot.step_results["give"].output is None


async def test_a_map_over_the_limit_fails(small: WorkflowStorage) -> None:
    flow = begin(output=str).map(lambda n: "x" * LIMIT, output_schema=str, id="big").commit()
    assert (await too_large(flow.create_run(storage=small).start(1))).path == "big"


async def test_a_bail_over_the_limit_fails(small: WorkflowStorage) -> None:
    @step
    async def leave(value: int, context: StepContext) -> str:
        context.bail("x" * LIMIT)

    flow = begin(output=str).then(leave).commit()
    assert (await too_large(flow.create_run(storage=small).start(1))).path == "leave"


async def test_a_state_over_the_limit_fails(small: WorkflowStorage) -> None:
    @step
    async def change(value: int, context: StepContext) -> int:
        context.set_state(Text(text="x" * LIMIT))
        return value

    flow = begin(state_schema=Text).then(change).commit()
    run = flow.create_run(storage=small)
    assert (await too_large(run.start(1))).path == "change"
    assert (await run.snapshot()).state is None


async def test_a_payload_over_the_limit_fails(small: WorkflowStorage) -> None:
    @step
    async def ask(value: int, context: StepContext) -> int:
        return context.suspend(int, payload=["x" * LIMIT])

    flow = begin().then(ask).commit()
    run = flow.create_run(storage=small)
    assert (await too_large(run.start(1))).path == "ask"
    assert (await run.snapshot()).questions == ()


async def test_many_results_together_may_take_more(small: WorkflowStorage) -> None:
    """The limit is for a step's own result: a foreach only holds those of its items."""

    @step
    async def give(value: int) -> str:
        return "x" * (LIMIT - 2)

    @step
    async def count(values: list[str]) -> int:
        return sum(map(len, values))

    flow = begin(input=list[int]).foreach(give).then(count).commit()
    assert await flow.create_run(storage=small).start([1, 2, 3]) == 3 * (LIMIT - 2)


async def test_the_limit_is_the_storages_own(file: Path, small: WorkflowStorage) -> None:
    run = begin().then(giving(2 * LIMIT)).then(length_of).commit().create_run("r", storage=small)
    await too_large(run.start(1))
    larger = WorkflowStorage(file, max_result_bytes=10 * LIMIT)
    again = begin().then(giving(2 * LIMIT)).then(length_of).commit()
    assert await (await again.get_run("r", storage=larger)).recover() == 2 * LIMIT
    await larger.close()


async def test_the_configured_limit_holds_where_no_storage_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wrkflw_tui.engine import defaults

    monkeypatch.setenv("WRKFLW_MAX_RESULT_MB", "0.001")
    monkeypatch.setenv("WRKFLW_DATABASE", str(tmp_path / "own.db"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert defaults.storage_factory is not None
    run = begin().then(giving(LIMIT * 2)).then(length_of).commit().create_run()
    with pytest.raises(WorkflowFailed, match="at most 1,049 are kept"):
        await run.start(1)
    storage: Any = defaults.storage_factory()
    await storage.close()


async def test_an_answer_is_read_back_as_it_was_given(storage: WorkflowStorage) -> None:
    @step
    async def ask(value: int, context: StepContext) -> str:
        return context.suspend(Text).text

    run = begin(output=str).then(ask).commit().create_run(storage=storage)
    await asks(run.start(1))
    text = 'Grüße 😀 \x00 "quoted"\n'
    assert await run.resume(Text(text=text)) == text


async def test_an_input_that_cannot_be_kept_is_refused(storage: WorkflowStorage) -> None:
    flow = begin(input=str, output=str).map(lambda text: text, output_schema=str).commit()
    with pytest.raises(InvalidInput):
        await flow.create_run(storage=storage).start("\ud800")
    assert await storage.list_runs() == []
