"""Trees that a model test draws: what they print is what one types to have them again."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import count
from typing import TYPE_CHECKING, TypeAlias
from zlib import crc32

from wrkflw_tui import StepFailure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOREVER = 99
"""So many failures that no policy outlasts them."""
SIZE = 1009
"""All values are whole numbers below it."""


class Boom(Exception):
    """What steps, maps and conditions of these trees raise."""


class _Spec:
    """Prints as the call that makes it, without what is as usual and without its id."""

    def __repr__(self) -> str:
        given: list[str] = []
        for field in fields(self):  # pyright: ignore[reportArgumentType] - all are dataclasses
            value = getattr(self, field.name)
            if field.name != "id" and value != field.default:
                given.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(given)})"


@dataclass(frozen=True, repr=False)
class Step(_Spec):
    """A step that adds one; the rest is what else it does, in this order."""

    sets: bool = False
    """It sets its own field of the state, and adds how many it has seen."""
    turns: int = 0
    """It lets others go on so often."""
    thread: bool = False
    """It is synchronous."""
    asks: int = 0
    fails: int = 0
    """So many entries raise."""
    bails: bool = False
    only: int | None = None
    """It asks, fails and bails only where the value leaves this when divided by three."""
    attempts: int | None = None
    """Of its own policy; else it has none."""
    pause: int = 0
    """Seconds between two attempts."""
    id: str = ""


@dataclass(frozen=True, repr=False)
class Flow(_Spec):
    """A workflow; what takes a failure begins with a map that weighs it."""

    nodes: tuple[Node, ...]
    state: bool = False
    attempts: int | None = None
    id: str = ""


@dataclass(frozen=True, repr=False)
class Then(_Spec):
    body: Body
    recover: Body | None = None


@dataclass(frozen=True, repr=False)
class Map(_Spec):
    fails: bool = False
    id: str = ""


@dataclass(frozen=True, repr=False)
class Parallel(_Spec):
    """A parallel, and a map that folds what it gives into a number."""

    arms: tuple[Body, ...]
    limit: int | None = None
    collect: bool = False
    id: str = ""


@dataclass(frozen=True, repr=False)
class Branch(_Spec):
    """A branch, or a branch_all and a map that folds what it gives.

    A case's number: the value has to leave it when divided by three; `ALWAYS` and `RAISES` are
    what they say.
    """

    cases: tuple[tuple[int, Body], ...]
    otherwise: Body | None = None
    takes_all: bool = False
    id: str = ""


ALWAYS = 3
RAISES = 4


@dataclass(frozen=True, repr=False)
class Foreach(_Spec):
    """A map that makes a list, a foreach, and a map that folds what it gives."""

    body: Body
    items: int = 2
    concurrency: int = 1
    collect: bool = False
    id: str = ""


@dataclass(frozen=True, repr=False)
class Loop(_Spec):
    body: Body
    times: int = 1
    until: bool = False
    at_most: int = 3
    id: str = ""


@dataclass(frozen=True, repr=False)
class Sleep(_Spec):
    seconds: int = 0
    until: bool = False
    computed: bool = False
    fails: bool = False
    """Where it is computed: that raises."""
    id: str = ""


@dataclass(frozen=True, repr=False)
class Wait(_Spec):
    """A wait_for; one that is late waits for an event that nobody sends."""

    late: bool = False
    id: str = ""


Body: TypeAlias = Step | Flow
Node: TypeAlias = Then | Map | Parallel | Branch | Foreach | Loop | Sleep | Wait


def named(flow: Flow, id: str = "flow") -> Flow:
    """Give every node an id that is unique within its workflow."""
    numbers = count(1)

    def body(given: Body) -> Body:
        if isinstance(given, Flow):
            return named(given, f"w{next(numbers)}")
        return replace(given, id=f"s{next(numbers)}")

    def node(given: Node) -> Node:
        if isinstance(given, Then):
            last = None if given.recover is None else body(given.recover)
            return replace(given, body=body(given.body), recover=last)
        given = replace(given, id=f"{type(given).__name__[0].lower()}{next(numbers)}")
        match given:
            case Parallel():
                return replace(given, arms=tuple(map(body, given.arms)))
            case Branch():
                last = None if given.otherwise is None else body(given.otherwise)
                cases = tuple((number, body(arm)) for number, arm in given.cases)
                return replace(given, cases=cases, otherwise=last)
            case Foreach() | Loop():
                return replace(given, body=body(given.body))
            case _:
                return given

    return replace(flow, id=id, nodes=tuple(map(node, flow.nodes)))


def nodes_of(flow: Flow) -> Iterator[Node]:
    """Yield the nodes of a workflow and of all in it."""
    for node in flow.nodes:
        yield node
        for body in _bodies(node):
            if isinstance(body, Flow):
                yield from nodes_of(body)


def _bodies(node: Node) -> Sequence[Body | None]:
    match node:
        case Then():
            return [node.body, node.recover]
        case Parallel():
            return node.arms
        case Branch():
            return [*(arm for _, arm in node.cases), node.otherwise]
        case Foreach() | Loop():
            return [node.body]
        case _:
            return []


# What the functions of a tree compute, for the engine and for the reference alike.


def number_of(text: str) -> int:
    """Return a number that stands for a text."""
    return crc32(text.encode()) % SIZE


def answer_to(path: str, key: str) -> int:
    """Return what a person answers to a question."""
    return number_of(f"{path}?{key}")


def payload_of(event: str) -> int:
    """Return what comes with an event."""
    return number_of(f"event {event}")


def weigh(value: object) -> int:
    """Return a number for a value or a failure."""
    if isinstance(value, StepFailure):
        return number_of(f"{value.path} {value.type}")
    assert isinstance(value, int)
    return value


def fold(values: object) -> int:
    """Return a number for what several arms or items gave."""
    if isinstance(values, dict):
        values = [number_of(f"{key}={values[key]}") for key in sorted(values)]
    assert isinstance(values, list | tuple)
    total = 7
    for value in values:
        total = (total * 31 + weigh(value)) % SIZE
    return total


def items_of(value: int, count: int) -> list[int]:
    """Return the list that a foreach goes over."""
    return [(value + index) % SIZE for index in range(count)]


def holds(number: int, value: int) -> bool:
    """Return what a case's condition says."""
    if number == RAISES:
        raise Boom("a condition")
    return number == ALWAYS or value % 3 == number
