"""The details of a workflow or of a file, as text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from textual.content import Content

from wrkflw_tui.forms.fields import MISSING, WHOLE, Field, as_text, fields_of
from wrkflw_tui.tui import text
from wrkflw_tui.tui.graph import chain
from wrkflw_tui.tui.widgets.page import say

if TYPE_CHECKING:
    from wrkflw_tui.engine.models import RunSummary
    from wrkflw_tui.forms.fields import Schema
    from wrkflw_tui.store.catalog import AutomationFile, CatalogEntry
    from wrkflw_tui.tui.known import Known, ScheduleState

SAMPLE = """\
from wrkflw_tui import create_workflow, step

@step
def greet(name: str) -> str:
    return f"Hello, {name}!"

hello = create_workflow(id="hello", input_schema=str, output_schema=str).then(greet).commit()
"""


def of_workflow(entry: CatalogEntry, known: Known, now: datetime) -> Content:
    """Say what a workflow does, when, with what, and how it went."""
    parts: list[Content] = []
    if entry.description:
        parts += [say(entry.description), Content("")]
    parts += [*_headed("steps", say(chain(entry.graph))), Content("")]
    states = known.schedules_of(entry.workflow_id)
    if states:
        parts += [*_headed("schedules", *(_schedule(state, now) for state in states)), Content("")]
    parts += [*_headed("input", *_input(entry)), Content("")]
    history = known.history.get(entry.workflow_id, [])
    lines = [_run(run, now) for run in history[:5]] or [say("none yet: r runs it", "muted")]
    parts += [*_headed("last runs", *lines), Content("")]
    tags = f"  {' '.join('#' + tag for tag in entry.tags)}" if entry.tags else ""
    parts += _headed("file", say(entry.file + tags))
    return _lines(parts)


def of_file(file: AutomationFile) -> Content:
    """Say what is wrong with a file."""
    if file.status == "loading":
        return say("It is being read.", "muted")
    where = f"line {file.line}" if file.line else "somewhere"
    parts = [say(file.error or "It cannot be read.", "bad"), Content("")]
    parts += [*_headed("where", say(f"{file.file}, {where}")), Content("")]
    parts += [say("e opens it in your editor; it is read again when it changes.", "muted")]
    if file.traceback:
        parts += [Content(""), *_headed("traceback", say(file.traceback))]
    return _lines(parts)


def of_empty_folder(folder: str) -> Content:
    """Say where automations belong, and how to make one."""
    return _lines(
        [
            say("This folder holds no automation yet:"),
            say(folder, "accent"),
            Content(""),
            say("Put a Python file there, such as hello.py, and it appears here by itself:"),
            Content(""),
            *(say(f"    {line}", "muted") for line in SAMPLE.splitlines()),
        ]
    )


def of_unread_folder(files: int) -> Content:
    """Say that the folder is about to be read."""
    return _lines(
        [
            say(f"The folder holds {text.count(files, 'file')}, not read yet."),
            say("The background worker reads them; they appear here by themselves.", "muted"),
        ]
    )


def nothing_found(wanted: str) -> Content:
    """Say that the filter leaves nothing."""
    return _lines([say(f"Nothing matches “{wanted}”."), say("esc clears the filter.", "muted")])


def _lines(parts: list[Content]) -> Content:
    return Content("\n").join(parts)


def _headed(title: str, *lines: Content) -> list[Content]:
    return [say(title, "muted"), *(Content("  ") + line for line in lines)]


def _schedule(state: ScheduleState, now: datetime) -> Content:
    row = state.row
    words = state.words
    content = say(f"{row.timing}  ", "accent") + say(words)
    if row.paused:
        return content + say("  paused", "wait")
    if row.next_at is None:
        return content + say("  never fires", "bad")
    instant = datetime.fromtimestamp(row.next_at, UTC)
    return content + say(f"  next {text.clock(instant, now)}", "muted")


def _input(entry: CatalogEntry) -> list[Content]:
    schema = cast("Schema", json.loads(entry.input_schema))
    fields = fields_of(schema)
    if not fields:
        return [say("none", "muted")]
    return [_field(wanted) for wanted in fields]


def _field(wanted: Field) -> Content:
    name = f"{wanted.name}: " if wanted.name != WHOLE else ""
    content = say(name) + say(wanted.type_name, "accent")
    if wanted.default is not MISSING:
        content += say(f" = {text.cut(as_text(wanted.default), 30)}", "muted")
    return content


def _run(run: RunSummary, now: datetime) -> Content:
    glyph, word, role = text.mark(run.status)
    took = ""
    if run.started_at is not None:
        took = text.duration(((run.finished_at or now) - run.started_at).total_seconds())
    line = say(f"{glyph} ", role) + say(word.ljust(10), role) + say(took.rjust(8))
    return line + say(f"  {text.ago(run.created_at, now)}", "muted")
