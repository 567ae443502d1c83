"""The rows that one transaction of a journal writes, under its fence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.journal import Fenced
from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.store.file import next_run_revision

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.engine.journal import Entry
    from wrkflw_tui.engine.models import Progress, RunStatus

_INSERT = (
    "INSERT INTO wrkflw_step_results (run, revision, n, path, step_id, kind, attempt, status,"
    " input, output, error, progress, started_at, finished_at, ended, wake_at, question, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE = (
    "UPDATE wrkflw_step_results SET revision = ?, status = ?, output = ?, error = ?,"
    " progress = coalesce(?, progress), finished_at = ?, ended = ?, wake_at = ?, question = ?,"
    " state = ? WHERE run = ? AND n = ?"
)
_FENCE = (
    "UPDATE wrkflw_workflow_runs SET execution_path = ?, steps_done = ?, updated_at = ?,"
    " revision = ?, last_event = ? WHERE id = ? AND epoch = ? AND status = 'running'"
)


class Row:
    """A step's row that a transaction inserts or updates."""

    __slots__ = ("entry", "input", "is_new", "started_at", "step_id")

    def __init__(self, entry: Entry, step_id: str, input: str | None, started_at: int) -> None:
        self.entry = entry
        self.step_id = step_id
        self.input = input
        self.started_at = started_at
        self.is_new = True

    @classmethod
    def known(cls, entry: Entry) -> Row:
        """Return the row of an attempt that is on record."""
        row = cls(entry, "", None, 0)
        row.is_new = False
        return row


class Work:
    """All that one transaction writes of one run."""

    def __init__(self, epoch: int, now: int, at_work: str, done: int, order: int) -> None:
        self._epoch = epoch
        self._now = now
        self._at_work = at_work
        self._done = done
        self._order = order
        self._inserts: list[tuple[object, ...]] = []
        self._updates: list[tuple[object, ...]] = []
        self._states: str | None = None
        self.taken: list[tuple[int, int]] = []
        """Events that a wait took: its order, and the message's id."""
        self.refused: list[tuple[str, str, str]] = []
        """Answers that do not do: the path, the key, and why."""
        self.heard = 0
        """The last message that the walk heard of."""
        self.ending: tuple[RunStatus, str | None, str | None, int | None] | None = None

    next_revision = staticmethod(next_run_revision)

    def add(self, row: Row, progress: Progress | None) -> None:
        """Take a row as it is now."""
        entry = row.entry
        last = (entry.finished_at, entry.ended, entry.wake_at, entry.question, entry.state)
        now = (entry.status, entry.output, entry.error, _progress_json(progress), *last)
        if not row.is_new:
            self._updates.append((*now, entry.order))
            return
        row.is_new = False
        first = (entry.order, entry.path, row.step_id, entry.kind, entry.attempt)
        status, output, error, shown, *last = now
        self._inserts.append(
            (*first, status, row.input, output, error, shown, row.started_at, *last)
        )

    def keep_states(self, states: dict[str, dict[str, object]]) -> None:
        """Write the states of the run's workflows too."""
        self._states = json.dumps(states, ensure_ascii=False)

    def write(self, connection: sqlite3.Connection, key: int, revision: int) -> RunStatus | None:
        """Write it; return the status that the run ends with, where it does. Raises `Fenced`."""
        fence = (self._at_work, self._done, self._now, revision, self._order, key, self._epoch)
        if connection.execute(_FENCE, fence).rowcount == 0:
            raise Fenced("another claim on this run is newer")
        for values in self._inserts:
            connection.execute(_INSERT, (key, revision, *values))
        for values in self._updates:
            connection.execute(_UPDATE, (revision, *values[:-1], key, values[-1]))
        if self._states is not None:
            connection.execute(
                "UPDATE wrkflw_workflow_runs SET state = ? WHERE id = ?", (self._states, key)
            )
        for n, id in self.taken:
            connection.execute("UPDATE wrkflw_messages SET taken_by = ? WHERE id = ?", (n, id))
        for path, name, reason in self.refused:
            connection.execute(
                "UPDATE wrkflw_messages SET refused = ? WHERE run = ? AND kind = 'answer'"
                " AND path = ? AND name = ? AND refused IS NULL",
                (reason, key, path, name),
            )
        return None if self.ending is None else self._finish(connection, key, *self.ending)

    def _finish(
        self,
        connection: sqlite3.Connection,
        key: int,
        status: RunStatus,
        result: str | None,
        error: str | None,
        wake_at: int | None,
    ) -> RunStatus:
        # What the run was told in the last moment must not wait for somebody to walk it again.
        if status in ("sleeping", "suspended") and _was_told(connection, key, self.heard):
            status = "queued"
        ended = self._now if status in ENDED else None
        suspended = self._now if status == "suspended" else None
        at_work = self._at_work if status in ("sleeping", "suspended") else "[]"
        connection.execute(
            "UPDATE wrkflw_workflow_runs SET status = ?, result = ?, error = ?, owner = NULL,"
            " execution_path = ?, finished_at = ?, wake_at = ?, suspended_at = ? WHERE id = ?",
            (status, result, error, at_work, ended, wake_at, suspended, key),
        )
        return status


def _was_told(connection: sqlite3.Connection, key: int, heard: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM wrkflw_messages WHERE run = ? AND id > ? LIMIT 1", (key, heard)
    ).fetchone()
    return cast("object", row) is not None


def _progress_json(progress: Progress | None) -> str | None:
    if progress is None:
        return None
    parts = [progress.done, progress.total, progress.message, progress.failed]
    return json.dumps(parts, ensure_ascii=False)
