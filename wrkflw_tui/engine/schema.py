"""A schema of an author's values: validates, writes as JSON, and reads back an equal value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from wrkflw_tui.engine.errors import DefinitionError, WrkflwError
from wrkflw_tui.engine.masking import MARK, known
from wrkflw_tui.engine.sealing import opened, seal, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.plugin._schema_validator import PluggableSchemaValidator
    from pydantic_core import SchemaSerializer, SchemaValidator

T = TypeVar("T")


class UnstorableValue(WrkflwError, ValueError):
    """A value that could not be read back from the record as it is."""


class TooLarge(UnstorableValue):
    """A value that takes more room on record than is allowed."""


def plain_json(value: object) -> str:
    """Write a value of no declared type as JSON, sealed. Raises `UnstorableValue`."""
    try:
        text = seal(json.dumps(to_jsonable_python(value), ensure_ascii=False))
        text.encode()  # a lone surrogate cannot be kept
    except (PydanticSerializationError, ValueError) as error:
        raise UnstorableValue(f"{_short(value)} cannot be written as JSON: {error}") from error
    return text


BYTES_A_CHARACTER = 4
"""Bytes that a character takes at most: a text that is short enough need not be measured."""


def check_size(what: str, text: str, limit: int) -> None:
    """Raise `TooLarge` where a JSON text takes more bytes than are kept."""
    if len(text) > limit // BYTES_A_CHARACTER and (size := len(text.encode())) > limit:
        raise TooLarge(
            f"{what} takes {size:,} bytes as JSON, and at most {limit:,} are kept: write it to a"
            " file and return its path, or raise max_result_mb"
        )


_HIDDEN = ("SecretStr('*", "SecretBytes(b'*")
_INSTEAD = "get the secret with secret(NAME) in the step that needs it"


def _sealed(text: str) -> str:
    if known.json_needles or MARK in text:
        try:
            return seal(text)
        except ValueError as error:
            raise UnstorableValue(f"a value cannot be kept: {error}") from error
    return text


class Schema(Generic[T]):
    """What Pydantic knows of one type, built once and when first needed."""

    def __init__(self, source: object) -> None:
        self.source = source

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        source = self.source
        if isinstance(source, TypeAdapter):
            return cast("TypeAdapter[T]", source)
        try:
            return TypeAdapter(cast("type[T]", self.source))
        except Exception as error:
            raise DefinitionError(
                f"{name_of(self.source)} is no type that Pydantic can validate: {error}"
            ) from error

    @cached_property
    def _core(self) -> tuple[SchemaValidator | PluggableSchemaValidator, SchemaSerializer]:
        # The adapter's own methods take twice as long, and steps are many.
        return self._adapter.validator, self._adapter.serializer

    @cached_property
    def items(self) -> Schema[object] | None:
        """What reads one item of a plain `list[Item]`; `None` for any other type."""
        source: object = self.source
        if isinstance(source, TypeAdapter):
            source = getattr(cast("TypeAdapter[object]", source), "_type", None)
        if get_origin(source) is not list:
            return None
        items = Schema[object](get_args(source)[0])
        try:
            items.build()
        except DefinitionError:
            return None  # a name that only the list's own adapter could resolve
        return items

    def build(self) -> None:
        """Build the adapter now, so that a schema that cannot work fails where it is defined."""
        _ = self._adapter

    def validate(self, value: object) -> T:
        """Return `value` as this type. Raises Pydantic's `ValidationError`."""
        # from_attributes: a model with more fields passes where fewer are asked for.
        return cast("T", self._core[0].validate_python(value, from_attributes=True))

    def load(self, text: str) -> T:
        """Read a recorded JSON text.

        Raises Pydantic's `ValidationError`, and `SecretNotFound` where a secret in it is gone.
        """
        if MARK in text:
            text = opened(text)
        return cast("T", self._core[0].validate_json(text))

    def store(self, value: object) -> tuple[str, T]:
        """Return the JSON to record for `value`, sealed, and the value as it will be read back.

        Raises `ValidationError` where `value` is not of this type, and `UnstorableValue` where
        what is read back would not equal it.
        """
        validator, serializer = self._core
        valid = cast("T", validator.validate_python(value))
        # What a warning would tell of, the reading back finds too.
        try:
            text = serializer.to_json(valid, warnings=False).decode()
            back = cast("T", validator.validate_json(text))
        except (ValueError, PydanticSerializationError):
            return self._store_otherwise(valid)
        if _is_same(valid, back) or reads_back(valid, back):
            return _sealed(text), back
        return self._store_otherwise(valid)

    def _store_otherwise(self, valid: T) -> tuple[str, T]:
        """Find another way to write a value, or say what is wrong with the usual one."""
        problem = ""
        for text in self._writings(valid):
            try:
                back = cast("T", self._core[0].validate_json(text))
            except ValidationError as error:
                problem = problem or f"cannot be read back from the record: {error}"
                continue
            if _is_same(valid, back) or reads_back(valid, back):
                return _sealed(text), back
            problem = f"would read back differently: {_short(valid)} became {_short(back)}"
            if any(hidden in _short(valid) for hidden in _HIDDEN):
                problem = f"cannot be kept, for Pydantic hides it: {_short(valid)}; {_INSTEAD}"
        raise UnstorableValue(f"a value of {name_of(self.source)} {problem}")

    def _writings(self, valid: T) -> Iterator[str]:
        """Yield what may be recorded for `valid`, the usual first.

        The others write NaN and the infinities as such, where Pydantic's own JSON has null: the
        second where a float is declared, the third anywhere.
        """
        try:
            yield self._adapter.dump_json(valid, warnings="error").decode()
            yield json.dumps(self._adapter.dump_python(valid, mode="json"), ensure_ascii=False)
            plain = to_jsonable_python(self._adapter.dump_python(valid), inf_nan_mode="constants")
            yield json.dumps(plain, ensure_ascii=False)
        except PydanticSerializationError as error:
            raise UnstorableValue(
                f"{name_of(self.source)} cannot be written as JSON: {error}"
            ) from error

    def json_schema(self) -> dict[str, object]:
        """Return the JSON Schema of what this type accepts, to be kept and shown."""
        schema = cast("dict[str, object]", self._adapter.json_schema(mode="validation"))
        return without_secrets(schema) if known.json_needles else schema

    def __str__(self) -> str:
        return name_of(self.source)


def _is_same(value: object, back: object) -> bool:
    """Tell whether two values are plainly equal; quicker than a model's own comparison."""
    if isinstance(value, BaseModel) and type(value) is type(back):
        same_fields = vars(value) == vars(back)
        if same_fields and value.__pydantic_extra__ is None and value.__pydantic_private__ is None:
            return True
    return value == back


def name_of(source: object) -> str:
    """Name a schema for a person: the class's name, or the type as it is written."""
    if isinstance(source, TypeAdapter):
        adapter = cast("TypeAdapter[object]", source)
        return name_of(getattr(adapter, "_type", "a TypeAdapter"))
    if source is None or source is type(None):
        return "None"
    if isinstance(source, type) and not hasattr(source, "__args__"):
        return source.__name__
    return str(source).replace("typing.", "")


def reads_back(value: object, back: object) -> bool:
    """Tell whether `back` is `value`, narrowed at most to the fields of its declared type."""
    if isinstance(back, BaseModel):
        if not isinstance(value, type(back)):
            return False
        names = type(back).model_fields
        return all(reads_back(getattr(value, name), getattr(back, name)) for name in names)
    if is_dataclass(back) and not isinstance(back, type):
        if not isinstance(value, type(back)):
            return False
        return all(reads_back(getattr(value, f.name), getattr(back, f.name)) for f in fields(back))
    return _same_container(value, back)


def _same_container(value: object, back: object) -> bool:
    if isinstance(back, float) and isinstance(value, float):
        return value == back or (math.isnan(value) and math.isnan(back))
    if isinstance(back, str | bytes | bytearray):
        return type(value) is type(back) and value == back
    if isinstance(back, Mapping) and isinstance(value, Mapping):
        ours = cast("Mapping[object, object]", value)
        theirs = cast("Mapping[object, object]", back)
        return ours.keys() == theirs.keys() and all(reads_back(ours[k], theirs[k]) for k in theirs)
    if isinstance(back, Set) and isinstance(value, Set):
        return value == back
    if isinstance(back, Sequence) and isinstance(value, Sequence):
        left, right = cast("Sequence[object]", value), cast("Sequence[object]", back)
        return len(left) == len(right) and all(map(reads_back, left, right))
    return type(value) is type(cast("object", back)) and value == back


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
