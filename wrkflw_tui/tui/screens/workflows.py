"""The workflows of the folder: how each stands, what it does, and what can be done with it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from wrkflw_tui.tui import deeds, text
from wrkflw_tui.tui.known import HISTORY, soonest
from wrkflw_tui.tui.screens import workflow_detail as detail
from wrkflw_tui.tui.screens.place import Place
from wrkflw_tui.tui.widgets.page import Page
from wrkflw_tui.tui.widgets.rows import Cell, Column, Row, Rows, cell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from textual.widget import Widget

    from wrkflw_tui.engine.models import RunSummary
    from wrkflw_tui.store.catalog import AutomationFile, CatalogEntry
    from wrkflw_tui.tui.known import Change

FILE = "file:"
"""Begins the key of a row that stands for a file, not for a workflow."""

COLUMNS = (
    Column("  name"),
    Column("last", 12),
    Column("next", 12, needs=46),
    Column(f"{HISTORY} runs", HISTORY, needs=56),
)


class WorkflowsScreen(Place):
    """The folder's workflows, with the details of one."""

    PLACE = "workflows"
    CSS_PATH = "workflows.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "run", "Run", id="workflows.run"),
        Binding("R", "again", "Again", id="workflows.again", tooltip="Run with the last input"),
        Binding("s", "schedule", "Schedule", id="workflows.schedule"),
        Binding("x", "cancel", "Stop", id="workflows.cancel", tooltip="Cancel its active runs"),
        Binding("e", "edit", "Edit", id="workflows.edit", tooltip="Open its file in $EDITOR"),
    ]

    _unread = 0
    """How many files the folder holds that nobody has read yet."""

    def body(self) -> Iterable[Widget]:
        """A list and the details of its row."""
        rows = Rows(COLUMNS, id="rows")
        panel = Vertical(rows, id="list", classes="panel")
        panel.border_title = "Workflows"
        page = Page(id="detail", classes="panel")
        yield Horizontal(panel, page, id="body")

    def on_mount(self) -> None:
        """Keep relative times true."""
        self.every(10)
        self.query_one(Rows).focus()

    def record_changed(self, change: Change | None) -> None:
        """Show what changed."""
        self.show_rows()
        self._show_detail()

    # -- drawing

    def show_rows(self) -> None:
        """Draw the list."""
        now = self.host.clock()
        found = self.known.catalog
        rows = [
            self._workflow_row(entry, now)
            for entry in found.workflows
            if self.matches(entry.workflow_id, entry.description, entry.file, *entry.tags)
        ]
        rows += [
            _file_row(file)
            for file in found.files
            if file.status != "ok" and self.matches(file.file, file.error or "")
        ]
        table = self.query_one(Rows)
        table.show(rows)
        total = len(found.workflows)
        panel = self.query_one("#list")
        panel.border_subtitle = f"{len(rows)} of {total}" if self.filter_text else ""
        is_empty = all(file.status == "ok" and not file.is_automation for file in found.files)
        self._show_emptiness(self.known.loaded and is_empty)

    def _show_emptiness(self, is_empty: bool) -> None:
        if is_empty == self.has_class("-empty"):
            return
        self.set_class(is_empty, "-empty")
        if is_empty:
            self.host.do(self._look_into_folder())
        else:
            self.call_after_refresh(self.query_one(Rows).focus)  # who is hidden loses the focus

    async def _look_into_folder(self) -> None:
        """Tell an empty folder from one that the worker has yet to read."""
        self._unread = await asyncio.to_thread(_automations_in, self.host.config.folder)
        self._show_detail()

    def _workflow_row(self, entry: CatalogEntry, now: datetime) -> Row:
        history = self.known.history.get(entry.workflow_id, [])
        latest = history[0] if history else None
        glyph, _, role = text.mark(latest.status if latest else "")
        return Row(
            entry.workflow_id,
            (
                ((f"{glyph} ", role), (entry.workflow_id, "")),
                _last(latest, now),
                self._next(entry.workflow_id, now),
                _history(history, now),
            ),
        )

    def _next(self, workflow_id: str, now: datetime) -> Cell:
        states = self.known.schedules_of(workflow_id)
        instant = soonest(states)
        if instant is None:
            return cell("paused" if states else "—", "muted")
        return cell(text.clock(datetime.fromtimestamp(instant, UTC), now))

    def _show_detail(self) -> None:
        page = self.query_one(Page)
        key = self.query_one(Rows).key
        if key is None:
            title, content = self._nothing()
        elif key.startswith(FILE):
            file = self._file(key.removeprefix(FILE))
            if file is None:
                return
            title, content = file.file, detail.of_file(file)
        else:
            entry = self.known.workflow(key)
            if entry is None:
                return
            title, content = key, detail.of_workflow(entry, self.known, self.host.clock())
        page.border_title = text.one_line(title)
        page.show(content)

    def _nothing(self) -> tuple[str, detail.Content]:
        if self.filter_text:
            return "Nothing found", detail.nothing_found(self.filter_text)
        if self.known.problem:
            return "The record cannot be read", detail.say(self.known.problem, "bad")
        if not self.known.loaded:
            return "", detail.Content("")
        if self._unread:
            return "Automations", detail.of_unread_folder(self._unread)
        return "No automations yet", detail.of_empty_folder(str(self.host.config.folder))

    def on_rows_moved(self) -> None:
        """Show the details of the row, and the keys that work there."""
        self._show_detail()
        self.query_one(Page).scroll_home(animate=False)
        self.refresh_bindings()

    # -- doing

    @property
    def chosen(self) -> str | None:
        """The workflow under the cursor."""
        key = self.query_one(Rows).key
        return None if key is None or key.startswith(FILE) else key

    def _file(self, name: str) -> AutomationFile | None:
        return next((file for file in self.known.catalog.files if file.file == name), None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with this row."""
        if action in ("run", "again", "schedule", "cancel") and self.is_mounted:
            rows = self.query_one_optional(Rows)
            if rows is None or self.chosen is None:
                return False
            if action == "cancel":
                return bool(self.known.active(self.chosen))
        return True

    def on_rows_opened(self) -> None:
        """Open the latest run, or the details where there is none."""
        latest = self.known.latest(self.chosen) if self.chosen else None
        if latest is None:
            self.action_focus_detail()
        else:
            self.host.open_run(latest.run_id)

    def action_run(self) -> None:
        """Run it, with an input from a form."""
        if self.chosen:
            self.host.do(deeds.run_with_form(self.host, self.chosen))

    def action_again(self) -> None:
        """Run it with the last input."""
        if self.chosen:
            self.host.do(deeds.run_again(self.host, self.chosen))

    def action_schedule(self) -> None:
        """Give it a schedule."""
        if self.chosen:
            from wrkflw_tui.tui.schedule_deeds import add_schedule

            self.host.do(add_schedule(self.host, self.chosen))

    def action_cancel(self) -> None:
        """Cancel its active runs."""
        if self.chosen:
            self.host.do(deeds.cancel(self.host, self.known.active(self.chosen)))

    def action_edit(self) -> None:
        """Open its file in the person's editor."""
        key = self.query_one(Rows).key
        if key is None:
            return
        entry = self.known.workflow(key)
        name = entry.file if entry else key.removeprefix(FILE)
        file = self._file(name)
        line = file.line if file else None
        self.host.do(deeds.edit(self.host, self.host.config.folder / name, line))


def _automations_in(folder: Path) -> int:
    return sum(not file.name.startswith(("_", ".")) for file in folder.glob("*.py"))


def _last(latest: RunSummary | None, now: datetime) -> Cell:
    if latest is None:
        return cell("never", "muted")
    if latest.finished_at is None:
        _, word, role = text.mark(latest.status)
        return cell(word, role)
    return cell(text.ago(latest.finished_at, now), "bad" if latest.status == "failed" else "")


def _history(history: list[RunSummary], now: datetime) -> Cell:
    ended = [run for run in reversed(history) if run.finished_at is not None]
    lengths = [length(run, now) if run.status == "success" else None for run in ended]
    blocks = text.levels(lengths)
    pieces: list[tuple[str, text.Role]] = []
    for run, block in zip(ended, blocks, strict=True):
        glyph, _, role = text.mark(run.status)
        pieces.append((block, "accent") if run.status == "success" else (glyph, role))
    return tuple(pieces)


def length(run: RunSummary, now: datetime) -> float:
    """Return how long a run took, or has taken so far, in seconds."""
    if run.started_at is None:
        return 0.0
    return ((run.finished_at or now) - run.started_at).total_seconds()


def _file_row(file: AutomationFile) -> Row:
    if file.status == "loading":
        return Row(
            FILE + file.file, (cell(f"… {file.file}"), cell("being read", "muted")), wide=True
        )
    where = f"line {file.line}: " if file.line else ""
    return Row(
        FILE + file.file,
        ((("! ", "bad"), (file.file, "")), cell(where + (file.error or "cannot be read"), "bad")),
        wide=True,
    )
