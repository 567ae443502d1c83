"""What a person sees of a run that is followed: a list that moves, or plain lines."""

from __future__ import annotations

import shutil
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from wrkflw_tui.commands.printing import is_terminal, paint, say
from wrkflw_tui.commands.steps import LIVE, StepLine, headline, step_lines, words_of
from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.drawing.times import exact
from wrkflw_tui.drawing.words import cut
from wrkflw_tui.engine.models import CONTAINERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.commands.watching import Watched
    from wrkflw_tui.engine.models import StepResult

UP, CLEAR_LINE, CLEAR_BELOW = "\x1b[{}A", "\x1b[K", "\x1b[J"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
LEAST_ROWS = 4
PAUSE = 0.1
"""Seconds between two drawings at least."""
SHARE = 10
"""How many times as long as a drawing took the next one waits."""


class View(Protocol):
    """Shows a run."""

    def show(self, watched: Watched, *, changed: bool) -> None:
        """Show it as it is now; called some times a second, changed or not."""
        ...

    def close(self) -> None:
        """Leave the terminal in order."""
        ...


def view_for(*, quiet: bool) -> View:
    """Return what fits where standard error goes to."""
    if quiet:
        return NoView()
    return LiveView() if is_terminal(sys.stderr) else LineView()


class NoView:
    """Shows nothing."""

    def show(self, watched: Watched, *, changed: bool) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class LineView:
    """Prints a line for whatever has happened."""

    def __init__(self) -> None:
        self._status = ""
        self._told: dict[int, str] = {}

    def show(self, watched: Watched, *, changed: bool) -> None:
        """Print what is new."""
        if not changed:
            return
        now = datetime.now(UTC)
        for result in sorted(watched.fresh, key=_moment):
            self._tell(result, now)
        run = watched.run
        if run.status != self._status:
            self._status = run.status
            until = f" until {exact(run.wake_at)}" if run.wake_at and not run.finished_at else ""
            say(f"{headline(run, now)}{until}")

    def _tell(self, result: StepResult, now: datetime) -> None:
        before = self._told.get(result.order)
        self._told[result.order] = result.status
        if before == result.status or result.kind == "decision":
            return
        if result.status == "running":
            if before is None and result.kind not in CONTAINERS and "[" not in result.path:
                say(f"  {mark('running')[0]} {result.path}")
            return
        say(f"  {mark(result.status)[0]} {result.path}  {words_of(result, now)}")

    def close(self) -> None:
        """Do nothing: lines stay as they are."""


def _moment(result: StepResult) -> int:
    return result.order if result.ended is None else result.ended


class LiveView:
    """Draws the list of steps in its place, again and again."""

    def __init__(self) -> None:
        self._drawn = 0
        self._last: list[str] = []
        self._due = 0.0

    def show(self, watched: Watched, *, changed: bool) -> None:
        """Draw it anew, if anything in it is another."""
        began = time.monotonic()
        rests = watched.run.finished_at is not None or watched.run.status == "suspended"
        if began >= self._due or rests:
            self._show(watched)
            # A run of many thousand items takes a while to draw: not more than a share of the time.
            self._due = began + max(PAUSE, SHARE * (time.monotonic() - began))

    def _show(self, watched: Watched) -> None:
        now = datetime.now(UTC)
        size = shutil.get_terminal_size((80, 24))
        room = max(LEAST_ROWS, size.lines - 2)
        steps = _fitting(step_lines(watched.nodes, watched.results, now), room - 1)
        role = mark(watched.run.status)[2]
        head = paint(cut(headline(watched.run, now), size.columns - 1), role, sys.stderr)
        lines = [head, *(_painted(line, size.columns - 1) for line in steps)]
        if lines != self._last:
            self._draw(lines)

    def _draw(self, lines: list[str]) -> None:
        up = UP.format(self._drawn) if self._drawn else HIDE_CURSOR
        text = "".join(f"{line}{CLEAR_LINE}\n" for line in lines)
        sys.stderr.write(f"\r{up}{text}{CLEAR_BELOW}")
        sys.stderr.flush()
        self._last, self._drawn = lines, len(lines)

    def close(self) -> None:
        """Show the cursor again."""
        if self._drawn:
            sys.stderr.write(SHOW_CURSOR)
            sys.stderr.flush()


def _painted(line: StepLine | str, columns: int) -> str:
    text = cut(f"  {line}", columns)
    return paint(text, "muted" if isinstance(line, str) else line.role, sys.stderr)


def _fitting(lines: Sequence[StepLine], room: int) -> list[StepLine | str]:
    """Keep the lines around the last one that is live."""
    if len(lines) <= room:
        return list(lines)
    shown = max(1, room - 2)
    live = [place for place, line in enumerate(lines) if line.status in LIVE]
    begun = [place for place, line in enumerate(lines) if line.status]
    focus = (live or begun or [0])[-1]
    first = min(max(0, focus - shown // 2), len(lines) - shown)
    kept: list[StepLine | str] = list(lines[first : first + shown])
    left = len(lines) - first - shown
    above = [f"… {first} more above"] if first else []
    below = [f"… {left} more below"] if left else []
    return [*above, *kept, *below]
