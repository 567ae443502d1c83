"""A record with schedules, and a clock that a test turns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Unpack

from wrkflw_tui.schedules import actions, scheduler
from wrkflw_tui.schedules.schedule import Settings, terms_of
from wrkflw_tui.store import fires, schedules
from wrkflw_tui.store.file import transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from typing import TypeVar

    from wrkflw_tui.store.fires import Fire
    from wrkflw_tui.store.schedules import ScheduleRow

    T = TypeVar("T")

MINUTE, HOUR, DAY = 60, 3600, 86400


def at(text: str) -> int:
    """The seconds of an instant written in UTC."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


def instant(text: str) -> datetime:
    return datetime.fromtimestamp(at(text), UTC)


class Desk:
    """A record, and the clock by which its schedules are looked at."""

    def __init__(self, connection: sqlite3.Connection, now: str, local: str = "UTC") -> None:
        self.connection = connection
        self.now = at(now)
        self.local = local

    def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with transaction(self.connection):
            return work(self.connection)

    def add(self, timing: str, zone: str = "UTC", **settings: Unpack[Settings]) -> str:
        terms = terms_of(timing, **{"timezone": zone, **settings})
        return self.do(lambda c: actions.add(c, "job", terms, "1", self.now))

    def tick(self, now: str | int | None = None) -> list[str]:
        """Turn the clock, and do all that is due then."""
        if now is not None:
            self.now = at(now) if isinstance(now, str) else now
        runs: list[str] = []
        more = True
        while more:
            done = self.do(lambda c: scheduler.tick(c, self.now, self.local))
            runs += done.runs
            more = done.more
        return runs

    def row(self, schedule_id: str) -> ScheduleRow:
        return schedules.get(self.connection, schedule_id)

    def next(self, schedule_id: str) -> str | None:
        """The pointer, in UTC."""
        next_at = self.row(schedule_id).next_at
        return None if next_at is None else self.said(next_at)

    def said(self, seconds: int) -> str:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"

    def fires(self, schedule_id: str) -> list[Fire]:
        """What is on record, oldest first."""
        return fires.list_fires(self.connection, schedule_id, 10_000)[::-1]

    def told(self, schedule_id: str) -> list[tuple[str, str, int]]:
        """When, what and for how many, oldest first."""
        return [
            (f"{fire.due_at:%m-%d %H:%M}", fire.outcome, fire.count)
            for fire in self.fires(schedule_id)
        ]

    def end(self, status: str = "success", run_id: str | None = None) -> None:
        """End the runs that go, or one of them."""
        self.do(
            lambda c: c.execute(
                "UPDATE wrkflw_workflow_runs SET status = ?, finished_at = ? WHERE status IN"
                " ('queued', 'running', 'sleeping', 'suspended') AND run_id = coalesce(?, run_id)",
                (status, self.now * 1_000_000, run_id),
            )
        )

    def runs(self) -> list[tuple[str, str]]:
        """The due instant of each run with its status, in the order in which they were queued."""
        rows = self.connection.execute(
            "SELECT due_at, status FROM wrkflw_workflow_runs ORDER BY id"
        )
        return [("by hand" if r[0] is None else self.said(r[0])[5:], r[1]) for r in rows]
