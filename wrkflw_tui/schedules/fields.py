"""The five fields of a cron expression, and how the text of one becomes numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from wrkflw_tui.schedules.spec import LAST, CronError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

_SUNDAY = 7
"""The other number of Sunday, which lets a range end on it: `5-7` and `fri-sun`."""

_ITEM = re.compile(
    r"(?:\*|(?P<low>[0-9]+|[a-z]+)(?:-(?P<high>[0-9]+|[a-z]+))?)(?:/(?P<step>[0-9]+))?"
)
_NTH = re.compile(r"(?P<day>[0-9]+|[a-z]+)#(?P<place>[0-9]+)")
_LAST_WEEKDAY = re.compile(r"l(?P<day>[0-9]+)")

_HINTS = (
    (r".*\?", "has '?', which only Quartz knows: write *"),
    (r".*~|[hr]([(/].*)?$", "is random or hashed, so no two readings agree: write a number"),
    (
        r"[0-9]+w$|lw$|w[0-9]+$",
        "asks for the nearest working day, which programs count differently",
    ),
    (r"[0-9]+l$|l[a-z]+$", "is not how the last weekday of a month is written: write L5"),
    (r"l.+|.*#", "uses L or # in a way that is not known"),
    (r"\*.", "has something behind '*', which takes a step only: */5"),
    (r"[0-9a-z]*-", "is not a range of two values: write low-high"),
    (r".*/", "is not a step: write */n, low-high/n or low/n, with n from 1"),
)
"""What an item that has no known shape may have been meant as: the first pattern that fits."""


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five columns: its name, its bounds and what they may be called."""

    name: str
    low: int
    high: int
    allowed: str
    names: Mapping[str, int] = field(default_factory=dict[str, int])

    def refuse(self, value: str, problem: str) -> NoReturn:
        """Raise the error that names the field, the value and what is allowed."""
        raise CronError(f"{self.name}: {shown(value)} {problem}; allowed: {self.allowed}")


MINUTE = Field("minute", 0, 59, "0 to 59")
HOUR = Field("hour", 0, 23, "0 to 23")
DAY = Field("day of month", 1, 31, "1 to 31, or L for the last day")
MONTH = Field(
    "month", 1, 12, "1 to 12, or jan to dec", {name: n for n, name in enumerate(_MONTHS, 1)}
)
WEEKDAY = Field(
    "day of week",
    0,
    6,
    "0 to 7, or sun to sat (0 and 7 are Sunday), fri#2 for the second Friday, L5 for the last one",
    {name: n for n, name in enumerate(_WEEKDAYS)},
)


def shown(value: str) -> str:
    """Quote a value for a message: on one line, in ASCII, and not too long."""
    return ascii(value if len(value) <= 40 else f"{value[:37]}...")


def read_numbers(column: Field, text: str) -> set[int]:
    """Return the numbers that a field names."""
    numbers: set[int] = set()
    for item in text.lower().split(","):
        if not item:
            column.refuse(text, "has an empty item in its list")
        numbers.update(_read_item(column, item))
    return numbers


def read_days(text: str) -> tuple[set[int], bool]:
    """Return the days of the month that a field names, and whether the last one is among them."""
    items = text.lower().split(",")
    numbered = [item for item in items if item != "l"]
    days = read_numbers(DAY, ",".join(numbered)) if numbered else set[int]()
    return days, len(numbered) < len(items)


def read_weekdays(text: str) -> tuple[set[int], set[tuple[int, int]]]:
    """Return the weekdays that a field names, or the places in the month of those it counts."""
    items = text.lower().split(",")
    counted = [place for item in items if (place := _read_place(item))]
    if not counted:
        return read_numbers(WEEKDAY, text), set()
    if len(counted) < len(items):
        WEEKDAY.refuse(text, "mixes # or L with plain weekdays: make two schedules")
    return set(), set(counted)


def _read_item(column: Field, item: str) -> range | set[int]:
    """Read one item of a list: `*`, a value or a range, each with or without a step."""
    match = _ITEM.fullmatch(item)
    if match is None:
        column.refuse(item, _problem(item))
    step = int(match["step"] or 1)
    if step == 0:
        column.refuse(item, "has a step of 0, where 1 is the least")
    if match["low"] is None:
        return range(column.low, column.high + 1, step)
    low = _read_value(column, item, match["low"])
    if match["high"] is None and match["step"] is None:
        return {_plain(column, low)}
    if match["high"] is None:
        return _from_value(column, item, low, step)
    high = _read_value(column, item, match["high"])
    return {_plain(column, number) for number in _between(column, item, low, high)[::step]}


def _from_value(column: Field, item: str, low: int, step: int) -> range:
    """Read `5/15`: from a value to the end of the field."""
    if low > column.high:
        # From 7 to the end is Sunday alone, from 0 to the end the whole week: both are Sunday.
        column.refuse(item, "can be read in two ways: write 0/n or 7")
    return range(low, column.high + 1, step)


def _between(column: Field, item: str, low: int, high: int) -> range:
    if column is WEEKDAY and high == 0 < low:
        high = _SUNDAY
    if low > high:
        halves = f"{_range_text(low, column.high)},{_range_text(column.low, high)}"
        column.refuse(item, f"runs backwards, which programs read differently: write {halves}")
    return range(low, high + 1)


def _range_text(low: int, high: int) -> str:
    return f"{low}-{high}" if low < high else f"{high}"


def _read_value(column: Field, item: str, text: str) -> int:
    """Read a number or a name, both within the bounds of the field."""
    if not text.isdigit():
        if text not in column.names:
            column.refuse(item, _problem(item))
        return column.names[text]
    number = int(text)
    highest = _SUNDAY if column is WEEKDAY else column.high
    if not column.low <= number <= highest:
        column.refuse(item, "is out of range")
    return number


def _read_place(item: str) -> tuple[int, int] | None:
    """Read `fri#2` or `L5`; an item of another shape is None."""
    if match := _LAST_WEEKDAY.fullmatch(item):
        return _plain(WEEKDAY, _read_value(WEEKDAY, item, match["day"])), LAST
    if match := _NTH.fullmatch(item):
        place = int(match["place"])
        if not 1 <= place <= 5:
            WEEKDAY.refuse(item, "counts to a week that no month has, where 1 to 5 are the weeks")
        return _plain(WEEKDAY, _read_value(WEEKDAY, item, match["day"])), place
    return None


def _plain(column: Field, number: int) -> int:
    """Bring the two numbers of Sunday together."""
    return 0 if column is WEEKDAY and number == _SUNDAY else number


def _problem(item: str) -> str:
    """Say what is wrong with an item that has no known shape."""
    for pattern, problem in _HINTS:
        if re.match(pattern, item):
            return problem
    return "is not a number or a name of this field"
