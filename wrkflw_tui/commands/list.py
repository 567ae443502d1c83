"""`wrkflw-tui list`: the workflows of the folder, and what is wrong with its files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrkflw_tui.commands.looking import look
from wrkflw_tui.commands.printing import Cell, print_json, print_table, say, status_cell
from wrkflw_tui.commands.record import reading
from wrkflw_tui.commands.shapes import Shape, run_shape
from wrkflw_tui.drawing.times import ago, clock
from wrkflw_tui.drawing.words import count, one_line
from wrkflw_tui.store import runs, schedules

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.commands.looking import Folder
    from wrkflw_tui.config import Config
    from wrkflw_tui.engine.models import RunSummary
    from wrkflw_tui.store.catalog import AutomationFile, CatalogEntry

HEAD = ("WORKFLOW", "STATUS", "LAST RUN", "NEXT RUN", "DESCRIPTION")
DESCRIPTION = len(HEAD) - 1


@dataclass(frozen=True, slots=True)
class Listed:
    """A workflow of the folder, with its last and next runs."""

    entry: CatalogEntry
    last: RunSummary | None
    next_at: datetime | None


def list_workflows(config: Config, *, as_json: bool) -> int:
    """Print the workflows with their last and next runs; returns 0, files broken or not."""
    folder = look(config)
    with reading(config) as connection:
        found = with_runs(connection, folder)
    if as_json:
        print_json(folder_shape(folder, found))
        return 0
    now = datetime.now(UTC)
    if found:
        print_table(HEAD, [_row(workflow, now) for workflow in found], DESCRIPTION)
    elif not config.folder.is_dir():
        say(f"there is no folder {config.folder}: `wrkflw-tui init` makes one to start from")
        return 1
    elif not any(file.is_automation for file in folder.files):
        say(f"no automations in {config.folder}: `wrkflw-tui init` writes a first one")
    for file in folder.broken:
        say(_broken(file))
    if folder.broken:
        say(f"{count(len(folder.broken), 'file')} cannot be read: see `wrkflw-tui check`")
    return 0


def with_runs(connection: sqlite3.Connection, folder: Folder) -> list[Listed]:
    """Return the folder's workflows with their last and next runs."""
    due = _due(connection)
    return [_workflow(connection, entry, due) for entry in folder.workflows]


def _due(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the next due instant of each workflow that has one."""
    due: dict[str, int] = {}
    for row in schedules.list_schedules(connection):
        if row.next_at is not None and not row.paused:
            due[row.workflow_id] = min(row.next_at, due.get(row.workflow_id, row.next_at))
    return due


def _workflow(connection: sqlite3.Connection, entry: CatalogEntry, due: dict[str, int]) -> Listed:
    last = runs.list_runs(connection, entry.workflow_id, limit=1)
    next_at = due.get(entry.workflow_id)
    return Listed(
        entry,
        last[0] if last else None,
        None if next_at is None else datetime.fromtimestamp(next_at, UTC),
    )


def _row(workflow: Listed, now: datetime) -> list[Cell | str]:
    last = workflow.last
    return [
        workflow.entry.workflow_id,
        Cell("never run", "muted") if last is None else status_cell(last.status),
        "" if last is None else ago(last.created_at, now),
        "" if workflow.next_at is None else clock(workflow.next_at, now),
        workflow.entry.description,
    ]


def _broken(file: AutomationFile) -> str:
    where = f" line {file.line}:" if file.line else ""
    return f"✗ {file.file}:{where} {one_line(file.error or '')}"


def folder_shape(folder: Folder, found: list[Listed]) -> Shape:
    """Return what the folder holds, and what is wrong with its files."""
    return {
        "folder": str(folder.path),
        "workflows": [_workflow_shape(workflow) for workflow in found],
        "broken": [
            {
                "file": file.file,
                "error": file.error,
                "line": file.line,
                "traceback": file.traceback,
            }
            for file in folder.broken
        ],
    }


def _workflow_shape(workflow: Listed) -> Shape:
    entry = workflow.entry
    return {
        "workflow_id": entry.workflow_id,
        "file": entry.file,
        "description": entry.description,
        "tags": list(entry.tags),
        "steps_total": entry.steps_total,
        "input_schema": json.loads(entry.input_schema),
        "output_schema": json.loads(entry.output_schema),
        "last_run": None if workflow.last is None else run_shape(workflow.last),
        "next_run_at": None if workflow.next_at is None else workflow.next_at.isoformat(),
    }
