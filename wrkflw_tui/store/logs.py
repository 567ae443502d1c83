"""What runs print: stretches of lines, in order, told apart by stream and step."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from wrkflw_tui.engine.models import from_micros
from wrkflw_tui.store.file import next_revision

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from datetime import datetime

Stream = Literal["stdout", "stderr"]

LIMIT = 64 * 1024 * 1024
"""Bytes of a run's log that are kept unless another limit is given."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines that one step wrote to one stream, one after the other."""

    stream: Stream
    path: str
    """The step that wrote them; empty where that is not known."""
    at: int
    """When the first of them came, in microseconds since the epoch."""
    lines: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many characters its lines have."""
        return sum(map(len, self.lines)) + len(self.lines)


@dataclass(frozen=True, slots=True)
class LogStretch:
    """A stretch as it is on record."""

    n: int
    """Its place in the order of the run's stretches, from 1."""
    stream: Stream
    path: str
    at: datetime
    lines: tuple[str, ...]


def append(
    connection: sqlite3.Connection, key: int, stretches: list[Stretch], limit: int = LIMIT
) -> None:
    """Put stretches at the end of a run's log; beyond `limit` bytes its middle goes.

    The first half of the limit stays for good. Of what comes after it the oldest goes, and one line
    in its place says how much went.
    """
    revision = next_revision(connection)
    last = connection.execute(
        "SELECT coalesce(max(n), 0) FROM wrkflw_run_logs WHERE run = ?", (key,)
    ).fetchone()[0]
    row = connection.execute(
        "SELECT kept, head, dropped_lines, dropped_size FROM wrkflw_log_sizes WHERE run = ?", (key,)
    ).fetchone()
    size = _Size(*row) if row is not None else _Size()
    if size.head is not None:
        last = max(last, size.head + 1)
    rows: list[tuple[object, ...]] = []
    for stretch in stretches:
        last += 1
        text = "\n".join(stretch.lines)
        rows.append((last, stretch.stream, stretch.path, stretch.at, len(stretch.lines), text))
        size.kept += len(text.encode())
        if size.head is None and size.kept > limit // 2:
            size.head = last
            last += 1  # left free for the line that says what went
    if any("\0" in stretch_text for *_, stretch_text in cast("list[tuple[str, ...]]", rows)):
        # SQLite's JSON ends a text at a NUL.
        connection.executemany(_INSERT_ONE, [(key, revision, *row) for row in rows])
    else:
        # One statement for all rows: between two a thread that is busy would hold up everybody.
        connection.execute(_INSERT, (key, revision, json.dumps(rows)))
    if size.kept > limit and size.head is not None:
        _drop(connection, key, size, limit, revision)
    connection.execute(
        "INSERT OR REPLACE INTO wrkflw_log_sizes VALUES (?, ?, ?, ?, ?)",
        (key, size.kept, size.head, size.dropped_lines, size.dropped_size),
    )


@dataclass(slots=True)
class _Size:
    kept: int = 0
    head: int | None = None
    dropped_lines: int = 0
    dropped_size: int = 0


_INSERT = """\
INSERT INTO wrkflw_run_logs (run, n, stream, path, at, lines, text, revision)
SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, ?2
  FROM json_each(?3)"""


_INSERT_ONE = """\
INSERT INTO wrkflw_run_logs (run, revision, n, stream, path, at, lines, text)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


def _drop(connection: sqlite3.Connection, key: int, size: _Size, limit: int, revision: int) -> None:
    """Delete the oldest stretches after the head, until the rest fits."""
    place = cast("int", size.head) + 1
    newest = connection.execute(
        "SELECT max(n) FROM wrkflw_run_logs WHERE run = ?", (key,)
    ).fetchone()[0]
    last = None
    for n, lines, length in connection.execute(
        "SELECT n, lines, length(CAST(text AS BLOB)) FROM wrkflw_run_logs"
        " WHERE run = ? AND n > ? AND n < ? ORDER BY n",
        (key, place, newest),
    ):
        if size.kept <= limit:
            break
        last = n
        size.kept -= length
        size.dropped_lines += lines
        size.dropped_size += length
    if last is None:
        return
    connection.execute(
        "DELETE FROM wrkflw_run_logs WHERE run = ? AND n > ? AND n <= ?", (key, place, last)
    )
    at = connection.execute(
        "SELECT at FROM wrkflw_run_logs WHERE run = ? AND n > ? ORDER BY n LIMIT 1", (key, last)
    ).fetchone()[0]
    connection.execute(
        "INSERT OR REPLACE INTO wrkflw_run_logs VALUES (?, ?, 'stderr', '', ?, 1, ?, ?)",
        (key, place, at, _gap(size), revision),
    )


def _gap(size: _Size) -> str:
    lines = "1 line" if size.dropped_lines == 1 else f"{size.dropped_lines:,} lines"
    megabytes = size.dropped_size / 1024 / 1024
    return f"… {lines} ({megabytes:,.1f} MB) not kept here: the log grew beyond max_log_mb …"


def read_log(
    connection: sqlite3.Connection, run_id: str, after: int = 0, limit: int = 1000
) -> list[LogStretch]:
    """Return a run's stretches after the one numbered `after`, in order."""
    rows = connection.execute(
        "SELECT n, stream, path, at, text FROM wrkflw_run_logs"
        " WHERE run = (SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?) AND n > ?"
        " ORDER BY n LIMIT ?",
        (run_id, after, limit),
    )
    return [_stretch(row) for row in rows]


def _stretch(row: sqlite3.Row) -> LogStretch:
    lines = tuple(cast("str", row["text"]).split("\n"))
    return LogStretch(row["n"], row["stream"], row["path"], from_micros(row["at"]), lines)


_OF_RUN = """\
  FROM wrkflw_run_logs
 WHERE run = (SELECT id FROM wrkflw_workflow_runs WHERE run_id = :run_id) AND n > :after
   AND (:path = '' OR path = :path
        OR substr(path, 1, length(:path) + 1) IN (:path || '/', :path || '['))"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many lines the stretches of a log have, without their text."""

    stretches: list[tuple[int, int]]
    """The number and the lines of each, in order."""
    dropped: int
    """Lines that had to go so far: when that changes, earlier stretches are gone too."""


def read_sizes(connection: sqlite3.Connection, run_id: str, path: str, after: int) -> Sizes:
    """Return the sizes of the stretches after one, of a step and what is below it, or of all."""
    given = {"run_id": run_id, "path": path, "after": after}
    rows = connection.execute(f"SELECT n, lines {_OF_RUN} ORDER BY n", given)
    stretches = [(row["n"], row["lines"]) for row in rows]
    row = connection.execute(
        "SELECT dropped_lines FROM wrkflw_log_sizes"
        " WHERE run = (SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?)",
        (run_id,),
    ).fetchone()
    return Sizes(stretches, 0 if row is None else row["dropped_lines"])


def has_any(connection: sqlite3.Connection, run_id: str) -> bool:
    """Tell whether a run has said anything."""
    row = connection.execute(
        f"SELECT 1 {_OF_RUN} LIMIT 1", {"run_id": run_id, "path": "", "after": 0}
    ).fetchone()
    return cast("object", row) is not None


def read_stretches(
    connection: sqlite3.Connection, run_id: str, path: str, first: int, last: int
) -> list[LogStretch]:
    """Return the stretches numbered from `first` to `last`, as `read_sizes` counts them."""
    given = {"run_id": run_id, "path": path, "after": first - 1, "last": last}
    rows = connection.execute(
        f"SELECT n, stream, path, at, text {_OF_RUN} AND n <= :last ORDER BY n", given
    )
    return [_stretch(row) for row in rows]


def read_texts(
    connection: sqlite3.Connection, run_id: str, path: str, after: int
) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each stretch after one."""
    given = {"run_id": run_id, "path": path, "after": after}
    for row in connection.execute(f"SELECT n, text {_OF_RUN} ORDER BY n", given):
        yield row["n"], row["text"]
