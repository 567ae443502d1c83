from __future__ import annotations

import json
from pathlib import Path

import pytest
from tui.record import BACKUP_INPUT, BACKUP_SCHEMA

from wrkflw_tui.forms.fields import WHOLE, Field, fields_of
from wrkflw_tui.forms.values import Raw, fill, fill_pairs, to_raw

SCHEMA: dict[str, object] = dict(BACKUP_SCHEMA)


def one(schema: dict[str, object], *, required: bool = True) -> Field:
    whole = {"type": "object", "properties": {"x": schema}, "required": ["x"] if required else []}
    return fields_of(whole)[0]


def typed(**changes: Raw) -> dict[str, Raw]:
    fields = fields_of(SCHEMA)
    return {f.name: to_raw(f, BACKUP_INPUT[f.name]) for f in fields} | changes


def test_an_input_survives_the_form() -> None:
    filled = fill(SCHEMA, fields_of(SCHEMA), typed())
    assert filled.messages == {}
    assert filled.value == BACKUP_INPUT


def test_fields_know_their_types() -> None:
    names = {field.name: field.type_name for field in fields_of(SCHEMA)}
    assert names == {
        "folder": "path", "keep": "int", "mode": "copy | move", "verify": "bool",
        "tags": "list[str]", "until": "date | None", "target": "Target",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("folder", " ", "is needed"),
        ("keep", "many", "must be a whole number, such as 30"),
        ("keep", "0", "must be at least 1"),
        ("until", "soon", "must be a date such as 2026-07-31"),
        ("target", "{", "is not JSON: expecting property name"),
        ("target", "{}", "host is needed"),
        ("target", '{"host": 3}', "host must be a text"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(name: str, raw: str, message: str) -> None:
    filled = fill(SCHEMA, fields_of(SCHEMA), typed(**{name: raw}))
    assert list(filled.messages) == [name]
    assert filled.messages[name].startswith(message)


def test_a_home_folder_is_written_out() -> None:
    filled = fill(SCHEMA, fields_of(SCHEMA), typed(folder="~/photos"))
    assert isinstance(filled.value, dict)
    assert filled.value["folder"] == str(Path.home() / "photos")


def test_lists_are_typed_by_line_or_by_comma() -> None:
    field = one({"type": "array", "items": {"type": "integer"}})
    schema = {"type": "object", "properties": {"x": field.schema}}
    assert fill(schema, [field], {"x": "1, 2,3"}).value == {"x": [1, 2, 3]}
    assert fill(schema, [field], {"x": "1\n2\n"}).value == {"x": [1, 2]}
    assert fill(schema, [field], {"x": "1, b"}).messages["x"].startswith("item 2, 'b', must be")


def test_what_is_left_empty_takes_its_default_or_null() -> None:
    number = one({"type": "integer", "default": 3}, required=False)
    optional = one({"anyOf": [{"type": "integer"}, {"type": "null"}]})
    assert fill({"type": "object"}, [number], {"x": ""}).value == {}
    assert fill({"type": "object"}, [optional], {"x": ""}).value == {"x": None}


def test_an_input_that_is_no_object_is_one_field() -> None:
    (field,) = fields_of({"type": "string"})
    assert field.name == WHOLE
    assert fill({"type": "string"}, [field], {WHOLE: "Ada"}).value == "Ada"
    (number,) = fields_of({"type": "integer", "minimum": 3})
    found = fill({"type": "integer", "minimum": 3}, [number], {WHOLE: "1"})
    assert found.messages == {WHOLE: "must be at least 3"}


def test_several_types_are_json() -> None:
    field = one({"anyOf": [{"type": "integer"}, {"type": "string"}]})
    assert field.kind == "json"
    assert fill({"type": "object"}, [field], {"x": '"a"'}).value == {"x": "a"}


def test_a_reference_to_itself_ends() -> None:
    schema: dict[str, object] = {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}},
        },
    }
    assert [field.kind for field in fields_of(schema)] == ["json"]


def test_nothing_is_asked_where_nothing_is_wanted() -> None:
    assert fields_of({"type": "null"}) == []
    assert json.loads(to_raw(one({}), {"a": 1})) == {"a": 1}  # pyright: ignore[reportArgumentType]


def test_pairs_are_read_by_their_fields() -> None:
    pairs = [("keep", "3"), ("tags", "a, b"), ("tags", "c"), ("verify", "off"), ("until", "")]
    filled = fill_pairs(fields_of(SCHEMA), pairs)
    assert filled.messages == {}
    assert filled.value == {"keep": 3, "tags": ["a", "b", "c"], "verify": False, "until": None}


def test_pairs_that_cannot_be_read_are_each_named() -> None:
    pairs = [("keep", "x"), ("verify", "perhaps"), ("nothing", "1"), ("mode", "cut"), ("mode", "a")]
    filled = fill_pairs(fields_of(SCHEMA), pairs)
    assert filled.messages == {
        "keep": "must be a whole number, such as 30",
        "verify": "must be true or false",
        "nothing": "is not asked for; there are folder, keep, mode, verify, tags, until, target",
        "mode": "is given twice",
    }
