"""Values as they are given on the command line: JSON, `@file`, or `key=value` pairs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from wrkflw_tui.commands.exits import WrongCall
from wrkflw_tui.forms.fields import MISSING, WHOLE, fields_of, wants_input
from wrkflw_tui.forms.values import Unreadable, check, fill_pairs, read_json, to_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.forms.fields import Field, Schema

_PAIR = re.compile(r"([A-Za-z_][\w.$-]*)=(.*)", re.DOTALL)


class DoesNotFit(WrongCall):
    """What was given does not fit its schema; names each field that is wrong."""

    def __init__(self, what: str, messages: dict[str, str], fields: Sequence[Field]) -> None:
        room = max(map(len, messages), default=0)
        lines = [f"  {name:<{room}}  {said}".rstrip() for name, said in messages.items()]
        if WHOLE in messages:
            lines = [f"  {said}" for said in messages.values()]
        if fields:
            lines += ["it takes:", *takes(fields)]
        super().__init__("\n".join([f"{what} does not fit, nothing was changed:", *lines]))
        self.messages = messages


def takes(fields: Sequence[Field]) -> list[str]:
    """Say what the fields of a schema are, in a line each."""
    room = max((len(field.name) for field in fields), default=0)
    return [_field(field, room) for field in fields]


def _field(field: Field, room: int) -> str:
    default = ""
    if not field.required and field.default is not MISSING:
        default = f" = {json.dumps(field.default, ensure_ascii=False)}"
    name = f"{field.name:<{room}}  " if field.name != WHOLE else ""
    said = f"  {field.description}" if field.description else ""
    return f"  {name}{field.type_name}{default}{said}"


def read_given(what: str, schema: Schema, tokens: Sequence[str]) -> str:
    """Return what was given as JSON text. Raises `WrongCall` where it does not fit the schema."""
    fields = fields_of(schema)
    is_whole = [field.name for field in fields] == [WHOLE]
    if is_whole:
        value, messages = _whole(what, fields[0], tokens)
    elif wants_input(schema):
        value, messages = _object(what, fields, tokens)
    else:
        value, messages = _nothing(what, tokens)
    if not (is_whole and messages):
        for name, said in check(schema, value, is_whole=is_whole).items():
            messages.setdefault(name, said)
    if messages:
        raise DoesNotFit(what, messages, fields)
    return json.dumps(value, ensure_ascii=False)


def _nothing(what: str, tokens: Sequence[str]) -> tuple[object, dict[str, str]]:
    if list(tokens) not in ([], ["null"], ["{}"]):
        raise WrongCall(f"{what}: nothing is asked for")
    return None, {}


def _whole(what: str, field: Field, tokens: Sequence[str]) -> tuple[object, dict[str, str]]:
    if not tokens:
        is_object = field.schema.get("type") == "object"
        is_needed = not is_object and not field.nullable
        return ({} if is_object else None), ({WHOLE: "is needed"} if is_needed else {})
    if len(tokens) > 1:
        raise WrongCall(f"{what} is one value, not {len(tokens)}: put it in quotes")
    text = _text(tokens[0])
    try:
        if field.kind == "json" or text[:1] in ('"', "[", "{") or text == "null":
            return read_json(text), {}
        if field.kind in ("text", "secret"):
            return text, {}
        return to_value(field, text), {}
    except Unreadable as error:
        return None, {WHOLE: str(error)}


def _object(
    what: str, fields: Sequence[Field], tokens: Sequence[str]
) -> tuple[object, dict[str, str]]:
    """Read objects as JSON and pairs; what comes later holds over what came before."""
    whole: dict[str, object] = {}
    pairs: list[tuple[str, str]] = []
    for token in tokens:
        if (pair := _PAIR.fullmatch(token)) is not None:
            pairs.append((pair[1], pair[2]))
            continue
        value = _json(what, token)
        if not isinstance(value, dict):
            if len(tokens) == 1:
                return value, {}
            raise WrongCall(f"{what}: {token!r} is neither key=value nor a JSON object")
        whole |= cast("dict[str, object]", value)
    filled = fill_pairs(fields, pairs)
    return whole | cast("dict[str, object]", filled.value), filled.messages


def _json(what: str, token: str) -> object:
    try:
        return read_json(_text(token))
    except Unreadable as error:
        where = f"the file {token[1:]}" if token.startswith("@") else repr(token)
        raise WrongCall(f"{what}: {where} {error} (or give it as key=value)") from None


def _text(token: str) -> str:
    """Return what a token stands for: the content of a file, or itself."""
    if not token.startswith("@"):
        return token
    try:
        if token == "@-":
            return sys.stdin.read()
        return Path(token[1:]).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WrongCall(f"cannot read {token[1:]}: {reason}") from error
