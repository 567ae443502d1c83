"""What a person does to workflows and runs, from whichever screen."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import SuspendNotSupported

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import RunEnded, UnknownPath, WrkflwError
from wrkflw_tui.tui import text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from wrkflw_tui.engine.models import Question, RunSummary, StepResult
    from wrkflw_tui.forms.fields import Schema
    from wrkflw_tui.store.catalog import CatalogEntry
    from wrkflw_tui.tui.app import WrkflwApp
    from wrkflw_tui.tui.log_lines import LogLines


COPIED = 10_000
"""Lines of a log that are copied at most: a terminal has to take them in."""


def schema_of(entry: CatalogEntry) -> Schema:
    """Read the schema of a workflow's input."""
    return cast("Schema", json.loads(entry.input_schema))


async def run_with_form(app: WrkflwApp, workflow_id: str) -> None:
    """Ask for the input, start the run and show it; without input it starts at once."""
    from wrkflw_tui.forms.fields import wants_input

    entry = app.known.workflow(workflow_id)
    if entry is None:
        app.complain(f"{workflow_id} is not in the folder any more")
        return
    if not wants_input(schema_of(entry)):
        await start(app, workflow_id, "null")
        return
    from wrkflw_tui.tui.screens.input_form import RunForm

    form = RunForm(
        f"Run {workflow_id}",
        schema_of(entry),
        about=entry.description,
        filled=entry.last_input,
    )
    given = await app.push_screen_wait(form)
    if given is not None:
        await start(app, workflow_id, given)


async def run_again(app: WrkflwApp, workflow_id: str) -> None:
    """Start a run with the last input; ask for it where there is none."""
    entry = app.known.workflow(workflow_id)
    if entry is None or entry.last_input is None:
        await run_with_form(app, workflow_id)
    else:
        await start(app, workflow_id, entry.last_input)


async def start(app: WrkflwApp, workflow_id: str, given: str) -> None:
    """Put a run on record and show it."""
    from wrkflw_tui.store import catalog, claims  # here and below: not needed for the first frame

    def work(connection: sqlite3.Connection) -> str:
        catalog.keep_input(connection, workflow_id, given)
        return claims.enqueue(connection, workflow_id, given, "app")

    run_id = await app.write(work)
    if run_id is not None:
        app.open_run(run_id)


def schema_in(question: Question) -> Schema:
    """Return the schema that the answer to a question has to fit."""
    return cast("Schema", question.schema)


async def answer(app: WrkflwApp, run_id: str, workflow_id: str, question: Question) -> None:
    """Ask for what a run waits to be told, and tell it."""
    from wrkflw_tui.store import messages
    from wrkflw_tui.tui.screens.input_form import AnswerForm

    is_event = question.kind == "event"
    form = AnswerForm(
        f"Event {question.key}" if is_event else f"Answer {question.path}",
        schema_in(question),
        about=f"{workflow_id} waits for it" if is_event else question.reason,
        detail="" if question.payload is None else text.pretty(json.dumps(question.payload)),
    )
    given = await app.push_screen_wait(form)
    if given is None:
        return

    def work(connection: sqlite3.Connection) -> None:
        if is_event:
            messages.send_event(connection, run_id, question.key, given, micros_now())
        else:
            path, key = question.path, question.key
            messages.answer(connection, run_id, path, key, given, micros_now())

    await app.write(work)


async def fork(app: WrkflwApp, run: RunSummary, step: StepResult) -> None:
    """Ask what a step is to be given, then start a new run with it over what came before."""
    entry = app.known.workflow(run.workflow_id)
    if entry is None:
        app.complain(f"{run.workflow_id} is not in the folder any more")
        return
    from wrkflw_tui.engine.ids import new_run_id
    from wrkflw_tui.store import forks

    given = await _fork_input(app, entry, step)
    if given is None:
        return
    # Left out, the step gets the value that the steps before it lead to.
    payload = None if given == "" or _is_same(given, step.input_json) else given
    new_id = new_run_id()
    definition = forks.Definition(
        entry.workflow_id, entry.graph, entry.definition_hash, entry.steps_total
    )

    def work(connection: sqlite3.Connection) -> str:
        at, now = step.path, micros_now()
        forks.fork(connection, run.run_id, at, definition, new_id, payload, "app", now)
        return new_id

    if await app.write(work) is not None:
        app.open_run(new_id)


async def _fork_input(app: WrkflwApp, entry: CatalogEntry, step: StepResult) -> str | None:
    """Return the input as JSON, empty where the step takes none, `None` where it is left."""
    from wrkflw_tui.forms.step_input import ask_step_input
    from wrkflw_tui.tui.screens.confirm import Confirm
    from wrkflw_tui.tui.screens.input_form import ForkForm

    about = "A new run takes over what came before this step, and begins here."
    try:
        schema = await asyncio.to_thread(
            ask_step_input, app.config.folder, entry.file, entry.workflow_id, step.path
        )
    except UnknownPath:  # a map, for example: it gets what is in hand
        answer = await app.push_screen_wait(Confirm(f"Fork from {step.path}?", about))
        return "" if answer == "yes" else None
    except WrkflwError as error:
        app.complain(str(error))
        return None
    form = ForkForm(f"Fork from {step.path}", schema, about=about, filled=step.input_json)
    return await app.push_screen_wait(form)


def _is_same(given: str, recorded: str | None) -> bool:
    return recorded is not None and json.loads(given) == json.loads(recorded)


async def repeat(app: WrkflwApp, run: RunSummary) -> None:
    """Start another run with the input of one on record."""
    from wrkflw_tui.store.runs import read_snapshot

    snapshot = await app.read(lambda c: read_snapshot(c, run.run_id))
    if snapshot is not None:
        await start(app, run.workflow_id, snapshot.input_json or "null")


async def cancel(app: WrkflwApp, runs: Sequence[RunSummary]) -> None:
    """Ask, then cancel runs."""
    from wrkflw_tui.store import claims
    from wrkflw_tui.tui.screens.confirm import Confirm

    if not runs:
        app.say("nothing is running there")
        return
    names = "\n".join(f"{run.workflow_id} #{text.short_id(run.run_id)}" for run in runs[:8])
    more = f"\nand {len(runs) - 8} more" if len(runs) > 8 else ""
    question = f"Cancel {text.count(len(runs), 'run')}?"
    detail = f"{names}{more}\n\nSteps that are done stay on record."
    if await app.push_screen_wait(Confirm(question, detail)) != "yes":
        return

    def work(connection: sqlite3.Connection) -> None:
        for run in runs:
            try:
                claims.request_cancel(connection, run.run_id)
            except RunEnded:
                continue  # it was quicker

    await app.write(work)


async def edit(app: WrkflwApp, path: Path, line: int | None = None) -> None:
    """Open a file in the person's editor."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _first("nano", "vim", "vi")
    if command is None:
        app.complain("no editor is set: set EDITOR to the one you like")
        return
    at = [f"+{line}"] if line and Path(shlex.split(command)[0]).name in _LINES else []
    await _outside(app, [*shlex.split(command), *at, str(path)])


async def page(app: WrkflwApp, content: str) -> None:
    """Open text in the person's pager."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        await _open_pager(app, file.name)


async def page_log(app: WrkflwApp, log: LogLines) -> None:
    """Open all that a run or a step has said in the person's pager."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:

        def write(connection: sqlite3.Connection) -> bool:
            file.writelines(f"{line}\n" for line in log.whole(connection))
            file.flush()
            return True

        if await app.read(write):
            await _open_pager(app, file.name)


async def _open_pager(app: WrkflwApp, file: str) -> None:
    command = os.environ.get("PAGER") or _first("less", "more")
    if command is None:
        app.complain("no pager is set: set PAGER to the one you like")
        return
    await _outside(app, [*shlex.split(command), file])


async def copy_log(app: WrkflwApp, log: LogLines) -> None:
    """Copy what a run or a step has said, or the end of it where that is much."""
    lines = await app.read(lambda c: deque(log.whole(c), maxlen=COPIED))
    if lines is not None:
        app.copy_to_clipboard("\n".join(lines))
        said = "logs copied" if len(lines) < COPIED else f"the last {COPIED:,} lines copied"
        app.say(said)


_LINES = {"vi", "vim", "nvim", "nano", "emacs", "micro", "kak", "hx"}


def _first(*names: str) -> str | None:
    return next((name for name in names if shutil.which(name)), None)


async def _outside(app: WrkflwApp, command: list[str]) -> None:
    try:
        with app.suspend():
            await asyncio.to_thread(subprocess.run, command, check=False)
    except SuspendNotSupported:
        app.complain("this terminal cannot hand the screen over to another program")
    except OSError as error:
        app.complain(f"cannot start {command[0]}: {error.strerror or error}")
    app.refresh()
