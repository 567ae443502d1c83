"""Processes that fire the same schedules by clocks that differ, killed at random moments.

Called with a record, the seconds of a first and a last instant, and how many kills there are to be.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from wrkflw_tui.schedules import scheduler
from wrkflw_tui.schedules.cron import next_fire, parse_cron
from wrkflw_tui.store.file import Turn, connect, transaction

PROCESSES = 8
APART = 45
"""Seconds by which a clock is wrong at most, either way."""
SPEED = 1200
"""How many seconds go by in one."""


def fire(file: Path, clock: Clock) -> None:
    """Look at what is due, by one's own clock, until it is over."""
    wrong = random.randint(-APART, APART)
    with closing(connect(file)) as connection, closing(Turn(file)) as turn:
        while not clock.is_over:
            with turn, transaction(connection):
                scheduler.tick(connection, clock.now + wrong, "UTC")


class Clock:
    """A quick one; the same for all processes of a machine."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self._begun = time.monotonic()

    @property
    def now(self) -> int:
        return min(self._first + int((time.monotonic() - self._begun) * SPEED), self._last)

    @property
    def is_over(self) -> bool:
        return self.now >= self._last


def start(file: Path, clock: Clock) -> int:
    child = os.fork()
    if child == 0:
        random.seed()
        fire(file, clock)
        os._exit(0)
    return child


def main() -> None:
    file, first, last, kills = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    next_fire(parse_cron("* * * * *"), "UTC", datetime.now(UTC))  # loads croniter once for all
    clock = Clock(first, last)
    children = [start(file, clock) for _ in range(PROCESSES)]
    pause = (last - first) / SPEED / (kills + 1)
    killed = 0
    while not clock.is_over:
        time.sleep(random.uniform(0.5, 1.5) * pause)
        index = random.randrange(len(children))
        os.kill(children[index], signal.SIGKILL)
        _, status = os.waitpid(children[index], 0)
        killed += os.WIFSIGNALED(status)
        children[index] = start(file, clock)
    for child in children:
        os.waitpid(child, 0)
    print(killed)


if __name__ == "__main__":
    main()
