"""Following a run to where it ends or rests, and what its end comes to."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from wrkflw_tui.commands.care import has_worker
from wrkflw_tui.commands.exits import INTERRUPTED, TERMINATED, TIMED_OUT
from wrkflw_tui.commands.outcome import tell_outcome
from wrkflw_tui.commands.printing import say
from wrkflw_tui.commands.record import reading, write
from wrkflw_tui.commands.views import view_for
from wrkflw_tui.commands.watching import Watched
from wrkflw_tui.engine.errors import RunEnded
from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.store import claims

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator

    from wrkflw_tui.commands.care import Care
    from wrkflw_tui.config import Config

LOOK = 0.05
"""Seconds between two looks at the record."""
CARE = 1.0
"""Seconds between two looks whether a worker is there."""
GRACE = 10.0
"""Seconds that a run may take to end which was asked to cancel."""


@dataclass(frozen=True, slots=True)
class Following:
    """How a run is to be followed."""

    quiet: bool = False
    as_json: bool = False
    timeout: float | None = None
    """Seconds after which it is followed no longer."""
    cancels: bool = False
    """Whether ctrl-c cancels the run, too."""


class _Stopped(BaseException):
    """This command is to end, the run is not."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def follow(config: Config, run_id: str, how: Following, care: Care | None = None) -> int:
    """Follow a run until it ends or waits to be told something; return the exit code.

    `care` sees to it that a worker is there.
    """
    with reading(config) as connection:
        watched = Watched(connection, run_id)
        try:
            with _stopping_on_signals():
                _watch(connection, watched, how, care)
        except (KeyboardInterrupt, _Stopped) as stopped:
            code = stopped.code if isinstance(stopped, _Stopped) else INTERRUPTED
            return _leave(config, watched, how, code)
        snapshot = watched.snapshot()
    return tell_outcome(snapshot, as_json=how.as_json)


def _watch(
    connection: sqlite3.Connection, watched: Watched, how: Following, care: Care | None
) -> None:
    view = view_for(quiet=how.quiet)
    ends = None if how.timeout is None else time.monotonic() + how.timeout
    cared = time.monotonic()
    changed = True
    try:
        if care is None and watched.run.status == "queued" and not has_worker(connection):
            say("no worker is there to take the run: start one with `wrkflw-tui worker`")
        while True:
            view.show(watched, changed=changed)
            if watched.run.status in ENDED or watched.run.status == "suspended":
                return
            if ends is not None and time.monotonic() >= ends:
                raise _Stopped(TIMED_OUT)
            if care is not None and time.monotonic() - cared >= CARE:
                cared = time.monotonic()
                care.look(connection)
            time.sleep(LOOK)
            changed = watched.look()
    finally:
        view.close()


@contextmanager
def _stopping_on_signals() -> Generator[None]:
    def stop(number: int, _frame: object) -> NoReturn:
        raise _Stopped(TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(config: Config, watched: Watched, how: Following, code: int) -> int:
    """Say how to go on with a run that is followed no longer, or cancel it."""
    run_id = watched.run.run_id
    if how.cancels and code != TIMED_OUT:
        with suppress(RunEnded):
            write(config, lambda c: claims.request_cancel(c, run_id))
        say(f"cancelling {run_id}")
        ends = time.monotonic() + GRACE
        while watched.run.status not in ENDED and time.monotonic() < ends:
            time.sleep(LOOK)
            watched.look()
        return code
    why = f"it took longer than {how.timeout:g} s" if code == TIMED_OUT else "stopped"
    say(
        f"{why}: the run is followed no longer and goes on\n"
        f"  follow it again   wrkflw-tui show {run_id} -f\n"
        f"  cancel it         wrkflw-tui cancel {run_id}"
    )
    return code
