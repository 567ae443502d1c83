"""Workflows as they are built."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from wrkflw_tui import (
    DefinitionError,
    StepContext,
    Workflow,
    WorkflowBuilder,
    create_workflow,
    step,
)


@step
async def add_one(value: int) -> int:
    """Add one."""
    return value + 1


@step
async def to_text(value: int) -> str:
    return str(value)


def begin(id: str = "w") -> WorkflowBuilder[int, int, int]:
    return create_workflow(id=id, input_schema=int, output_schema=int)


def test_a_committed_workflow_tells_what_it_is() -> None:
    flow = (
        create_workflow(
            id="flow", input_schema=int, output_schema=str, description="said", tags=("a", "b")
        )
        .then(add_one)
        .then(to_text)
        .commit()
    )
    assert isinstance(flow, Workflow)
    assert (flow.id, flow.description, flow.tags) == ("flow", "said", ("a", "b"))
    assert [node.id for node in flow.nodes] == ["add-one", "to-text"]
    assert repr(flow) == "<Workflow flow: int -> str>"


def test_no_step_is_refused() -> None:
    with pytest.raises(DefinitionError, match="'w' has no step"):
        begin().commit()


def test_a_step_after_commit_is_refused() -> None:
    builder = begin().then(add_one)
    builder.commit()
    with pytest.raises(DefinitionError, match="committed: 'other'"):
        builder.then(add_one.with_id("other"))


def test_a_second_commit_is_refused() -> None:
    builder = begin().then(add_one)
    builder.commit()
    with pytest.raises(DefinitionError, match="committed already"):
        builder.commit()


def test_two_nodes_with_one_id_are_refused_and_with_id_helps() -> None:
    with pytest.raises(DefinitionError, match="two nodes with the id 'add-one'"):
        begin().then(add_one).then(add_one).commit()
    flow = begin().then(add_one).then(add_one.with_id("again")).commit()
    assert [node.id for node in flow.nodes] == ["add-one", "again"]


def test_a_map_counts_among_the_ids() -> None:
    builder = begin().map(lambda n: n, output_schema=int, id="add-one").then(add_one)
    with pytest.raises(DefinitionError, match="'add-one'"):
        builder.commit()


def test_an_invalid_id_is_refused() -> None:
    with pytest.raises(DefinitionError, match="no valid id"):
        begin("not one")
    with pytest.raises(DefinitionError, match="no valid id"):
        begin().map(lambda n: n, output_schema=int, id="not one")


def test_what_is_no_step_is_refused_with_a_hint() -> None:
    def plain(value: int) -> int:
        return value

    with pytest.raises(DefinitionError, match="put @step on it"):
        begin().then(plain)  # pyright: ignore[reportArgumentType] - wrong on purpose
    with pytest.raises(DefinitionError, match=r"call \.commit\(\) on it first"):
        begin().then(begin("inner").then(add_one))  # pyright: ignore[reportArgumentType] - wrong on purpose
    with pytest.raises(DefinitionError, match="not 3"):
        begin().then(3)  # pyright: ignore[reportArgumentType] - wrong on purpose


def test_a_maps_type_is_read_off_its_annotation_or_given() -> None:
    def double(value: int) -> int:
        return value * 2

    given = begin().map(lambda n: n, output_schema=TypeAdapter(int)).commit()
    read = begin().map(double).commit()
    assert [node.id for node in (*given.nodes, *read.nodes)] == ["map-1", "map-1"]
    with pytest.raises(DefinitionError, match=r"map 'map-1' of workflow 'w'.*output_schema="):
        begin().map(lambda n: n)


def test_a_class_is_a_map_of_its_own_type() -> None:
    flow = create_workflow(id="w", input_schema=int, output_schema=str).map(str).commit()
    (node,) = flow.nodes
    assert node.id == "map-1"


def test_maps_are_counted_within_their_workflow() -> None:
    flow = (
        begin()
        .map(lambda n: n, output_schema=int)
        .then(add_one)
        .map(lambda n: n, output_schema=int)
        .commit()
    )
    assert [node.id for node in flow.nodes] == ["map-1", "add-one", "map-2"]


def test_an_async_map_is_refused() -> None:
    async def double(value: int) -> int:
        return value * 2

    with pytest.raises(DefinitionError, match="make a step of an async one"):
        begin().map(double, output_schema=int)


def test_a_map_of_another_shape_is_refused() -> None:
    with pytest.raises(DefinitionError, match="must take its input"):
        begin().map(lambda: 1, output_schema=int)  # pyright: ignore[reportArgumentType, reportCallIssue] - wrong on purpose


def test_a_map_takes_a_context_only_where_it_requires_one() -> None:
    def with_context(value: int, context: StepContext) -> int:
        return context.attempt

    flow = begin().map(with_context).map(lambda n, more=2: n, output_schema=int).commit()
    first, second = flow.nodes
    assert getattr(first, "wants_context", None) is True
    assert getattr(second, "wants_context", None) is False


def test_the_graph_opens_nested_workflows() -> None:
    inner = begin("inner").then(add_one).map(lambda n: n, output_schema=int).commit()
    flow = begin().then(inner).then(add_one).commit()
    nested, last = json.loads(flow.graph)
    assert (nested["kind"], nested["id"]) == ("workflow", "inner")
    assert [(node["kind"], node["id"]) for node in nested["nodes"]] == [
        ("step", "add-one"),
        ("map", "map-1"),
    ]
    assert last == {"kind": "step", "id": "add-one", "description": "Add one."}
    assert flow.leaf_count == 3


def test_the_hash_tells_ids_and_kinds_apart_and_nothing_else() -> None:
    same = begin().then(add_one).commit().definition_hash
    assert begin("other").then(add_one).commit().definition_hash == same
    assert begin().then(add_one.with_id("other")).commit().definition_hash != same
    mapped = begin().map(lambda n: n, output_schema=int, id="add-one").commit()
    assert mapped.definition_hash != same
    inner = begin("inner").then(add_one).commit()
    assert begin().then(inner).commit().definition_hash != same

    @step(id="add-one", description="Worded in another way.")
    async def reworded(value: int) -> int:
        return value

    assert begin().then(reworded).commit().definition_hash == same


def test_a_sleeps_function_is_a_plain_one_and_is_named_as_such() -> None:
    async def later(value: int) -> timedelta:
        return timedelta(seconds=value)

    with pytest.raises(
        DefinitionError, match=r"the function of 'sleep-1' in workflow 'w' is async"
    ):
        begin().sleep(later)  # pyright: ignore[reportArgumentType, reportCallIssue] - wrong on purpose
    with pytest.raises(DefinitionError, match="takes a timedelta, or a function"):
        begin().sleep(5)  # pyright: ignore[reportArgumentType, reportCallIssue] - wrong on purpose


@pytest.mark.parametrize("most", [0, -1])
def test_a_limit_below_one_is_refused(most: int) -> None:
    with pytest.raises(DefinitionError, match="'w': max_concurrent_runs must be 1 or more"):
        create_workflow(id="w", input_schema=int, output_schema=int, max_concurrent_runs=most)


def test_a_workflow_knows_its_limit() -> None:
    def made(most: int | None) -> int | None:
        builder = create_workflow(
            id="w", input_schema=int, output_schema=int, max_concurrent_runs=most
        )
        return builder.map(lambda n: n, output_schema=int).commit().max_concurrent_runs

    assert made(3) == 3
    assert made(None) is None
