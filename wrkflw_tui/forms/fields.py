"""What a JSON schema asks for, as the fields of a form."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

Kind = Literal[
    "text", "secret", "integer", "number", "boolean", "choice", "list", "date", "datetime",
    "time", "path", "json",
]  # fmt: skip

Schema: TypeAlias = "dict[str, object]"

_FORMATS: dict[str, Kind] = {
    "date": "date",
    "date-time": "datetime",
    "time": "time",
    "path": "path",
    "file-path": "path",
    "directory-path": "path",
    "password": "secret",
}
_SCALARS: dict[str, Kind] = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}

WHOLE = ""
"""The name of the only field of an input that is no object."""


class Missing:
    """No value: told apart from JSON's null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form."""

    name: str
    kind: Kind
    schema: Schema = field(repr=False)
    """With references followed and null taken out."""
    required: bool = True
    nullable: bool = False
    default: object = MISSING
    description: str = ""
    choices: tuple[object, ...] = ()
    item: Field | None = None
    """Of a list: what its items are."""

    @property
    def type_name(self) -> str:
        """Its type in the words of Python."""
        name = self._plain_name()
        return f"{name} | None" if self.nullable else name

    def _plain_name(self) -> str:
        match self.kind:
            case "choice":
                return " | ".join(as_text(choice) for choice in self.choices)
            case "list":
                return f"list[{self.item.type_name if self.item else 'any'}]"
            case "json":
                title = self.schema.get("title") or self.schema.get("type")
                return str(title) if title else "any"
            case "text" | "secret":
                return "str"
            case _:
                return {"integer": "int", "number": "float", "boolean": "bool"}.get(
                    self.kind, self.kind
                )


def wants_input(schema: Schema) -> bool:
    """Say whether a workflow takes any input."""
    return schema.get("type") != "null"


def fields_of(schema: Schema) -> list[Field]:
    """Return the fields of an input: of an object its properties, else one that is the whole."""
    root = _followed(schema, schema)
    properties = root.get("properties")
    if root.get("type") == "object" and isinstance(properties, dict) and properties:
        required = cast("list[str]", root.get("required") or [])
        return [
            _field(name, cast("Schema", part), schema, required=name in required)
            for name, part in cast("dict[str, object]", properties).items()
        ]
    return [_field(WHOLE, schema, schema, required=True)] if wants_input(root) else []


def _field(name: str, part: Schema, root: Schema, *, required: bool) -> Field:
    outer = _followed(part, root)
    inner, nullable = _without_null(outer, root)
    kind = _kind(inner, root)
    choices: tuple[object, ...] = ()
    if kind == "choice":
        choices = _choices(inner)
    elif kind == "boolean" and nullable:
        kind, choices = "choice", (True, False)
    item: Field | None = None
    if kind == "list":
        item = _field("", cast("Schema", inner["items"]), root, required=True)
    description = outer.get("description") or inner.get("description") or ""
    return Field(
        name=name,
        kind=kind,
        schema=inner,
        required=required,
        nullable=nullable,
        default=outer.get("default", MISSING),
        description=str(description),
        choices=choices,
        item=item,
    )


def _kind(schema: Schema, root: Schema) -> Kind:
    if _choices(schema):
        return "choice"
    type_ = schema.get("type")
    if type_ == "array" and isinstance(schema.get("items"), dict):
        item = _field("", cast("Schema", schema["items"]), root, required=True)
        is_scalar = item.kind in ("text", "integer", "number", "path") and not item.nullable
        return "list" if is_scalar else "json"
    if type_ == "string":
        return _FORMATS.get(str(schema.get("format", "")), "text")
    return _SCALARS.get(str(type_), "json") if isinstance(type_, str) else "json"


def _choices(schema: Schema) -> tuple[object, ...]:
    if "const" in schema:
        return (schema["const"],)
    return tuple(cast("list[object]", schema.get("enum") or ()))


def _followed(schema: Schema, root: Schema) -> Schema:
    """Follow references; what stands beside one holds over what it refers to."""
    for _ in range(20):  # a reference to itself would never end
        ref = schema.get("$ref")
        parts = schema.get("allOf")
        if isinstance(ref, str):
            rest = {name: value for name, value in schema.items() if name != "$ref"}
            schema = {**_referred(ref, root), **rest}
        elif isinstance(parts, list) and len(cast("list[object]", parts)) == 1:
            rest = {name: value for name, value in schema.items() if name != "allOf"}
            schema = {**cast("Schema", parts[0]), **rest}
        else:
            break
    return schema


def _referred(ref: str, root: Schema) -> Schema:
    target = root
    for part in filter(None, ref.removeprefix("#").split("/")):
        inner = target.get(part.replace("~1", "/").replace("~0", "~"))
        if not isinstance(inner, dict):
            return {}
        target = cast("Schema", inner)
    return target


def _without_null(schema: Schema, root: Schema) -> tuple[Schema, bool]:
    options = schema.get("anyOf") or schema.get("oneOf")
    if not isinstance(options, list):
        return schema, False
    parts = [_followed(cast("Schema", part), root) for part in cast("list[object]", options)]
    others = [part for part in parts if part.get("type") != "null"]
    nullable = len(others) < len(parts)
    if len(others) == 1:
        return others[0], nullable
    return schema, False  # several types: JSON, where null is written like any other value


def as_text(value: object) -> str:
    """Write a value for reading: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
