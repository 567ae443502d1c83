"""What the transactions of journals write: many rows of many runs in a few statements.

SQLite gives up the interpreter's lock at each statement, and beside a busy thread it waits for it
again: so a commit takes as few of them as it can, however many runs it is for.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.errors import RunAlreadyStarted
from wrkflw_tui.engine.journal import Fenced
from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.store import graphs
from wrkflw_tui.store.file import next_run, next_run_revision
from wrkflw_tui.store.record import newest_message

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
# Most rows are written twice, when a step starts and when it has ended. Where there are many, each
# gets what it has to say: all columns of both cost twice as much.
_START = (
    "INSERT INTO wrkflw_step_results (run, revision, n, path, step_id, kind, attempt, status,"
    " input, started_at) VALUES {}"
)
_START_WIDTH = 10
_of_start = itemgetter(0, 1, 2, 3, 4, 5, 6, 7, 8, 12)
_END = (
    "UPDATE wrkflw_step_results SET revision = put.column2, status = put.column4,"
    " output = put.column5, error = put.column6, finished_at = put.column7, ended = put.column8"
    " FROM (VALUES {}) AS put WHERE run = put.column1 AND n = put.column3"
)
_END_WIDTH = 8
_of_end = itemgetter(0, 1, 2, 7, 9, 10, 13, 14)
FEW = 8
"""Rows that one statement for all of them writes sooner than one for each kind."""
_OPEN = (
    "INSERT INTO wrkflw_workflow_runs (id, run_id, workflow_id, status, trigger, input,"
    " definition_hash, steps_total, epoch, owner, created_at, updated_at, started_at, deadline,"
    " graph_id, revision) VALUES {} ON CONFLICT (run_id) DO NOTHING RETURNING run_id, id"
)
_OPEN_WIDTH = 16
_FINISH = (
    "UPDATE wrkflw_workflow_runs SET status = put.column2, result = put.column3,"
    " error = put.column4, owner = NULL, execution_path = put.column5, finished_at = put.column6,"
    " wake_at = put.column7, suspended_at = put.column8"
    " FROM (VALUES {}) AS put WHERE wrkflw_workflow_runs.id = put.column1"
)
_FINISH_WIDTH = 8
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

    __slots__ = ("ended", "entry", "finished_at", "input", "is_started", "started_at", "step_id")

    def __init__(self, entry: Entry, step_id: str, input: str | None, started_at: int) -> None:
        self.entry = entry
        self.step_id = step_id
        self.input = input
        self.started_at = started_at
        self.finished_at: int | None = None
        self.ended: int | None = None
        """Where its end stands among the run's starts and ends."""
        self.is_started: bool | None = None
        """Whether its start is all that was written of it; `None` where nothing was."""

    @classmethod
    def known(cls, entry: Entry, ended: int | None) -> Row:
        """Return the row of an attempt that is on record."""
        row = cls(entry, "", None, 0)
        row.ended = ended
        row.is_started = False
        return row

    def put(self, work: Work, progress: Progress | None) -> None:
        """Put it among what a transaction writes."""
        entry = self.entry
        values = self._values(progress)
        is_plain = (
            progress is None
            and entry.wake_at is None
            and entry.question is None
            and entry.state is None
        )
        if is_plain and self.is_started is None and self.ended is None:
            self.is_started = True
            work.starts.append(values)
        elif is_plain and self.is_started and self.ended is not None:
            work.ends.append(values)
        else:
            self.is_started = False
            work.rows.append(values)

    def _values(self, progress: Progress | None) -> tuple[object, ...]:
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


class Opening:
    """A new run, as its first transaction puts it on record."""

    __slots__ = ("ensure_lease", "graph", "run_id", "values")

    def __init__(
        self,
        run_id: str,
        values: tuple[object, ...],
        graph: str,
        ensure_lease: Callable[[sqlite3.Connection], None],
    ) -> None:
        self.run_id = run_id
        self.values = (run_id, *values)
        """The columns of `_OPEN` but the first and the last two."""
        self.graph = graph
        self.ensure_lease = ensure_lease
        """Sees to it that the lease of the process that walks the run is on record."""


class Work:
    """All that one transaction writes of one run."""

    __slots__ = (
        "at_work",
        "done",
        "ending",
        "ends",
        "epoch",
        "find_key",
        "heard",
        "key",
        "now",
        "on_finish",
        "on_open",
        "opening",
        "order",
        "refused",
        "rows",
        "starts",
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
        self.starts: list[tuple[object, ...]] = []
        """Rows of attempts that have only started, each from `n` on."""
        self.ends: list[tuple[object, ...]] = []
        """Rows of attempts that have ended, of which nothing but their start was written."""
        self.rows: list[tuple[object, ...]] = []
        """All other rows."""
        self.opening: Opening | None = None
        """What puts a new run on record."""
        self.on_open: Callable[[int, int], None] | None = None
        """Told the key of a new run, and the newest message to any."""
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
        """Write what few transactions have: states and messages."""
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

    def finish(self, connection: sqlite3.Connection) -> tuple[object, ...] | None:
        """Return what is written of the run's end, or how it rests: the columns of `_FINISH`."""
        if self.ending is None:
            return None
        status, result, error, wake_at = self.ending
        # What the run was told in the last moment must not wait for somebody to walk it again.
        rests = status in ("sleeping", "suspended")
        if rests and _was_told(connection, self.key, self.heard):
            status = "queued"
        if self.on_finish is not None:
            self.on_finish(status)
        ended = self.now if status in ENDED else None
        suspended = self.now if status == "suspended" else None
        at_work = self.at_work if rests else "[]"
        return self.key, status, result, error, at_work, ended, wake_at, suspended


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
    _open(connection, [work for work in works if work.opening is not None], revision)
    for work in works:
        if work.find_key is not None:
            work.key = work.find_key()
    _fence(connection, works, revision)
    _write_rows(connection, works, revision)
    for work in works:
        work.write_rest(connection)
    ends = [end for work in works if (end := work.finish(connection)) is not None]
    _write(connection, _FINISH, _FINISH_WIDTH, ends)


def _open(connection: sqlite3.Connection, works: list[Work], revision: int) -> None:
    """Put new runs on record. Raises `RunAlreadyStarted` where the id of one is taken."""
    if not works:
        return
    openings = [cast("Opening", work.opening) for work in works]
    for ensure_lease in {opening.ensure_lease for opening in openings}:
        ensure_lease(connection)
    ids = {graph: graphs.keep(connection, graph) for graph in {o.graph for o in openings}}
    rows = [
        (key, *opening.values, ids[opening.graph], revision)
        for key, opening in enumerate(openings, next_run(connection))
    ]
    keys: dict[str, int] = {}
    for at in range(0, len(rows), MOST):
        some = rows[at : at + MOST]
        statement = _for(_OPEN, _OPEN_WIDTH, len(some))
        keys |= dict(connection.execute(statement, list(chain.from_iterable(some))).fetchall())
    newest = newest_message(connection)
    for work, opening in zip(works, openings, strict=True):
        # Taken out: of two that want the same id in one transaction only the first has it.
        work.key = keys.pop(opening.run_id, None)
        if work.key is None:
            raise RunAlreadyStarted(
                f"a run {opening.run_id} is on record already: nothing was changed"
            )
        if work.on_open is not None:
            work.on_open(work.key, newest)


def _write_rows(connection: sqlite3.Connection, works: list[Work], revision: int) -> None:
    starts = [(work.key, revision, *values) for work in works for values in work.starts]
    rows = [(work.key, revision, *values) for work in works for values in work.rows]
    ends = [(work.key, revision, *values) for work in works for values in work.ends]
    if len(starts) + len(rows) + len(ends) <= FEW:
        starts, rows, ends = [], starts + rows + ends, []
    _write(connection, _START, _START_WIDTH, list(map(_of_start, starts)))
    _write(connection, _UPSERT, _WIDTH, rows)
    _write(connection, _END, _END_WIDTH, list(map(_of_end, ends)))


def _write(
    connection: sqlite3.Connection, statement: str, width: int, rows: Sequence[tuple[object, ...]]
) -> int:
    """Write rows by a few statements; return how many were changed."""
    changed = 0
    for at in range(0, len(rows), MOST):
        some = rows[at : at + MOST]
        values = list(chain.from_iterable(some))
        changed += connection.execute(_for(statement, width, len(some)), values).rowcount
    return changed


def _fence(connection: sqlite3.Connection, works: list[Work], revision: int) -> None:
    """Say where each run stands, if its claim still holds; the last word of a run counts."""
    puts = {
        work.key: (work.key, work.epoch, work.at_work, work.done, work.now, work.order, revision)
        for work in works
    }
    if _write(connection, _FENCE, _FENCE_WIDTH, list(puts.values())) != len(puts):
        raise Fenced("another claim on this run is newer")


@cache
def _for(statement: str, width: int, count: int) -> str:
    """Return a statement with places for that many rows."""
    row = f"({', '.join('?' * width)})"
    return statement.format(", ".join([row] * count))


def _was_told(connection: sqlite3.Connection, key: int | None, heard: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM wrkflw_messages WHERE run = ? AND id > ? LIMIT 1", (key, heard)
    ).fetchone()
    return cast("object", row) is not None


def _progress_json(progress: Progress) -> str:
    parts = [progress.done, progress.total, progress.message, progress.failed]
    return json.dumps(parts, ensure_ascii=False)
