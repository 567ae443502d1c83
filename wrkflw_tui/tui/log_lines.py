"""A run's log as numbered lines: where each stands is known, the text is read when it is looked at.

It knows no Textual. What reads is called on another thread and changes nothing here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from wrkflw_tui.store import logs
from wrkflw_tui.tui import ansi, text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from wrkflw_tui.store.logs import LogStretch, Sizes, Stream

LABEL = 14
"""Cells for the name of the step."""
HELD = 1000
"""Stretches whose text is held, those looked at last."""
SEARCHED = 2_000_000
"""Characters that one look of a search goes through: others wait for the reading thread too."""
MOST_FOUND = 100_000
"""Lines that a search finds at most."""

Place = tuple[int, int]
"""Where a line stands for good: the number of its stretch, and its index there."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a step said, as it came."""

    label: str | None
    """The step's name, where lines of several are shown together."""
    stream: Stream
    raw: str

    @property
    def sign(self) -> str:
        """What stands for the stream."""
        return "!" if self.stream == "stderr" else "│"

    @property
    def shown(self) -> str:
        """The line without what it tells a terminal."""
        return ansi.shown(self.raw)

    @property
    def whole(self) -> str:
        """The line with its step and its stream, as plain text."""
        prefix = "" if self.label is None else f"{text.fit(self.label, LABEL)} "
        return f"{prefix}{self.sign} {self.shown}"


@dataclass(frozen=True, slots=True)
class LogNews:
    """What a look at the log found."""

    sizes: Sizes
    is_whole: bool
    """Whether the sizes are those of all stretches."""
    tail: list[LogStretch]
    """The last stretches, which are mostly what is looked at."""


class LogLines:
    """The lines of a run, or of a step and what is below it."""

    def __init__(self, run_id: str, path: str = "") -> None:
        self.run_id = run_id
        self.path = path
        """The step's path; empty for the whole run."""
        self._numbers: list[int] = []
        self._ends: list[int] = []
        """How many lines there are up to the end of each stretch."""
        self._dropped = 0
        self._held: OrderedDict[int, tuple[LogLine, ...]] = OrderedDict()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def look(self, connection: sqlite3.Connection, tail: int) -> LogNews:
        """Read how far the log is, and its last `tail` stretches."""
        after = self._numbers[-1] if self._numbers else 0
        sizes = logs.read_sizes(connection, self.run_id, self.path, after)
        is_whole = after == 0
        if sizes.dropped != self._dropped and not is_whole:
            sizes, is_whole = logs.read_sizes(connection, self.run_id, self.path, 0), True
        last = sizes.stretches[-tail:] if tail else []
        stretches = self._read(connection, last[0][0], last[-1][0]) if last else []
        return LogNews(sizes, is_whole, stretches)

    def take(self, news: LogNews) -> bool:
        """Add how far the log is; returns whether lines that were there before are gone."""
        if news.is_whole:
            self._numbers, self._ends = [], []
        was_cut = news.sizes.dropped != self._dropped
        if was_cut:
            self._held.clear()  # the line that says what went is another one now
        self._dropped = news.sizes.dropped
        lines = (count for _, count in news.sizes.stretches)
        self._ends += list(accumulate(lines, initial=len(self)))[1:]
        self._numbers += [n for n, _ in news.sizes.stretches]
        return was_cut

    def hold(self, stretches: Iterable[LogStretch]) -> list[LogLine]:
        """Hold the text of stretches; returns their lines."""
        fresh: list[LogLine] = []
        for stretch in stretches:
            label = None if self.path else stretch.path.rsplit("/", 1)[-1]
            lines = tuple(LogLine(label, stretch.stream, line) for line in stretch.lines)
            self._held[stretch.n] = lines
            self._held.move_to_end(stretch.n)
            fresh += lines
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        return fresh

    def line(self, number: int) -> LogLine | None:
        """Return a line, counted from 0; `None` where its text is not held."""
        n, index = self.place(number)
        lines = self._held.get(n)
        if lines is None or index >= len(lines):
            return None
        self._held.move_to_end(n)
        return lines[index]

    def holds(self, place: Place) -> bool:
        """Tell whether the line at a place is still on record."""
        at = bisect_left(self._numbers, place[0])
        return at < len(self._numbers) and self._numbers[at] == place[0]

    def place(self, number: int) -> Place:
        """Return where a line stands for good."""
        at = bisect_right(self._ends, number)
        before = self._ends[at - 1] if at else 0
        return self._numbers[at], number - before

    def number(self, place: Place) -> int:
        """Return the line at a place; where that is gone, the one that comes next."""
        at = bisect_left(self._numbers, place[0])
        if at == len(self._numbers):
            return max(0, len(self) - 1)
        before = self._ends[at - 1] if at else 0
        return before + (place[1] if self._numbers[at] == place[0] else 0)

    def missing(self, first: int, last: int) -> tuple[int, int] | None:
        """Return the first and the last stretch among some lines whose text is not held."""
        if not self._ends:
            return None
        last = min(last, len(self) - 1)
        start, stop = bisect_right(self._ends, first), bisect_right(self._ends, last)
        lacking = [n for n in self._numbers[start : stop + 1] if n not in self._held]
        return (lacking[0], lacking[-1]) if lacking else None

    def read(self, connection: sqlite3.Connection, stretches: tuple[int, int]) -> list[LogStretch]:
        """Read the text of stretches, the first and the last given."""
        return self._read(connection, *stretches)

    def _read(self, connection: sqlite3.Connection, first: int, last: int) -> list[LogStretch]:
        return logs.read_stretches(connection, self.run_id, self.path, first, last)

    def search(
        self, connection: sqlite3.Connection, wanted: str, after: int
    ) -> tuple[list[Place], int, bool]:
        """Find lines with a text in them, given in small letters, after a stretch.

        Returns their places, the last stretch that was gone through, and whether it was the last
        there is.
        """
        found, budget = list[Place](), SEARCHED
        for n, content in logs.read_texts(connection, self.run_id, self.path, after):
            if budget <= 0 or len(found) > MOST_FOUND:
                return found, after, False
            found += ((n, index) for index in _lines_with(wanted, content))
            budget -= len(content)
            after = n
        return found, after, True

    def whole(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Yield every line as plain text."""
        after = 0
        while stretches := self._read(connection, after + 1, after + HELD):
            after = stretches[-1].n
            for stretch in stretches:
                label = None if self.path else stretch.path.rsplit("/", 1)[-1]
                yield from (LogLine(label, stretch.stream, line).whole for line in stretch.lines)


def _lines_with(wanted: str, content: str) -> Iterator[int]:
    """Yield which lines show a text; most stretches have none, and are not taken apart."""
    has_controls = not content.isprintable() and ("\x1b" in content or "\r" in content)
    if has_controls or wanted in content.lower():
        for index, line in enumerate(content.split("\n")):
            if wanted in (ansi.shown(line) if has_controls else line).lower():
                yield index
