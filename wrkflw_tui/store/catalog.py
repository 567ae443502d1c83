"""The catalogue: what is in the automations folder, as the last look found it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.store.file import next_revision

if TYPE_CHECKING:
    import sqlite3

FileStatus = Literal["loading", "ok", "broken"]


@dataclass(frozen=True, slots=True)
class AutomationFile:
    """One file of the folder."""

    file: str
    """Its name within the folder."""
    size: int
    mtime_ns: int
    status: FileStatus
    error: str | None = None
    """What is wrong with it, in one line."""
    line: int | None = None
    """Where in the file, counted from 1, if that is known."""
    traceback: str | None = None
    imports: str = "{}"
    """What it imports of the folder, and how that was, as JSON."""

    @property
    def is_automation(self) -> bool:
        """Whether it is one with workflows in it; else it is the folder's settings."""
        return self.file.endswith(".py")


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One workflow of the folder."""

    workflow_id: str
    file: str
    description: str
    tags: tuple[str, ...]
    input_schema: str = field(repr=False)
    """JSON Schema, as text."""
    output_schema: str = field(repr=False)
    graph: str = field(repr=False)
    """The nodes as a JSON list: each with `kind`, `id`, and `nodes` where it holds others."""
    steps_total: int
    definition_hash: str
    last_input: str | None = field(default=None, repr=False)
    """The input that a person last gave it, as JSON text."""
    max_concurrent_runs: int | None = None
    """How many of its runs a worker walks at once."""


def record_file(
    connection: sqlite3.Connection, found: AutomationFile, workflows: list[CatalogEntry]
) -> None:
    """Put on record what a look at one file found; what it held before is replaced."""
    revision = next_revision(connection)
    kept = dict(
        connection.execute("SELECT workflow_id, last_input FROM wrkflw_workflows").fetchall()
    )
    connection.execute(
        f"INSERT OR REPLACE INTO wrkflw_automation_files ({_FILE}, checked_at, revision)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            found.file,
            found.size,
            found.mtime_ns,
            found.status,
            found.error,
            found.line,
            found.traceback,
            found.imports,
            micros_now(),
            revision,
        ),
    )
    connection.execute("DELETE FROM wrkflw_workflows WHERE file = ?", (found.file,))
    connection.executemany(
        f"INSERT OR REPLACE INTO wrkflw_workflows ({_COLUMNS}, revision)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                entry.workflow_id,
                entry.file,
                entry.description,
                json.dumps(entry.tags),
                entry.input_schema,
                entry.output_schema,
                entry.graph,
                entry.steps_total,
                entry.definition_hash,
                kept.get(entry.workflow_id),
                entry.max_concurrent_runs,
                revision,
            )
            for entry in workflows
        ],
    )


def forget_file(connection: sqlite3.Connection, file: str) -> None:
    """Take a file that is gone, and its workflows, off the catalogue; their runs stay."""
    next_revision(connection)
    connection.execute("DELETE FROM wrkflw_workflows WHERE file = ?", (file,))
    connection.execute("DELETE FROM wrkflw_automation_files WHERE file = ?", (file,))


def keep_input(connection: sqlite3.Connection, workflow_id: str, input: str) -> None:
    """Remember the input that a person gave, for the next time."""
    connection.execute(
        "UPDATE wrkflw_workflows SET last_input = ?, revision = ? WHERE workflow_id = ?",
        (input, next_revision(connection), workflow_id),
    )


def list_files(connection: sqlite3.Connection) -> list[AutomationFile]:
    """Return every file of the folder, by name."""
    rows = connection.execute(f"SELECT {_FILE} FROM wrkflw_automation_files ORDER BY file")
    return [AutomationFile(*row) for row in rows]


def list_workflows(connection: sqlite3.Connection) -> list[CatalogEntry]:
    """Return every workflow of the folder, by id."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM wrkflw_workflows ORDER BY workflow_id")
    return [_entry(row) for row in rows]


def find_workflow(connection: sqlite3.Connection, workflow_id: str) -> CatalogEntry | None:
    """Return the workflow of that id, if the folder holds it."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM wrkflw_workflows WHERE workflow_id = ?", (workflow_id,)
    ).fetchone()
    return None if row is None else _entry(row)


def file_of(connection: sqlite3.Connection, workflow_id: str) -> str | None:
    """Return the file that holds the workflow of that id, if the folder has it."""
    row = connection.execute(
        "SELECT file FROM wrkflw_workflows WHERE workflow_id = ?", (workflow_id,)
    ).fetchone()
    return None if row is None else cast("str", row["file"])


def catalog_revision(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return a value that differs whenever the catalogue has changed."""
    row = connection.execute(
        "SELECT coalesce(max(revision), 0), count(*) FROM wrkflw_automation_files"
    ).fetchone()
    newest = connection.execute("SELECT coalesce(max(revision), 0) FROM wrkflw_workflows")
    return max(row[0], newest.fetchone()[0]), row[1]


_FILE = "file, size, mtime_ns, status, error, line, traceback, imports"
_COLUMNS = (
    "workflow_id, file, description, tags, input_schema, output_schema, graph, steps_total,"
    " definition_hash, last_input, max_concurrent_runs"
)


def _entry(row: sqlite3.Row) -> CatalogEntry:
    return CatalogEntry(
        workflow_id=row["workflow_id"],
        file=row["file"],
        description=row["description"],
        tags=tuple(cast("list[str]", json.loads(row["tags"]))),
        input_schema=row["input_schema"],
        output_schema=row["output_schema"],
        graph=row["graph"],
        steps_total=row["steps_total"],
        definition_hash=row["definition_hash"],
        last_input=row["last_input"],
        max_concurrent_runs=row["max_concurrent_runs"],
    )
