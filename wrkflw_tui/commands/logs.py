"""`wrkflw-tui logs`: what a run has printed, and what it prints."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from wrkflw_tui.commands.printing import is_terminal, paint, say
from wrkflw_tui.commands.record import reading
from wrkflw_tui.commands.shapes import line_shape
from wrkflw_tui.drawing.times import exact
from wrkflw_tui.drawing.words import plain
from wrkflw_tui.engine.errors import UnknownPath
from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.store import logs as on_record
from wrkflw_tui.store import runs

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from wrkflw_tui.config import Config
    from wrkflw_tui.store.logs import LogStretch, Stream

LOOK = 0.1
"""Seconds between two looks at the record."""
FLUSHED = 0.5
"""Seconds after which the last output of a run that has ended is on record."""
PAGE = 1000
"""Stretches that are read at a time."""
_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")


@dataclass(frozen=True, slots=True)
class Lines:
    """Which lines are meant, and how they are printed."""

    step: str | None = None
    """A path: what is below it counts, too."""
    stream: Stream | None = None
    tail: int | None = None
    times: bool = False
    as_json: bool = False

    def wants(self, stretch: LogStretch) -> bool:
        """Tell whether the lines of a stretch are meant."""
        if self.stream not in (None, stretch.stream):
            return False
        step = self.step
        return (
            step is None
            or stretch.path == step
            or stretch.path.startswith((f"{step}/", f"{step}["))
        )


def logs(config: Config, text: str, wanted: Lines, *, follow: bool) -> int:
    """Print what a run has printed; with `follow` until it ends. Raises `UnknownPath`."""
    with reading(config) as connection:
        run_id = runs.find_run(connection, text)
        _check_step(connection, run_id, wanted.step, follow=follow)
        if wanted.tail is None:
            last = _print_after(connection, run_id, 0, wanted)
        else:
            last = _print_tail(connection, run_id, wanted, wanted.tail)
        if follow:
            last = _follow(connection, run_id, last, wanted)
    if last == 0:
        say("it has printed nothing")
    return 0


def _follow(connection: sqlite3.Connection, run_id: str, last: int, wanted: Lines) -> int:
    """Print what comes until the run ends or rests, and then until nothing more has come."""
    still, status = 0.0, ""
    while still < FLUSHED:
        time.sleep(LOOK)
        before = last
        status = runs.read_summary(connection, run_id).status
        last = _print_after(connection, run_id, last, wanted)
        rests = status in ENDED or status == "suspended"
        still = still + LOOK if rests and last == before else 0.0
    if status == "suspended":
        say(f"the run waits to be told something: see `wrkflw-tui show {run_id}`")
    return last


def _check_step(
    connection: sqlite3.Connection, run_id: str, step: str | None, *, follow: bool
) -> None:
    if step is None or follow:
        return
    results = runs.read_snapshot(connection, run_id).step_results
    if not any(_is_at(path, step) for path in results):
        came = ", ".join(list(results)[:12]) or "nothing"
        raise UnknownPath(f"run {run_id} never came to {step!r}; it came to: {came}")


def _is_at(path: str, step: str) -> bool:
    return path == step or path.startswith((f"{step}/", f"{step}["))


def _stretches(connection: sqlite3.Connection, run_id: str, after: int) -> Iterator[LogStretch]:
    while page := on_record.read_log(connection, run_id, after, PAGE):
        yield from page
        after = page[-1].n


def _print_after(connection: sqlite3.Connection, run_id: str, after: int, wanted: Lines) -> int:
    """Print what came after a stretch; return the number of the last one."""
    for stretch in _stretches(connection, run_id, after):
        after = stretch.n
        if wanted.wants(stretch):
            for line in stretch.lines:
                print(_shown(stretch, line, wanted))
    sys.stdout.flush()
    return after


def _print_tail(connection: sqlite3.Connection, run_id: str, wanted: Lines, tail: int) -> int:
    from collections import deque

    kept: deque[tuple[LogStretch, str]] = deque(maxlen=tail)
    last = 0
    for stretch in _stretches(connection, run_id, 0):
        last = stretch.n
        if wanted.wants(stretch):
            kept.extend((stretch, line) for line in stretch.lines)
    for stretch, line in kept:
        print(_shown(stretch, line, wanted))
    sys.stdout.flush()
    return last


def _shown(stretch: LogStretch, line: str, wanted: Lines) -> str:
    if wanted.as_json:
        return json.dumps(line_shape(stretch, line), ensure_ascii=False)
    sign = "!" if stretch.stream == "stderr" else "│"
    label = stretch.path if stretch.path != wanted.step else ""
    room = " " * max(0, 14 - cell_len(label)) if wanted.step is None else ""
    space = " " if label or room else ""
    at = f"{exact(stretch.at)}  " if wanted.times else ""
    role = "bad" if stretch.stream == "stderr" else "muted"
    return f"{paint(f'{at}{label}{room}{space}{sign}', role, sys.stdout)} {_clean(line)}"


def _clean(line: str) -> str:
    """Take out what could do more than print; colours stay on a terminal."""
    if not is_terminal(sys.stdout):
        return plain(line)
    parts = [part if _COLOUR.fullmatch(part) else plain(part) for part in _COLOUR.split(line)]
    return "".join(parts) + ("\x1b[0m" if len(parts) > 1 else "")
