"""Branches: which arm is taken, that it is on record, and that it is never decided again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from engine.lives import Life, enqueue, live, snapshot_of
from pydantic import BaseModel

from wrkflw_tui import (
    DefinitionError,
    StepContext,
    WorkflowFailed,
    WorkflowSuspended,
    create_workflow,
    step,
)

if TYPE_CHECKING:
    from pathlib import Path

    from wrkflw_tui import WorkflowBuilder, WorkflowStorage


@step
async def add_one(value: int) -> int:
    return value + 1


@step
async def to_text(value: int) -> str:
    return f"it is {value}"


def is_big(value: int) -> bool:
    return value > 10


def is_huge(value: int) -> bool:
    return value > 100


def never(value: int) -> bool:
    return False


@step
async def same(value: str) -> str:
    return value


def begin(id: str = "flow") -> WorkflowBuilder[int, int, int]:
    return create_workflow(id=id, input_schema=int, output_schema=int)


def text_of(value: object) -> str:
    return repr(value)


async def test_the_first_condition_that_holds(storage: WorkflowStorage) -> None:
    asked: list[str] = []

    def ask(name: str, answer: bool) -> Any:
        def condition(value: int) -> bool:
            asked.append(name)
            return answer

        return condition

    flow = (
        begin()
        .branch(
            (ask("a", False), add_one.with_id("a")),
            (ask("b", True), add_one.with_id("b")),
            (ask("c", True), add_one.with_id("c")),
        )
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(1) == 2
    assert asked == ["a", "b"]
    snapshot = await run.snapshot()
    assert {p: (r.kind, r.output) for p, r in snapshot.step_results.items()} == {
        "branch-1": ("branch", ["b"]),
        "b": ("step", 2),
    }
    assert snapshot.run.steps_done == snapshot.run.steps_total == 2


@pytest.mark.parametrize(("value", "output"), [(5, "6"), (50, "'it is 50'")])
async def test_otherwise(storage: WorkflowStorage, value: int, output: str) -> None:
    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=str)
        .branch((is_big, to_text), otherwise=add_one)
        .map(text_of)
        .commit()
    )
    assert await flow.create_run(storage=storage).start(value) == output


async def test_no_condition_holds_and_there_is_no_otherwise(storage: WorkflowStorage) -> None:
    flow = begin().branch((is_big, add_one), (is_huge, add_one.with_id("more"))).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match=r"is_big \(for 'add-one'\), is_huge \(for 'more'\)"):
        await run.start(1)
    snapshot = await run.snapshot()
    assert snapshot.status == "failed"
    assert snapshot.step_results["branch-1"].status == "failed"
    assert snapshot.error is not None
    assert (snapshot.error.type, snapshot.error.path) == ("NoConditionHolds", "branch-1")


async def test_a_condition_that_raises_is_not_taken_for_false(storage: WorkflowStorage) -> None:
    def breaks(value: int) -> bool:
        raise KeyError("no such thing")

    flow = begin().branch((breaks, add_one), otherwise=add_one.with_id("b"), id="which").commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="no such thing") as caught:
        await run.start(1)
    assert caught.value.path == "which"
    assert isinstance(caught.value.__cause__, KeyError)
    results = (await run.snapshot()).step_results
    assert {path: r.status for path, r in results.items()} == {"which": "failed"}


@pytest.mark.parametrize("commits", range(1, 4))
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_decision_is_never_taken_again(file: Path, commits: int, before: bool) -> None:
    """Built anew, over other data: the conditions say the opposite in the second life."""
    asked: list[int] = []
    called: list[str] = []

    @step
    async def left(value: int, context: StepContext) -> int:
        called.append(context.path)
        return value + 1

    def build(answer: bool) -> Any:
        def condition(value: int) -> bool:
            asked.append(value)
            return answer

        inner = begin("inner").then(left.with_id("deep")).then(left.with_id("deeper")).commit()
        return begin().branch((condition, inner), otherwise=left.with_id("other")).commit()

    await enqueue(file, 1)
    assert await live(file, build(True), Life(commits, before)) is None
    decided = "branch-1" in (await snapshot_of(file)).step_results
    if (await snapshot_of(file)).status == "success":
        return
    asked.clear()
    assert await live(file, build(False), Life()) == (3 if decided else 2)
    assert asked == ([] if decided else [1])
    assert ("other" in called) is not decided


@pytest.mark.parametrize("kind", ["branch", "branch_all"])
async def test_a_decision_is_kept_on_resume_and_in_a_fork_though_all_was_built_anew(
    storage: WorkflowStorage, kind: str
) -> None:
    """The conditions read data that has changed meanwhile; nobody asks them again."""
    asked: list[int] = []
    data = {"is_open": True}

    @step
    async def ask(value: int, context: StepContext) -> int:
        return value + context.suspend(int)

    def build() -> Any:
        def condition(value: int) -> bool:
            asked.append(value)
            return data["is_open"]

        def as_text(value: object) -> str:
            return repr(value)

        builder: Any = create_workflow(id="flow", input_schema=int, output_schema=str)
        other = add_one.with_id("other")
        if kind == "branch":
            builder = builder.branch((condition, ask), otherwise=other)
        else:
            builder = builder.branch_all((condition, ask), (lambda n: not condition(n), other))
        return builder.map(as_text, id="text").then(same.with_id("end")).commit()

    run = build().create_run("r", storage=storage)
    with pytest.raises(WorkflowSuspended):
        await run.start(1)
    data["is_open"] = False
    asked.clear()
    again = await build().get_run("r", storage=storage)
    output = "6" if kind == "branch" else "{'ask': 6}"
    assert await again.resume(5) == output
    fork = await (await build().get_run("r", storage=storage)).fork(at="end")
    assert await fork.start() == output
    assert asked == []


async def test_every_arm_whose_condition_holds(storage: WorkflowStorage) -> None:
    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=dict[str, int | str])
        .branch_all((is_big, add_one), (never, add_one.with_id("b")), (is_big, to_text))
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(20) == {"add-one": 21, "to-text": "it is 20"}
    assert (await run.snapshot()).step_results["branch-all-1"].output == ["add-one", "to-text"]
    none = flow.create_run(storage=storage)
    assert await none.start(1) == {}
    assert (await none.snapshot()).status == "success"


async def test_of_all_arms_the_others_finish_when_one_fails(storage: WorkflowStorage) -> None:
    @step
    async def breaks(value: int) -> int:
        raise OSError("broken")

    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=dict[str, int])
        .branch_all((is_big, breaks), (is_big, add_one))
        .commit()
    )
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="broken"):
        await run.start(20)
    assert (await run.snapshot()).step_results["add-one"].status == "success"


async def test_a_nested_workflow_that_begins_with_a_map_sees_the_value(
    storage: WorkflowStorage,
) -> None:
    inner = begin("inner").map(lambda n: n * 2, output_schema=int).commit()
    flow = begin().then(add_one).branch((is_big, inner), otherwise=to_int).commit()
    assert await flow.create_run(storage=storage).start(20) == 42
    assert await flow.create_run(storage=storage).start(2) == 3


@step
async def to_int(value: int) -> int:
    return value


async def test_the_output_is_read_with_the_chosen_arms_schema(file: Path) -> None:
    class Cat(BaseModel):
        name: str

    class Dog(BaseModel):
        name: str

    @step
    async def cat(value: int) -> Cat:
        return Cat(name="c")

    @step
    async def dog(value: int) -> Dog:
        return Dog(name="d")

    @step
    async def kind_of(animal: Cat | Dog) -> str:
        return type(animal).__name__

    flow = (
        create_workflow(id="flow", input_schema=int, output_schema=str)
        .branch((never, cat), otherwise=dog)
        .then(kind_of)
        .commit()
    )
    await enqueue(file, 1)
    assert await live(file, flow, Life(2)) is None  # it has called dog; kind_of began
    assert await live(file, flow, Life()) == "Dog"


async def test_a_condition_gets_a_value_of_its_own(storage: WorkflowStorage) -> None:
    def spoil(values: list[int]) -> bool:
        values.clear()
        return True

    @step
    async def total(values: list[int]) -> int:
        return sum(values)

    flow = (
        create_workflow(id="flow", input_schema=list[int], output_schema=int)
        .branch((spoil, total))
        .commit()
    )
    assert await flow.create_run(storage=storage).start([1, 2]) == 3


async def test_an_arm_that_is_gone_is_said(file: Path) -> None:
    await enqueue(file, 50)
    assert await live(file, begin().branch((is_big, add_one)).commit(), Life(1)) is None
    changed = begin().branch((is_big, add_one.with_id("other"))).commit()
    with pytest.raises(WorkflowFailed, match="was decided for 'add-one', which is no arm any more"):
        await live(file, changed, Life())


def test_ids_are_unique_across_arms_and_otherwise() -> None:
    with pytest.raises(DefinitionError, match="two nodes with the id 'add-one'"):
        begin().branch((is_big, add_one), otherwise=add_one).commit()
    with pytest.raises(DefinitionError, match="two nodes with the id 'add-one'"):
        begin().then(add_one).branch((is_big, add_one)).commit()
    with pytest.raises(DefinitionError, match="two nodes with the id 'x'"):
        begin().branch((is_big, add_one.with_id("x")), otherwise=add_one, id="x").commit()


def test_what_cannot_be_a_branch() -> None:
    async def later(value: int) -> bool:
        return True

    with pytest.raises(DefinitionError, match="no arm"):
        begin().branch()  # pyright: ignore[reportCallIssue] - wrong on purpose
    with pytest.raises(DefinitionError, match="is async"):
        begin().branch((later, add_one))  # pyright: ignore[reportArgumentType] - wrong on purpose
    with pytest.raises(DefinitionError, match="takes a step or a workflow"):
        begin().branch((is_big, is_big))  # pyright: ignore[reportArgumentType] - wrong on purpose


def test_the_graph_and_the_hash() -> None:
    flow = begin().branch((is_big, add_one), otherwise=to_int).commit()
    (node,) = json.loads(flow.graph)
    assert (node["kind"], node["id"], node["takes"]) == ("branch", "branch-1", "first")
    assert [arm["id"] for arm in node["arms"]] == ["add-one"]
    assert (node["otherwise"]["id"], node["conditions"]) == ("to-int", ["is_big"])
    assert flow.leaf_count == 2
    other = begin().branch((is_big, add_one), otherwise=to_int.with_id("x")).commit()
    assert other.definition_hash != flow.definition_hash
