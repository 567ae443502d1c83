"""The JSON that a request brings: read, and checked against a schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

from wrkflw_tui.commands.given import DoesNotFit
from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.forms.fields import WHOLE, fields_of
from wrkflw_tui.forms.values import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.forms.fields import Field, Schema


class BrokenRequest(WrkflwError):
    """A request cannot be read; says what in it."""


def read_body(what: str, schema: Schema, body: bytes) -> str:
    """Return a body as JSON text; an empty one stands for no value, or for all defaults.

    Raises `BrokenRequest`, and `DoesNotFit` with the fields named.
    """
    fields = fields_of(schema)
    is_whole = [field.name for field in fields] == [WHOLE]
    try:
        value = _parse(body) if body.strip() else _nothing(fields, is_whole=is_whole)
        if not fields:
            value, messages = _no_value(value)
        else:
            messages = check(schema, value, is_whole=is_whole)
        if messages:
            raise DoesNotFit(what, messages, fields)
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except RecursionError:
        raise BrokenRequest("the body is nested too deeply") from None
    except UnicodeEncodeError:
        raise BrokenRequest("the body holds half a surrogate pair, which is no text") from None
    return text


def _parse(body: bytes) -> object:
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BrokenRequest(f"the body is not JSON: {error.msg.lower()} at {where}") from None
    except UnicodeDecodeError:
        raise BrokenRequest("the body is not UTF-8") from None
    except ValueError as error:  # a number with thousands of digits
        raise BrokenRequest(f"the body cannot be read: {error}") from None


def _refuse(constant: str) -> NoReturn:
    raise BrokenRequest(f"the body is not JSON: {constant} is no number in it")


def _nothing(fields: Sequence[Field], *, is_whole: bool) -> object:
    is_object = not is_whole or fields[0].schema.get("type") == "object"
    return {} if fields and is_object else None


def _no_value(value: object) -> tuple[None, dict[str, str]]:
    return None, {} if value in (None, {}) else {WHOLE: "nothing is asked for"}
