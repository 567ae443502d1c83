"""`wrkflw-tui graph`: a workflow as a drawing, or a run of it as far as it is."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrkflw_tui.commands.looking import look
from wrkflw_tui.commands.record import reading
from wrkflw_tui.drawing.definition import read
from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.drawing.mermaid import mermaid
from wrkflw_tui.drawing.state import states
from wrkflw_tui.drawing.text import draw
from wrkflw_tui.drawing.words import cut, duration, one_line
from wrkflw_tui.engine.errors import RunNotFound, WrkflwError
from wrkflw_tui.store import catalog, runs

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from wrkflw_tui.config import Config
    from wrkflw_tui.engine.models import WorkflowSnapshot
    from wrkflw_tui.store.catalog import CatalogEntry


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is drawn."""

    title: str
    graph: str | None
    run: WorkflowSnapshot | None = None


def graph(config: Config, id: str, width: int | None, *, as_mermaid: bool) -> int:
    """Print the drawing of a workflow or a run; raises `UnknownId` or `AmbiguousRun`."""
    now = datetime.now(UTC)
    subject = _from_record(config, id, now) or _workflow(
        look(config).find(id, "workflow and no run")
    )
    nodes = read(subject.graph)
    if not nodes:
        raise WrkflwError(f"the definition of {id} is not on record: nothing to draw")
    # A queued run has no results: it is drawn as a run all the same.
    stands = None if subject.run is None else states(nodes, subject.run.step_results, now)
    if as_mermaid:
        print(mermaid(nodes, stands), end="")
        return 0
    room = width or shutil.get_terminal_size((80, 24)).columns
    print(cut(subject.title, room), draw(nodes, room, stands), sep="\n\n")
    return 0


def _from_record(config: Config, id: str, now: datetime) -> _Subject | None:
    """Look a workflow, then a run up. A look leaves no record where there is none."""
    with reading(config) as connection:
        entry = catalog.find_workflow(connection, id)
        if entry is not None:
            return _workflow(entry) if _is_fresh(connection, config.folder, entry) else None
        try:
            run_id = runs.find_run(connection, id)
        except RunNotFound:
            return None
        return _run(connection, runs.read_snapshot(connection, run_id), now)


def _is_fresh(connection: sqlite3.Connection, folder: Path, entry: CatalogEntry) -> bool:
    """Tell whether the file still is as it was when the catalogue looked at it."""
    known = {file.file: file for file in catalog.list_files(connection)}.get(entry.file)
    try:
        stat = (folder / entry.file).stat()
    except OSError:
        return False
    return known is not None and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns)


def _run(connection: sqlite3.Connection, snapshot: WorkflowSnapshot, now: datetime) -> _Subject:
    run = snapshot.run
    glyph, word, _ = mark(run.status)
    took = ""
    if run.started_at is not None:
        took = f" {duration(((run.finished_at or now) - run.started_at).total_seconds())}"
    graph = snapshot.graph_json
    if graph is None:  # nobody has begun it yet: it will run what the catalogue has
        entry = catalog.find_workflow(connection, run.workflow_id)
        graph = None if entry is None else entry.graph
    return _Subject(f"{run.workflow_id}  {glyph} {word}{took}  {run.run_id}", graph, snapshot)


def _workflow(entry: CatalogEntry) -> _Subject:
    title = f"{entry.workflow_id}  {one_line(entry.description)}".rstrip()
    return _Subject(title, entry.graph)
