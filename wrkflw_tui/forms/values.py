"""From what was typed into a field to a value and back, and what is wrong with it."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, cast

from wrkflw_tui.forms.fields import MISSING, WHOLE, Field, Schema, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jsonschema.exceptions import ValidationError

Raw = str | bool
"""What an input widget holds."""


class Unreadable(ValueError):
    """What was typed is no value of the field's type; says what would be."""


@dataclass(slots=True)
class Filled:
    """An input as far as it could be read, with what is wrong with it by field."""

    value: object = None
    messages: dict[str, str] = field(default_factory=dict[str, str])


def to_raw(wanted: Field, value: object) -> Raw:
    """Write a value the way its field is typed."""
    if wanted.kind == "boolean":
        return "" if value is MISSING and wanted.required else value is True
    if value is MISSING or (value is None and wanted.kind != "json"):
        return ""
    if wanted.kind == "choice":
        return as_text(value)
    if wanted.kind == "list" and isinstance(value, list):
        return "\n".join(as_text(item) for item in cast("list[object]", value))
    if wanted.kind == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    return as_text(value)


def to_value(wanted: Field, raw: Raw) -> object:
    """Read what was typed; `MISSING` where nothing was and nothing has to be.

    Raises `Unreadable`.
    """
    if isinstance(raw, bool):
        return raw
    typed = raw if wanted.kind in ("text", "secret", "json") else raw.strip()
    if not typed.strip():
        return _empty(wanted)
    return _read(wanted, typed)


def _empty(wanted: Field) -> object:
    if wanted.nullable and (wanted.required or wanted.default is not MISSING):
        return None
    if wanted.kind == "list":
        return []
    if wanted.required:
        raise Unreadable("is needed")
    if wanted.kind == "text" and wanted.default is not MISSING:
        return ""
    return MISSING


def _read(wanted: Field, typed: str) -> object:
    match wanted.kind:
        case "integer":
            return _integer(typed)
        case "number":
            return _number(typed)
        case "boolean":
            return _boolean(typed)
        case "choice":
            return next((c for c in wanted.choices if as_text(c) == typed), typed)
        case "list":
            return _list(wanted, typed)
        case "json":
            return read_json(typed)
        case "path":
            return os.path.expanduser(typed)
        case "date" | "datetime" | "time":
            return _moment(wanted.kind, typed)
        case _:
            return typed


def _boolean(typed: str) -> bool:
    word = typed.strip().lower()
    if word not in _TRUE and word not in _FALSE:
        raise Unreadable("must be true or false")
    return word in _TRUE


_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


def _integer(typed: str) -> int:
    try:
        return int(typed.replace("_", "").replace(" ", ""))
    except ValueError:
        raise Unreadable("must be a whole number, such as 30") from None


def _number(typed: str) -> float:
    try:
        value = float(typed.replace("_", ""))
    except ValueError:
        raise Unreadable("must be a number, such as 2.5") from None
    if not math.isfinite(value):
        raise Unreadable("must be a number, such as 2.5")
    return value


def _list(wanted: Field, typed: str) -> list[object]:
    item = wanted.item
    separator = r"\n" if "\n" in typed else r","
    parts = [part.strip() for part in re.split(separator, typed)]
    values: list[object] = []
    for place, part in enumerate((part for part in parts if part), start=1):
        try:
            values.append(part if item is None else _read(item, part))
        except Unreadable as error:
            raise Unreadable(f"item {place}, {part!r}, {error}") from None
    return values


def _moment(kind: str, typed: str) -> str:
    try:
        if kind == "date":
            return date.fromisoformat(typed).isoformat()
        if kind == "time":
            return time.fromisoformat(typed).isoformat()
        return datetime.fromisoformat(typed).isoformat()
    except ValueError:
        example = {"date": "2026-07-31", "time": "18:30"}.get(kind, "2026-07-31 18:30")
        raise Unreadable(f"must be a {kind} such as {example}") from None


def read_json(typed: str) -> object:
    """Read JSON as a person typed it. Raises `Unreadable`, saying where it goes wrong."""
    try:
        return json.loads(typed)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"is not JSON: {error.msg.lower()} at {where}") from None


def fill(schema: Schema, fields: Sequence[Field], typed: Mapping[str, Raw]) -> Filled:
    """Read a whole form and check it."""
    filled = Filled(value={})
    values: dict[str, object] = {}
    for wanted in fields:
        try:
            value = to_value(wanted, typed[wanted.name])
        except Unreadable as error:
            filled.messages[wanted.name] = str(error)
        else:
            if value is not MISSING:
                values[wanted.name] = value
    is_whole = [wanted.name for wanted in fields] == [WHOLE]
    filled.value = values.get(WHOLE) if is_whole else values
    for name, message in check(schema, filled.value, is_whole=is_whole).items():
        filled.messages.setdefault(name, message)
    return filled


def fill_pairs(fields: Sequence[Field], pairs: Sequence[tuple[str, str]]) -> Filled:
    """Read an object's fields from names and values; a list's name may come again.

    A path is taken from where this process is, as a shell completes it.
    """
    known = {wanted.name: wanted for wanted in fields}
    values: dict[str, object] = {}
    filled = Filled(value=values)
    for name, typed in pairs:
        wanted = known.get(name)
        if wanted is None:
            filled.messages[name] = f"is not asked for; there are {', '.join(known) or 'no fields'}"
            continue
        try:
            value = typed if wanted.kind in ("text", "secret") else to_value(wanted, typed)
            value = _from_here(wanted, value)
        except Unreadable as error:
            filled.messages.setdefault(name, str(error))
            continue
        before = values.get(name)
        if isinstance(before, list) and isinstance(value, list):
            value = [*cast("list[object]", before), *cast("list[object]", value)]
        elif name in values:
            filled.messages.setdefault(name, "is given twice")
        if value is not MISSING:
            values[name] = value
    return filled


def _from_here(wanted: Field, value: object) -> object:
    if wanted.kind == "path" and isinstance(value, str):
        return os.path.abspath(os.path.expanduser(value))
    if wanted.item is not None and isinstance(value, list):
        return [_from_here(wanted.item, item) for item in cast("list[object]", value)]
    return value


def check(schema: Schema, value: object, *, is_whole: bool = False) -> dict[str, str]:
    """Check a value against its schema; return a message for each field that is wrong."""
    from jsonschema import Draft202012Validator  # 100 ms that the first frame need not wait for

    messages: dict[str, str] = {}
    errors = cast(
        "list[ValidationError]",
        list(Draft202012Validator(schema).iter_errors(cast("Any", value))),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    )
    for error in errors:
        path = [str(part) for part in error.absolute_path]
        name = WHOLE if is_whole or not path else path.pop(0)
        inner = ".".join(path)
        for where, words in _worded(error).items():
            target, rest = name, ".".join(part for part in (inner, where) if part)
            if name == WHOLE and not is_whole and where:
                target, rest = where, ""
            messages.setdefault(target, f"{rest} {words}" if rest else words)
    return messages


def _worded(error: ValidationError) -> dict[str, str]:
    """Put a validation error into words, by the property that it is about (or none)."""
    limit = cast("object", error.validator_value)
    given = cast("object", error.instance)  # pyright: ignore[reportUnknownMemberType]
    match error.validator:
        case "required":
            present = cast("dict[str, object]", given)
            names = [name for name in cast("list[str]", limit) if name not in present]
            return dict.fromkeys(names, "is needed")
        case "additionalProperties":
            return {"": "has a field that is not asked for: " + error.message}
        case "type":
            return {"": f"must be {_type_words(limit)}"}
        case "enum":
            options = ", ".join(as_text(option) for option in cast("list[object]", limit))
            return {"": f"must be one of {options}"}
        case "minimum":
            return {"": f"must be at least {limit}"}
        case "maximum":
            return {"": f"must be at most {limit}"}
        case "exclusiveMinimum":
            return {"": f"must be more than {limit}"}
        case "exclusiveMaximum":
            return {"": f"must be less than {limit}"}
        case "minLength":
            return {"": f"must have at least {limit} characters"}
        case "maxLength":
            return {"": f"must have at most {limit} characters"}
        case "minItems":
            return {"": f"must have at least {limit} items"}
        case "maxItems":
            return {"": f"must have at most {limit} items"}
        case "pattern":
            return {"": f"must match the pattern {limit}"}
        case "multipleOf":
            return {"": f"must be a multiple of {limit}"}
        case _:
            return {"": error.message}


def _type_words(wanted: object) -> str:
    words = {
        "integer": "a whole number",
        "number": "a number",
        "string": "a text",
        "boolean": "true or false",
        "array": "a list",
        "object": "an object",
        "null": "null",
    }
    names = cast("list[object]", wanted) if isinstance(wanted, list) else [wanted]
    return " or ".join(words.get(str(name), str(name)) for name in names)
