"""Values: what is validated, how it is narrowed, and that it reads back equal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from wrkflw_tui import (
    InvalidInput,
    UnstorableValue,
    WorkflowFailed,
    create_step,
    create_workflow,
    step,
)
from wrkflw_tui.engine.schema import Schema, name_of, reads_back

if TYPE_CHECKING:
    from wrkflw_tui import WorkflowStorage


class Base(BaseModel):
    n: int


class Rich(Base):
    extra: str = "kept by the subclass alone"


class Twin(BaseModel):
    n: int


class Point(BaseModel):
    x: float
    y: float | None = None


@dataclass
class Plain:
    n: int
    names: list[str]


class Colour(Enum):
    RED = "red"


def stored(source: object, value: object) -> object:
    """Store the value; check that what the next step gets is what is read back."""
    schema = Schema[object](source)
    text, live = schema.store(value)
    assert reads_back(live, schema.load(text))
    return live


def test_a_subclass_is_narrowed_to_the_declared_type() -> None:
    live = stored(Base, Rich(n=1))
    assert type(live) is Base
    assert live == Base(n=1)


def test_narrowing_reaches_into_containers() -> None:
    class Holder(BaseModel):
        items: list[Base]

    live = stored(Holder, Holder(items=[Rich(n=1), Base(n=2)]))
    assert isinstance(live, Holder)
    assert [type(item) for item in live.items] == [Base, Base]
    assert stored(dict[str, Base], {"a": Rich(n=1)}) == {"a": Base(n=1)}


def test_the_live_value_is_the_records_not_the_authors() -> None:
    given_list = [1, 2]
    live = stored(list[int], given_list)
    given_list.append(3)
    assert live == [1, 2]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinities_survive(value: float) -> None:
    live = stored(float, value)
    assert isinstance(live, float)
    assert live == value or (math.isnan(live) and math.isnan(value))
    point = stored(Point, Point(x=1.0, y=value))
    assert isinstance(point, Point)
    assert point.y is not None
    assert point.y == value or (math.isnan(point.y) and math.isnan(value))
    listed = stored(list[float | None], [value, None, 1.5])
    assert isinstance(listed, list)
    assert listed[1:] == [None, 1.5]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_and_infinities_survive_where_no_float_is_declared(value: float) -> None:
    class Loose(BaseModel):
        items: list[Base]
        anything: Any

    live = stored(Loose, Loose(items=[Rich(n=1)], anything={"deep": [value]}))
    assert isinstance(live, Loose)
    assert type(live.items[0]) is Base
    assert same(live.anything, {"deep": [value]})
    assert same(stored(Any, value), value)


def test_a_twin_model_in_a_union_is_refused() -> None:
    with pytest.raises(UnstorableValue, match="read back differently"):
        stored(Base | Twin, Twin(n=1))
    assert stored(Base | Twin, Base(n=1)) == Base(n=1)


def test_a_text_that_a_union_reads_as_a_date_is_refused() -> None:
    with pytest.raises(UnstorableValue, match="read back differently"):
        stored(date | str, "2026-01-01")
    assert stored(date | str, "someday") == "someday"


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(UnstorableValue, match="cannot be written as JSON"):
        stored(bytes, b"\xff")
    assert stored(bytes, b"plain") == b"plain"


def test_a_lone_surrogate_in_a_value_is_refused() -> None:
    for source in (str, Any, list[Any]):
        with pytest.raises((UnstorableValue, ValidationError)):
            stored(source, ["\ud800"] if source == list[Any] else "\ud800")


def test_what_the_model_leaves_out_of_its_json_is_refused() -> None:
    class Secretive(BaseModel):
        shown: int
        hidden: int = Field(default=0, exclude=True)

    with pytest.raises(UnstorableValue):
        stored(Secretive, Secretive(shown=1, hidden=2))
    assert stored(Secretive, Secretive(shown=1)) == Secretive(shown=1)


def test_an_instance_that_was_changed_until_it_no_longer_fits_is_refused() -> None:
    spoiled = Base(n=1)
    spoiled.n = "many"  # pyright: ignore[reportAttributeAccessIssue] - wrong on purpose
    with pytest.raises((UnstorableValue, ValidationError)):
        stored(Base, spoiled)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (None, None),
        (int | None, None),
        (TypeAdapter(Literal["a", "b"]), "b"),
        (Annotated[int, Field(gt=0)], 3),
        (tuple[int, str], (1, "a")),
        (set[int], {1, 2}),
        (frozenset[str], frozenset({"a"})),
        (Plain, Plain(1, ["a"])),
        (Colour, Colour.RED),
        (datetime, datetime(2026, 1, 2, 3, 4, 5, 678)),
        (bool | int, True),
        (int | bool, True),
        (float | int, 1),
        (int | float, 1.0),
        (dict[int, list[Point]], {1: [Point(x=1.0)]}),
    ],
    ids=str,
)
def test_what_reads_back_equal_is_stored(source: object, value: object) -> None:
    live = stored(source, value)
    assert live == value
    assert type(live) is type(value)


@pytest.mark.parametrize(
    ("source", "value"),
    [(None, 1), (int, "x"), (Base, {"n": "x"}), (list[int], 3), (Literal["a"], "b")],
    ids=str,
)
def test_what_does_not_fit_is_told_by_pydantic(source: object, value: object) -> None:
    with pytest.raises(ValidationError):
        stored(source, value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@given(JSON)
@settings(max_examples=150, deadline=None)
def test_any_plain_data_round_trips(value: object) -> None:
    schema = ANY
    text, live = schema.store(value)
    assert same(live, value)
    assert same(schema.load(text), value)


ANY = Schema[object](Any)


class Everything(BaseModel):
    number: int
    real: float | None
    text: str
    when: datetime
    day: date
    many: list[tuple[int, str]]
    by_name: dict[str, float]


EVERYTHING = Schema[Everything](Everything)


@given(
    st.builds(
        Everything,
        real=st.none() | st.floats(),
        by_name=st.dictionaries(st.text(), st.floats(), max_size=3),
        when=st.datetimes(),
    )
)
@settings(max_examples=100, deadline=None)
def test_models_round_trip(value: Everything) -> None:
    text, live = EVERYTHING.store(value)
    assert same(live.model_dump(), value.model_dump())
    assert same(EVERYTHING.load(text).model_dump(), value.model_dump())


@given(st.one_of(st.text(), st.dates(), st.integers(), st.booleans()))
@settings(max_examples=150, deadline=None)
def test_a_union_gives_back_what_was_stored_or_refuses_it(value: object) -> None:
    try:
        text, live = UNION.store(value)
    except UnstorableValue:
        assert isinstance(value, str)  # only a text can be taken for something else
        return
    assert same(live, value)
    assert same(UNION.load(text), value)


UNION = Schema[object](int | date | str | bool)


def test_how_schemas_are_named() -> None:
    assert [name_of(s) for s in (int, None, list[int], TypeAdapter(int | str), Base)] == [
        "int",
        "None",
        "list[int]",
        "int | str",
        "Base",
    ]


# In a run


async def test_a_steps_input_is_its_own(storage: WorkflowStorage) -> None:
    @step
    async def spoil(value: Plain) -> Plain:
        value.names.append("spoiled")
        return Plain(2, ["fresh"])

    @step
    async def spoil_too(value: Plain) -> int:
        value.names.clear()
        return value.n

    flow = (
        create_workflow(id="w", input_schema=Plain, output_schema=int)
        .then(spoil)
        .then(spoil_too)
        .commit()
    )
    given_value = Plain(1, ["given"])
    run = flow.create_run(storage=storage)
    assert await run.start(given_value) == 2
    assert given_value.names == ["given"]
    snapshot = await run.snapshot()
    assert snapshot.input_data == {"n": 1, "names": ["given"]}
    assert snapshot.step_results["spoil"].input == {"n": 1, "names": ["given"]}
    assert snapshot.step_results["spoil"].output == {"n": 2, "names": ["fresh"]}
    assert snapshot.step_results["spoil-too"].input == {"n": 2, "names": ["fresh"]}


async def test_what_is_returned_and_kept_by_the_author_stays_as_it_was_recorded(
    storage: WorkflowStorage,
) -> None:
    kept: list[int] = []

    @step
    async def give(value: int) -> list[int]:
        kept.append(value)
        return kept

    @step
    async def look(value: list[int]) -> int:
        kept.append(99)
        return len(value)

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(give).then(look)
    assert await flow.commit().create_run(storage=storage).start(1) == 1


async def test_none_is_a_value_like_others(storage: WorkflowStorage) -> None:
    @step
    async def nothing(value: None) -> None: ...

    flow = (
        create_workflow(id="w", input_schema=None, output_schema=None)
        .then(nothing)
        .then(nothing.with_id("again"))
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start(None) is None
    snapshot = await run.snapshot()
    assert snapshot.result_json == "null"
    assert [r.output_json for r in snapshot.step_results.values()] == ["null", "null"]


async def test_nan_goes_through_a_whole_run(storage: WorkflowStorage) -> None:
    same_float = create_step(
        id="same", input_schema=float, output_schema=float, execute=lambda x: x
    )
    flow = create_workflow(id="w", input_schema=float, output_schema=float).then(same_float)
    run = flow.commit().create_run(storage=storage)
    assert math.isnan(await run.start(math.nan))
    result = (await run.snapshot()).step_results["same"]
    assert isinstance(result.output, float)
    assert math.isnan(result.output)


async def test_lone_surrogates_in_an_errors_text_are_escaped(storage: WorkflowStorage) -> None:
    @step
    async def fails(value: int) -> int:
        raise ValueError("bad \ud800 text")

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(fails).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed):
        await run.start(1)
    error = (await run.snapshot()).error
    assert error is not None
    assert error.message == "bad \\ud800 text"


async def test_an_input_with_a_lone_surrogate_is_refused(storage: WorkflowStorage) -> None:
    same_text = create_step(id="same", input_schema=str, output_schema=str, execute=lambda x: x)
    flow = create_workflow(id="w", input_schema=str, output_schema=str).then(same_text).commit()
    with pytest.raises(InvalidInput):
        await flow.create_run(storage=storage).start("\udfff")


@pytest.mark.parametrize("megabytes", [1, 20])
async def test_large_outputs(storage: WorkflowStorage, megabytes: int) -> None:
    @step
    async def grow(value: int) -> str:
        return "é" * (value * 500_000)

    @step
    async def measure(value: str) -> int:
        return len(value)

    flow = create_workflow(id="w", input_schema=int, output_schema=int).then(grow).then(measure)
    run = flow.commit().create_run(storage=storage)
    assert await run.start(megabytes) == megabytes * 500_000
    output = (await run.snapshot()).step_results["grow"].output
    assert isinstance(output, str)
    assert len(output.encode()) == megabytes * 1_000_000
