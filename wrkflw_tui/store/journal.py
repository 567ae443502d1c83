"""The journal of one run in the file: what the walk puts, in one transaction a commit."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.journal import Entry
from wrkflw_tui.engine.models import CONTAINERS, ENDED, Question
from wrkflw_tui.store.record import Record, hear
from wrkflw_tui.store.rows import Row, Work

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from wrkflw_tui.engine.models import NodeKind, Progress, RunStatus, StepStatus
    from wrkflw_tui.store.database import Database
    from wrkflw_tui.store.listener import Listener
    from wrkflw_tui.store.rows import Opening

PROGRESS_INTERVAL = 0.1
"""Seconds between two writes that nobody waits for: of how far steps are, and which are through."""
SHOWN_PATHS = 20
"""How many of the paths at work are kept on the run's own row."""


class SqliteJournal:
    """A run's record in the file, under one claim."""

    def __init__(
        self,
        database: Database,
        listener: Listener,
        run_id: str,
        epoch: int,
        *,
        now: Callable[[], int],
        max_result_bytes: int,
        key: int | None = None,
        opening: Opening | None = None,
        record: Record | None = None,
        on_left: Callable[[str, int], None] | None = None,
    ) -> None:
        self._database = database
        self._listener = listener
        self._run_id = run_id
        self._epoch = epoch
        self._now = now
        self.max_result_bytes = max_result_bytes
        self.key = key
        self._opening = opening
        self._on_left = on_left
        """Told where the walk is over and could not put that on record."""
        self._broken: BaseException | None = None
        """Why some of what was put is lost: nothing can be put after it."""
        self.record = record or Record()
        self.has_ended = False
        self._entries = self.record.entries
        self._order = self.record.order
        self._done = sum(map(_counts, self._entries.values()))
        self._rows: dict[int, Row] = {}
        self._active: dict[str, Row] = {}
        self._open = {
            path: Row.known(entry, self.record.asked.get(entry.order))
            for path, entry in self._entries.items()
            if entry.status in ("waiting", "suspended")
        }
        self._taken: list[tuple[int, int]] = []
        self._served: set[int] = set()
        self._refused: list[tuple[str, str, str]] = []
        self._progress: dict[int, Progress] = {}
        self._progress_lock = threading.Lock()
        self._ending: tuple[RunStatus, str | None, str | None, int | None] | None = None
        self._finished_as: RunStatus = "running"
        self._waiters: list[asyncio.Future[None]] | None = None
        self._in_flight: deque[list[asyncio.Future[None]]] = deque()
        self._on_message: Callable[[], None] | None = None
        self._on_cancel: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run_id

    @property
    def deadline(self) -> int | None:
        """When the run's time is up, in microseconds."""
        return self.record.deadline

    @property
    def states(self) -> dict[str, dict[str, object]]:
        """The states of the run's workflows, by their paths."""
        return self.record.states

    @property
    def forked_at(self) -> str | None:
        """Of a fork: the path of the step that it begins with."""
        return self.record.forked_at

    @property
    def forked_input(self) -> str | None:
        """Of a fork: what that step is given."""
        return self.record.forked_input

    @property
    def finished_as(self) -> RunStatus:
        """The status that the commit after `finish` put on record."""
        return self._finished_as

    def find(self, path: str) -> Entry | None:
        """Return the latest attempt at `path`, or `None` if it was never started."""
        return self._entries.get(path)

    def start(self, path: str, step_id: str, kind: NodeKind, input: str | None) -> Entry:
        """Put the start of an attempt at `path`."""
        before = self._entries.get(path)
        self._order += 1
        entry = Entry(path, self._order, 1, "running", kind=kind)
        if before is not None:
            entry.attempt = before.attempt + 1
            entry.failures = before.failures
            entry.crashes = before.crashes
            self._open.pop(path, None)
        self._entries[path] = entry
        row = Row(entry, step_id, input, self._now())
        self._rows[entry.order] = row
        self._active[path] = row
        return entry

    def end(
        self,
        entry: Entry,
        status: StepStatus,
        output: str | None = None,
        error: str | None = None,
    ) -> None:
        """Put the end of an attempt, with the question and the state that its entry holds."""
        row = self._active.pop(entry.path, None) or self._open.pop(entry.path)
        self._order += 1
        row.ended = self._order
        entry.status = status
        entry.output = output
        entry.error = error
        row.finished_at = self._now()
        entry.crashes = 0
        if status == "failed":
            entry.failures += 1
        elif status == "suspended":
            self._open[entry.path] = row
        self._rows[entry.order] = row
        self._done += _counts(entry)

    def wait(self, entry: Entry) -> None:
        """Put that an attempt waits: until its `wake_at`, or to be told its `question`."""
        entry.status = "waiting"
        row = self._open[entry.path] = self._active.pop(entry.path)
        self._rows[entry.order] = row

    def go_on(self, entry: Entry) -> None:
        """Put that an attempt which waited is at work again."""
        entry.status = "running"
        row = self._active[entry.path] = self._open.pop(entry.path)
        self._rows[entry.order] = row

    def abandon(self, prefix: str) -> None:
        """Put the end of all that still waits, or asks, at a path that begins with `prefix`."""
        if not self._open:
            return
        for path in [path for path in self._open if path.startswith(prefix)]:
            self.end(self._entries[path], "interrupted")

    def progress(self, entry: Entry, progress: Progress) -> None:
        """Put how far an attempt is; written a few times a second. Called from any thread."""
        with self._progress_lock:
            is_first = not self._progress
            self._progress[entry.order] = progress
        if is_first:
            self._loop.call_soon_threadsafe(self.write_soon)

    def write_soon(self) -> None:
        """Have what was put on disk within a moment, also where nobody commits."""
        self._loop.call_later(PROGRESS_INTERVAL, self._write_rest)

    def finish(
        self,
        status: RunStatus,
        result: str | None = None,
        error: str | None = None,
        wake_at: int | None = None,
    ) -> None:
        """Put the run's end, or how it rests."""
        if status in ENDED:
            self.abandon("")
            self._order += 1
        self._ending = (status, result, error, wake_at)
        self._finished_as = status
        self.has_ended = True

    def answer(self, path: str, key: str) -> str | None:
        """Return the answer to the question of that key asked at `path`, as JSON."""
        return self.record.answers.get((path, key))

    def refuse_answer(self, path: str, key: str, reason: str) -> None:
        """Put that an answer does not fit, so that the question is open again."""
        self.record.answers.pop((path, key), None)
        self._refused.append((path, key, reason))

    def take_event(self, entry: Entry, name: str) -> str | None:
        """Take an event of that name, and return its payload.

        The earliest is for the wait that was opened first, wherever the walk comes to it.
        """
        if not self.record.events:
            return None
        before = self._waits_before(entry, name)
        events = [event for event in self.record.events if event[1] == name]
        if len(events) <= before:
            return None
        id, _, payload = events[before]
        self.record.events.remove(events[before])
        self._taken.append((entry.order, id))
        self._served.add(entry.order)
        return payload

    def _waits_before(self, entry: Entry, name: str) -> int:
        """Count the waits for an event that were opened before one, and have none yet."""
        opened = (row.entry for row in self._open.values())
        return sum(
            other.order < entry.order
            and other.order not in self._served
            and other.kind == "wait"
            and Question.from_json(other.path, cast("str", other.question)).key == name
            for other in opened
        )

    def open_questions(self) -> list[Question]:
        """Return what the run waits to be told, in the order of asking."""
        rows = sorted(self._open.values(), key=lambda row: row.ended or row.entry.order)
        waiting = [row.entry for row in rows]
        return [Question.from_json(e.path, e.question) for e in waiting if e.question is not None]

    def at_work(self) -> list[Entry]:
        """Return the attempts that are under way."""
        return [row.entry for row in self._active.values()]

    def listen(self, on_message: Callable[[], None], on_cancel: Callable[[], None]) -> None:
        """Call back when the run was told something, from this process or another one."""
        self._on_message, self._on_cancel = on_message, on_cancel
        self._listener.add(self)
        if self.record.cancel_requested:
            self._loop.call_soon(lambda: self.heard([]))

    def unlisten(self) -> None:
        """Hear nothing from here on."""
        self._on_message = self._on_cancel = None
        self._listener.remove(self)

    def heard(self, messages: list[sqlite3.Row]) -> None:
        """Take the messages to this run among all that the listener has read."""
        if self._on_message is None or self._on_cancel is None or self.key is None:
            return
        for message in messages:
            if message["run"] == self.key and message["id"] > self.record.last_message:
                hear(self.record, message)
        if messages:
            newest = cast("int", messages[-1]["id"])
            self.record.last_message = max(self.record.last_message, newest)
        if self.record.cancel_requested:
            self._on_cancel()
        else:
            self._on_message()

    async def commit(self) -> None:
        """Return once all that was put is on disk. Raises `Fenced` and `StorageError`."""
        if self._broken is not None:
            raise self._broken
        if self._rows or self._ending is not None or self._opening is not None:
            waiters = self._next_round()
        elif self._in_flight:
            waiters = self._in_flight[-1]
        else:
            return
        # A future for each waiter: one that is cancelled must not take the others with it.
        waiter = self._loop.create_future()
        waiters.append(waiter)
        await waiter

    def close(self) -> None:
        """Hear nothing and put nothing from here on: the walk is over, whatever came of it."""
        self.unlisten()
        if self._on_left is not None and (self._broken is not None or not self.has_ended):
            self._on_left(self._run_id, self._epoch)
        self.has_ended = True

    def _next_round(self) -> list[asyncio.Future[None]]:
        """Send at the end of this turn of the loop, with what the other arms put in it."""
        if self._waiters is None:
            self._waiters = []
            self._database.submit_soon(self._take, self._loop, self._settle)
        return self._waiters

    def _write_rest(self) -> None:
        if (self._progress or self._rows) and not self.has_ended:
            self._next_round()

    def _take(self) -> Work:
        if self._waiters is not None:
            self._in_flight.append(self._waiters)
            self._waiters = None
        return self._transaction()

    def _settle(self, _: object, error: BaseException | None) -> None:
        if error is not None:
            self._broken = error
        # They are settled in the order in which they were sent.
        for waiter in self._in_flight.popleft():
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

    def _transaction(self) -> Work:
        """Take all that was put; return the work that writes it."""
        rows, self._rows = self._rows, {}
        progress = self._take_progress(rows) if self._progress else {}
        work = Work(self.key, self._epoch, self._now(), self._order)
        work.at_work, work.done = self._at_work(), self._done
        for order, row in rows.items():
            row.put(work, progress.get(order))
            if row.entry.state is not None:
                work.states = self.record.states
        if self._taken or self._refused:
            work.taken, self._taken = self._taken, []
            work.refused, self._refused = self._refused, []
        work.heard = self.record.last_message
        if self._ending is not None:
            work.ending, self._ending = self._ending, None
            work.on_finish = self._set_finished_as
        if self.key is None:
            work.find_key = lambda: self.key
        if self._opening is not None:
            work.opening, self._opening = self._opening, None
            work.on_open = self._set_key
        return work

    def _take_progress(self, rows: dict[int, Row]) -> dict[int, Progress]:
        """Take what attempts at work have reported, and add their rows to those to write."""
        with self._progress_lock:
            progress, self._progress = self._progress, {}
        for row in self._active.values():
            if row.entry.order in progress:
                rows.setdefault(row.entry.order, row)
        return progress

    def _set_key(self, key: int, newest_message: int) -> None:
        self.key = key
        self.record.last_message = newest_message

    def _set_finished_as(self, status: RunStatus) -> None:
        self._finished_as = status

    def _at_work(self) -> str:
        if not self._active and not self._open:
            return "[]"
        if len(self._active) == 1 and not self._open:
            (row,) = self._active.values()
            return "[]" if row.entry.kind in CONTAINERS else f'["{row.entry.path}"]'
        paths = [r.entry.path for r in self._active.values() if r.entry.kind not in CONTAINERS]
        paths += [r.entry.path for r in self._open.values() if r.entry.kind not in CONTAINERS]
        # As JSON by hand: a path holds nothing that would need an escape.
        return '["' + '","'.join(paths[:SHOWN_PATHS]) + '"]' if paths else "[]"


def _counts(entry: Entry) -> bool:
    """Tell whether an entry is one more of the steps that a run gets done.

    A foreach and a loop count once, their items and iterations do not.
    """
    if entry.status != "success" or entry.kind in ("workflow", "parallel"):
        return False
    return "[" not in entry.path
