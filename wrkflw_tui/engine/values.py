"""The value in hand between nodes, and what goes up through the walk instead of one."""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wrkflw_tui.engine.models import ErrorInfo, StepFailure
    from wrkflw_tui.engine.schema import Schema


class StepFailed(Exception):
    """A step has finally failed; goes up through the walk to the run's end."""

    def __init__(self, path: str, info: ErrorInfo, original: BaseException | None) -> None:
        super().__init__(path)
        self.path = path
        self.info = info
        self.original = original


class LeftBehind(BaseException):
    """A step would not end: its process must, and the walk goes on in another one."""


class Parked(BaseException):
    """Nothing is left to do but wait: the walk unwinds, and is walked again later."""


class Withdrawn(BaseException):
    """What this lane asked for is not wanted any more: an arm beside it has failed."""


class Bailed(BaseException):
    """A step ended the innermost workflow with an output."""

    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


class Items(Protocol):
    """The items of a list, each as a value in hand."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Value: ...


class Value:
    """The value in hand: raw JSON, parsed only where a live step needs it."""

    __slots__ = ("_live", "_schema", "text")

    def __init__(self, text: str, schema: Schema[object], live: object = ...) -> None:
        self.text = text
        self._schema = schema
        self._live = live

    def take(self) -> object:
        """Return an object of its own for each taker: changing it changes nothing on record."""
        live, self._live = self._live, ...
        return self._schema.load(self.text) if live is ... else live

    def raw(self) -> Value:
        """Return it without the object that it may still hold: many of them stay small."""
        return self if self._live is ... else Value(self.text, self._schema)

    def items(self) -> Items:
        """Return the items of a list. Raises `TypeError` where it is none."""
        schema = self._schema.items
        if schema is not None:
            return _Lazy(self.text, lambda _, text: Value(text, schema))
        return _Lazy(self.text, lambda index, text: _ItemOf(self, index, text))


class _ItemOf(Value):
    """An item of a list that only the list's own schema can read."""

    __slots__ = ("_index", "_whole")

    def __init__(self, whole: Value, index: int, text: str) -> None:
        super().__init__(text, whole._schema)
        self._whole = whole
        self._index = index

    def take(self) -> object:
        return cast("Sequence[object]", self._whole.take())[self._index]


class FailureValue(Value):
    """A failure that was collected: it stands where the value would."""

    __slots__ = ("failure",)

    def __init__(self, failure: StepFailure) -> None:
        self.failure = failure
        self.text = failure.to_json()

    def take(self) -> object:
        """Return the failure: it is frozen, so all may have the same."""
        return self.failure

    def raw(self) -> Value:
        """Return itself: it holds nothing else."""
        return self


class TupleValue(Value):
    """What the arms of a parallel gave, each read with its own schema."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[Value]) -> None:
        self._parts = parts
        self.text = f"[{','.join(part.text for part in parts)}]"

    def take(self) -> object:
        """Return a tuple of its own for each taker."""
        return tuple(part.take() for part in self._parts)

    def items(self) -> Items:
        """Refuse: a tuple is no list of items."""
        raise TypeError("it is a tuple")


class ListValue(TupleValue):
    """What the items of a foreach gave."""

    __slots__ = ()

    def take(self) -> object:
        """Return a list of its own for each taker."""
        return [part.take() for part in self._parts]

    def items(self) -> Items:
        """Return the items."""
        return self._parts


class DictValue(Value):
    """What the arms of a branch_all gave, by their ids."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Mapping[str, Value]) -> None:
        self._parts = parts
        self.text = f"{{{','.join(f'{json.dumps(k)}:{v.text}' for k, v in parts.items())}}}"

    def take(self) -> object:
        """Return a dict of its own for each taker."""
        return {id: part.take() for id, part in self._parts.items()}

    def items(self) -> Items:
        """Refuse: a dict is no list of items."""
        raise TypeError("it is a dict")


class _Lazy:
    """Values that are made when asked for: of ten thousand items few are in hand at once."""

    __slots__ = ("_make", "_places", "_text")

    def __init__(self, text: str, make: Callable[[int, str], Value]) -> None:
        self._text = text
        self._places = array("Q", _places(text))
        self._make = make

    def __len__(self) -> int:
        return len(self._places) // 2

    def __getitem__(self, index: int, /) -> Value:
        begin, end = self._places[2 * index : 2 * index + 2]
        return self._make(index, self._text[begin:end])


_scan = json.JSONDecoder().raw_decode


def _places(text: str) -> Iterator[int]:
    """Yield where each item of a JSON list begins and ends. Raises `TypeError` where it is none."""
    if not text.startswith("["):
        raise TypeError("it is no list")
    at = _skip(text, 1)
    while text[at] != "]":
        _, end = _scan(text, at)
        yield at
        yield end
        at = _skip(text, end)


def _skip(text: str, at: int) -> int:
    while text[at] in ", \n\t\r":
        at += 1
    return at
