"""`wrkflw-tui graph`: a workflow as a drawing, or a run of it as far as it is."""

from __future__ import annotations

import asyncio
import difflib
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wrkflw_tui.drawing.definition import read
from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.drawing.mermaid import mermaid
from wrkflw_tui.drawing.state import states
from wrkflw_tui.drawing.text import draw
from wrkflw_tui.drawing.words import cut, duration, one_line
from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.store import catalog, runs
from wrkflw_tui.store.file import connect, prepare

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.config import Config
    from wrkflw_tui.engine.models import WorkflowSnapshot
    from wrkflw_tui.store.catalog import AutomationFile, CatalogEntry

NAMED = 8
"""How many ids an error names at most."""


class UnknownId(WrkflwError):
    """There is no such workflow and no such run, or more than one."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is drawn."""

    title: str
    graph: str | None
    run: WorkflowSnapshot | None = None


def graph(config: Config, id: str, width: int | None, *, as_mermaid: bool) -> int:
    """Print the drawing of a workflow or a run; raises `UnknownId` where there is none."""
    now = datetime.now(UTC)
    subject = _from_record(config, id, now) or _from_folder(config, id)
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


# -- on record


def _from_record(config: Config, id: str, now: datetime) -> _Subject | None:
    """Look a workflow, then a run up. A look leaves no record where there is none."""
    if not config.database.exists():
        return None
    prepare(config.database)
    connection = connect(config.database, read_only=True)
    try:
        entry = catalog.find_workflow(connection, id)
        if entry is not None and _is_fresh(connection, config.folder, entry):
            return _workflow(entry)
        run_id = None if entry is not None or not id else _find_run(connection, id)
        if run_id is None:
            return None
        return _run(connection, runs.read_snapshot(connection, run_id), now)
    finally:
        connection.close()


def _is_fresh(connection: sqlite3.Connection, folder: Path, entry: CatalogEntry) -> bool:
    """Tell whether the file still is as it was when the catalogue looked at it."""
    known = {file.file: file for file in catalog.list_files(connection)}.get(entry.file)
    try:
        stat = (folder / entry.file).stat()
    except OSError:
        return False
    return known is not None and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns)


def _find_run(connection: sqlite3.Connection, id: str) -> str | None:
    """Return the one run whose id is, begins or ends so: lists show how an id ends."""
    rows = connection.execute(
        "SELECT run_id, workflow_id FROM wrkflw_workflow_runs WHERE run_id = :id"
        " OR substr(run_id, 1, length(:id)) = :id OR substr(run_id, -length(:id)) = :id"
        " ORDER BY run_id = :id DESC, id DESC LIMIT :most",
        {"id": id, "most": NAMED + 1},
    ).fetchall()
    if len(rows) > 1 and rows[0]["run_id"] != id:
        found = [f"{row['run_id']} ({row['workflow_id']})" for row in rows[:NAMED]]
        more = ["and more"] if len(rows) > NAMED else []
        raise UnknownId(f"several runs have {id!r} in their ids: {', '.join(found + more)}")
    return rows[0]["run_id"] if rows else None


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


# -- in the folder


def _from_folder(config: Config, id: str) -> _Subject:
    """Look at the folder itself: the catalogue has never seen it, or it has changed since."""
    workflows, files = asyncio.run(_look(config.folder))
    for entry in workflows:
        if entry.workflow_id == id:
            return _workflow(entry)
    raise UnknownId(_unknown(config.folder, id, workflows, files))


async def _look(folder: Path) -> tuple[list[CatalogEntry], list[AutomationFile]]:
    from wrkflw_tui.store.database import Database
    from wrkflw_tui.worker.catalogue import Catalogue

    # A record of its own, thrown away: looking must not change what the app shows.
    with tempfile.TemporaryDirectory() as own:
        database = Database(Path(own) / "graph.db")
        try:
            await Catalogue(folder, database).refresh()
            workflows = await database.read(catalog.list_workflows)
            return workflows, await database.read(catalog.list_files)
        finally:
            await database.close()


def _workflow(entry: CatalogEntry) -> _Subject:
    title = f"{entry.workflow_id}  {one_line(entry.description)}".rstrip()
    return _Subject(title, entry.graph)


def _unknown(
    folder: Path, id: str, workflows: list[CatalogEntry], files: list[AutomationFile]
) -> str:
    """Say that there is no such id, and which come near."""
    ids = [entry.workflow_id for entry in workflows]
    near = difflib.get_close_matches(id, ids, NAMED, 0.5)
    near += [other for other in ids if id.lower() in other.lower() and other not in near]
    said = f"there is no workflow and no run {id!r}"
    if near:
        said += f"; near it are {', '.join(near[:NAMED])}"
    elif ids:
        more = ", …" if len(ids) > NAMED else ""
        said += f"; the workflows in {folder} are {', '.join(ids[:NAMED])}{more}"
    else:
        said += f", and no workflow in {folder}"
    broken = [file.file for file in files if file.status == "broken"]
    if broken:
        said += f" ({', '.join(broken[:NAMED])} cannot be read: see `wrkflw-tui check`)"
    return said
