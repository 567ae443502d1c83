"""Following a run's record from any process: what `stream` yields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.engine.events import Event, RunEndedEvent, StepProgressed, events_of
from wrkflw_tui.engine.models import ENDED, parse_json
from wrkflw_tui.store.runs import STEP, SUMMARY, run_row, step_result, summary

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator

    from wrkflw_tui.engine.models import Progress, StepResult
    from wrkflw_tui.store.database import Database
    from wrkflw_tui.store.listener import Listener


async def follow(
    database: Database, listener: Listener, run_id: str, since: int
) -> AsyncIterator[Event]:
    """Yield a run's events after the one numbered `since`, until it ends. Raises `RunNotFound`."""
    follower = _Follower(run_id, since)
    with listener.watch() as watch:
        while not follower.is_over:
            for event in await database.read(follower.look):
                yield event
            if not follower.is_over:
                await watch.change()


class _Follower:
    """How far a run has been followed."""

    def __init__(self, run_id: str, since: int) -> None:
        self._run_id = run_id
        self._last: int = since
        self._oldest_open: int = 0
        self._progress: dict[int, Progress] = {}
        self.is_over = False

    def look(self, connection: sqlite3.Connection) -> list[Event]:
        """Return what has happened since the last look."""
        connection.execute("BEGIN")  # one moment of the record for the run and its steps
        try:
            row = run_row(connection, self._run_id, f"{SUMMARY}, result, last_event")
            # What has ended never changes: nothing before the oldest that had not is read again.
            steps = connection.execute(
                f"SELECT {STEP} FROM wrkflw_step_results WHERE run = ? AND n >= ? ORDER BY n",
                (row["id"], self._oldest_open),
            ).fetchall()
        finally:
            connection.execute("COMMIT")
        results = [step_result(step) for step in steps]
        events: list[Event] = list(events_of(results, self._last))
        if events:
            self._last = events[-1].revision
        events += self._progressed(results)
        self._oldest_open = min(_still_open(results), default=self._last)
        run = summary(row)
        if run.status in ENDED and run.finished_at is not None:
            self.is_over = True
            if row["last_event"] > self._last:
                events.append(
                    RunEndedEvent(
                        revision=row["last_event"],
                        at=run.finished_at,
                        status=run.status,
                        result=parse_json(row["result"]),
                        error=run.error,
                    )
                )
        return events

    def _progressed(self, results: list[StepResult]) -> list[StepProgressed]:
        events: list[StepProgressed] = []
        for result in results:
            progress = result.progress
            if progress is None or result.status != "running":
                continue
            if self._progress.get(result.order) != progress:
                self._progress[result.order] = progress
                events.append(
                    StepProgressed(path=result.path, revision=self._last, progress=progress)
                )
        return events


def _still_open(results: list[StepResult]) -> list[int]:
    """Return the attempts that may end yet, or whose question may be withdrawn."""
    latest = {result.path: result.order for result in results}
    return [
        result.order
        for result in results
        if result.ended is None
        or (result.status == "suspended" and latest[result.path] == result.order)
    ]
