"""What runs print: stretches of lines, in order, told apart by stream and step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wrkflw_tui.engine.models import from_micros
from wrkflw_tui.store.file import next_revision

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines that one step wrote to one stream, one after the other."""

    stream: Stream
    path: str
    """The step that wrote them; empty where that is not known."""
    at: int
    """When the first of them came, in microseconds since the epoch."""
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogStretch:
    """A stretch as it is on record."""

    n: int
    """Its place in the order of the run's stretches, from 1."""
    stream: Stream
    path: str
    at: datetime
    lines: tuple[str, ...]


def append(connection: sqlite3.Connection, key: int, stretches: list[Stretch]) -> None:
    """Put stretches at the end of a run's log."""
    revision = next_revision(connection)
    last = connection.execute(
        "SELECT coalesce(max(n), 0) FROM wrkflw_run_logs WHERE run = ?", (key,)
    ).fetchone()[0]
    connection.executemany(
        "INSERT INTO wrkflw_run_logs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                key,
                n,
                stretch.stream,
                stretch.path,
                stretch.at,
                len(stretch.lines),
                "\n".join(stretch.lines),
                revision,
            )
            for n, stretch in enumerate(stretches, start=last + 1)
        ],
    )


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
    return [
        LogStretch(row["n"], row["stream"], row["path"], from_micros(row["at"]), _lines(row))
        for row in rows
    ]


def _lines(row: sqlite3.Row) -> tuple[str, ...]:
    return tuple(row["text"].split("\n"))
