"""What the transactions of journals write: many rows of many runs in a few statements.

SQLite gives up the interpreter's lock at each statement, and beside a busy thread it waits for it
again: so a commit takes as few of them as it can, however many runs it is for.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.journal import Fenced
from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.store.file import next_run_revision

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from wrkflw_tui.engine.journal import Entry
    from wrkflw_tui.engine.models import Progress, RunStatus

_COLUMNS = (
    "run, revision, n, path, step_id, kind, attempt, status, input, output, error, progress,"
    " started_at, finished_at, ended, wake_at, question, state"
)
_WIDTH = 18
# A row that is on record keeps what its start said: only what may have changed since is written.
_UPSERT = (
    f"INSERT INTO wrkflw_step_results ({_COLUMNS}) VALUES {{}} ON CONFLICT (run, n) DO UPDATE SET"
    " revision = excluded.revision, status = excluded.status, output = excluded.output,"
    " error = excluded.error, progress = coalesce(excluded.progress, progress),"
    " finished_at = excluded.finished_at, ended = excluded.ended, wake_at = excluded.wake_at,"
    " question = excluded.question, state = excluded.state"
)
_FENCE = (
    "UPDATE wrkflw_workflow_runs SET execution_path = put.column3, steps_done = put.column4,"
    " updated_at = put.column5, last_event = put.column6, revision = put.column7"
    " FROM (VALUES {}) AS put WHERE wrkflw_workflow_runs.id = put.column1"
    " AND wrkflw_workflow_runs.epoch = put.column2 AND status = 'running'"
)
_FENCE_WIDTH = 7
MOST = 128
"""Rows of one statement at most: its text is kept for each number of rows."""


class Row:
    """A step's row that a transaction writes."""

    __slots__ = ("ended", "entry", "finished_at", "input", "started_at", "step_id")

    def __init__(self, entry: Entry, step_id: str, input: str | None, started_at: int) -> None:
        self.entry = entry
        self.step_id = step_id
        self.input = input
        self.started_at = started_at
        self.finished_at: int | None = None
        self.ended: int | None = None
        """Where its end stands among the run's starts and ends."""

    @classmethod
    def known(cls, entry: Entry, ended: int | None) -> Row:
        """Return the row of an attempt that is on record."""
        row = cls(entry, "", None, 0)
        row.ended = ended
        return row

    def values(self, progress: Progress | None) -> tuple[object, ...]:
        """Return what is written of it, from `n` on."""
        entry = self.entry
        return (
            entry.order,
            entry.path,
            self.step_id,
            entry.kind,
            entry.attempt,
            entry.status,
            self.input,
            entry.output,
            entry.error,
            None if progress is None else _progress_json(progress),
            self.started_at,
            self.finished_at,
            self.ended,
            entry.wake_at,
            entry.question,
            entry.state,
        )


class Work:
    """All that one transaction writes of one run."""

    __slots__ = (
        "at_work",
        "done",
        "ending",
        "epoch",
        "find_key",
        "heard",
        "key",
        "now",
        "on_finish",
        "opening",
        "order",
        "refused",
        "rows",
        "states",
        "taken",
    )

    def __init__(self, key: int | None, epoch: int, now: int, order: int) -> None:
        self.key = key
        self.epoch = epoch
        self.now = now
        self.order = order
        """The number of the run's last start or end."""
        self.at_work = "[]"
        self.done = 0
        self.rows: list[tuple[object, ...]] = []
        self.opening: Callable[[sqlite3.Connection, int], int] | None = None
        """Puts a new run on record, with a revision; returns its key."""
        self.find_key: Callable[[], int | None] | None = None
        """Returns the key of a run whose opening was sent before this, and is not on disk yet."""
        self.states: dict[str, dict[str, object]] | None = None
        """The states of the run's workflows, where any has changed."""
        self.taken: list[tuple[int, int]] = []
        """Events that a wait took: its order, and the message's id."""
        self.refused: list[tuple[str, str, str]] = []
        """Answers that do not do: the path, the key, and why."""
        self.heard = 0
        """The last message that the walk heard of."""
        self.ending: tuple[RunStatus, str | None, str | None, int | None] | None = None
        self.on_finish: Callable[[RunStatus], None] | None = None
        """Told how the run has ended, or rests."""

    def __call__(self, connection: sqlite3.Connection) -> None:
        """Write it alone. Raises `Fenced`."""
        write_all(connection, [self])

    def write_rest(self, connection: sqlite3.Connection) -> None:
        """Write what few transactions have: states, messages, the run's end."""
        if self.states is not None:
            text = json.dumps(self.states, ensure_ascii=False)
            connection.execute(
                "UPDATE wrkflw_workflow_runs SET state = ? WHERE id = ?", (text, self.key)
            )
        for n, id in self.taken:
            connection.execute("UPDATE wrkflw_messages SET taken_by = ? WHERE id = ?", (n, id))
        for path, name, reason in self.refused:
            connection.execute(
                "UPDATE wrkflw_messages SET refused = ? WHERE run = ? AND kind = 'answer'"
                " AND path = ? AND name = ? AND refused IS NULL",
                (reason, self.key, path, name),
            )
        if self.ending is not None:
            self._finish(connection, *self.ending)

    def _finish(
        self,
        connection: sqlite3.Connection,
        status: RunStatus,
        result: str | None,
        error: str | None,
        wake_at: int | None,
    ) -> None:
        # What the run was told in the last moment must not wait for somebody to walk it again.
        rests = status in ("sleeping", "suspended")
        if rests and _was_told(connection, self.key, self.heard):
            status = "queued"
        ended = self.now if status in ENDED else None
        suspended = self.now if status == "suspended" else None
        connection.execute(
            "UPDATE wrkflw_workflow_runs SET status = ?, result = ?, error = ?, owner = NULL,"
            " execution_path = ?, finished_at = ?, wake_at = ?, suspended_at = ? WHERE id = ?",
            (
                status,
                result,
                error,
                self.at_work if rests else "[]",
                ended,
                wake_at,
                suspended,
                self.key,
            ),
        )
        if self.on_finish is not None:
            self.on_finish(status)


def do_all(
    connection: sqlite3.Connection, works: Sequence[Callable[[sqlite3.Connection], object]]
) -> list[object]:
    """Do works in their order, those of journals side by side; return what each returns."""
    results: list[object] = []
    for of_journals, group in groupby(works, lambda work: isinstance(work, Work)):
        together = list(group)
        if of_journals:
            write_all(connection, cast("list[Work]", together))
            results += [None] * len(together)
        else:
            results += [work(connection) for work in together]
    return results


def write_all(connection: sqlite3.Connection, works: list[Work]) -> None:
    """Write the works of any runs. Raises `Fenced` where a claim is not good any more."""
    revision = next_run_revision(connection)
    for work in works:
        if work.opening is not None:
            work.key = work.opening(connection, revision)
        elif work.find_key is not None:
            work.key = work.find_key()
    _fence(connection, works, revision)
    rows = [(work.key, revision, *values) for work in works for values in work.rows]
    for some in _stretches(rows):
        connection.execute(_upsert(len(some)), [value for row in some for value in row])
    for work in works:
        work.write_rest(connection)


def _fence(connection: sqlite3.Connection, works: list[Work], revision: int) -> None:
    """Say where each run stands, if its claim still holds; the last word of a run counts."""
    puts = {
        work.key: (work.key, work.epoch, work.at_work, work.done, work.now, work.order, revision)
        for work in works
    }
    for some in _stretches(list(puts.values())):
        values = [value for put in some for value in put]
        changed = connection.execute(_fences(len(some)), values)
        if changed.rowcount != len(some):
            raise Fenced("another claim on this run is newer")


def _stretches(rows: list[tuple[object, ...]]) -> list[list[tuple[object, ...]]]:
    return [rows[at : at + MOST] for at in range(0, len(rows), MOST)]


@cache
def _upsert(count: int) -> str:
    return _UPSERT.format(_places(_WIDTH, count))


@cache
def _fences(count: int) -> str:
    return _FENCE.format(_places(_FENCE_WIDTH, count))


def _places(width: int, count: int) -> str:
    row = f"({', '.join('?' * width)})"
    return ", ".join([row] * count)


def _was_told(connection: sqlite3.Connection, key: int | None, heard: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM wrkflw_messages WHERE run = ? AND id > ? LIMIT 1", (key, heard)
    ).fetchone()
    return cast("object", row) is not None


def _progress_json(progress: Progress) -> str:
    parts = [progress.done, progress.total, progress.message, progress.failed]
    return json.dumps(parts, ensure_ascii=False)
