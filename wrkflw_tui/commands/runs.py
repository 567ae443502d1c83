"""`wrkflw-tui runs`: the runs on record, newest first."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wrkflw_tui.commands.printing import Cell, print_json, print_table, say, status_cell
from wrkflw_tui.commands.record import reading
from wrkflw_tui.commands.shapes import run_shape
from wrkflw_tui.drawing.times import ago, exact, short_id
from wrkflw_tui.drawing.words import duration, one_line
from wrkflw_tui.store import runs as on_record

if TYPE_CHECKING:
    from wrkflw_tui.config import Config
    from wrkflw_tui.engine.models import RunStatus, RunSummary

HEAD = ("RUN", "WORKFLOW", "STATUS", "CREATED", "TOOK", "STEPS", "ERROR")
ERROR = len(HEAD) - 1


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs are meant."""

    workflow_id: str | None = None
    status: RunStatus | None = None
    since: datetime | None = None
    text: str | None = None
    limit: int = 20


def runs(config: Config, wanted: Filter, *, as_json: bool) -> int:
    """Print the runs that are meant."""
    with reading(config) as connection:
        found = on_record.list_runs(
            connection,
            wanted.workflow_id,
            wanted.status,
            wanted.since,
            text=wanted.text,
            limit=wanted.limit,
        )
    if as_json:
        print_json([run_shape(run) for run in found])
    elif found:
        now, short = datetime.now(UTC), sys.stdout.isatty()
        print_table(HEAD, [_row(run, now, short=short) for run in found], ERROR)
    else:
        say("no runs" if wanted == Filter(limit=wanted.limit) else "no such runs")
    return 0


def _row(run: RunSummary, now: datetime, *, short: bool) -> list[Cell | str]:
    took = ""
    if run.started_at is not None:
        took = duration(((run.finished_at or now) - run.started_at).total_seconds())
    steps = f"{run.steps_done}/{run.steps_total}" if run.steps_total else str(run.steps_done)
    return [
        short_id(run.run_id) if short else run.run_id,
        run.workflow_id,
        status_cell(run.status),
        ago(run.created_at, now) if short else exact(run.created_at),
        took,
        steps,
        Cell(one_line(str(run.error)) if run.error else "", "bad"),
    ]
