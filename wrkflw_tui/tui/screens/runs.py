"""All runs, newest first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical

from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.store import runs
from wrkflw_tui.tui import deeds, text
from wrkflw_tui.tui.known import newest_first
from wrkflw_tui.tui.run_text import trigger_words
from wrkflw_tui.tui.screens.place import Place
from wrkflw_tui.tui.tree import length
from wrkflw_tui.tui.widgets.rows import Column, Row, Rows, cell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from textual.widget import Widget

    from wrkflw_tui.engine.models import RunSummary
    from wrkflw_tui.tui.known import Change

PAGE = 100
NEAR = 20
"""How close to the end the cursor comes before more is read."""

SEARCHED = 5000
"""How many runs a filter looks through by itself."""

COLUMNS = (
    Column("  status", 12),
    Column("workflow"),
    Column("run", 8, needs=70),
    Column("started", 13),
    Column("took", 8, right=True),
    Column("steps", 7, right=True, needs=90),
    Column("by", 10, needs=110),
    Column("error", needs=70),
)


class RunsScreen(Place):
    """Every run on record, as far as it has been scrolled."""

    PLACE = "runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "again", "Again", id="runs.again", tooltip="Run again with the same input"),
        Binding("x,c", "cancel", "Cancel", id="runs.cancel"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._oldest: RunSummary | None = None
        self._is_complete = False
        self._is_reading = False
        self._forgotten = 0

    def body(self) -> Iterable[Widget]:
        """One list."""
        panel = Vertical(Rows(COLUMNS, id="rows"), id="list", classes="panel")
        panel.border_title = "Runs"
        yield panel

    def on_mount(self) -> None:
        """Read the first page."""
        self.every(1)
        self.query_one(Rows).focus()
        self._read_more()

    def record_changed(self, change: Change | None) -> None:
        """Show what changed."""
        if self._forgotten != self.known.forgotten:
            self._forgotten = self.known.forgotten
            self._oldest, self._is_complete = None, False
            self._read_more()
        self.show_rows()
        if change is not None:
            self.refresh_bindings()

    # -- reading

    def _read_more(self) -> None:
        if not self._is_reading and not self._is_complete:
            self._is_reading = True
            self.host.do(self._read_page())

    async def _read_page(self) -> None:
        try:
            before = self._oldest.run_id if self._oldest else None
            page = await self.host.read(partial(runs.list_runs, limit=PAGE, before=before))
        finally:
            self._is_reading = False
        if page is None or not self.is_attached:
            return
        self._is_complete = len(page) < PAGE
        if page:
            self._oldest = page[-1]
        self.known.take_page(page)
        self.show_rows()
        self._read_if_near()

    def _read_if_near(self) -> None:
        if self.filter_text and len(self.known.recent) >= SEARCHED:
            return
        table = self.query_one(Rows)
        if table.cursor >= len(table.keys) - NEAR:
            self._read_more()

    # -- drawing

    def show_rows(self) -> None:
        """Draw the list."""
        now = self.host.clock()
        known = self.known.newest()
        if self._oldest is not None and not self._is_complete:
            # What lies before the last page read has gaps: it is shown when it has been read.
            last = newest_first(self._oldest)
            known = [run for run in known if newest_first(run) <= last]
        rows = [_row(run, now) for run in known if self._matches(run)]
        self.query_one(Rows).show(rows)
        panel = self.query_one("#list")
        more = "" if self._is_complete else "+"
        if self.filter_text:
            panel.border_subtitle = f"{len(rows)} of {len(known)}{more}"
        else:
            panel.border_subtitle = f"{len(known)}{more}" if known else "none yet"

    def _matches(self, run: RunSummary) -> bool:
        error = str(run.error) if run.error else ""
        words = text.mark(run.status)[1]
        return self.matches(run.workflow_id, run.status, words, run.run_id, error, run.trigger)

    def on_rows_moved(self) -> None:
        """Read on where the end is near."""
        self._read_if_near()
        self.refresh_bindings()

    # -- doing

    @property
    def chosen(self) -> RunSummary | None:
        """The run under the cursor."""
        rows = self.query_one_optional(Rows)
        return self.known.recent.get(rows.key) if rows and rows.key else None

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Open the run."""
        self.host.open_run(event.key)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with this run."""
        if action in ("again", "cancel") and self.is_mounted:
            run = self.chosen
            return run is not None and (action == "again" or run.status not in ENDED)
        return True

    def action_again(self) -> None:
        """Start another run with the same input."""
        if self.chosen is not None:
            self.host.do(deeds.repeat(self.host, self.chosen))

    def action_cancel(self) -> None:
        """Ask, then cancel the run."""
        if self.chosen is not None:
            self.host.do(deeds.cancel(self.host, [self.chosen]))


def _row(run: RunSummary, now: datetime) -> Row:
    glyph, word, role = text.mark(run.status)
    if run.cancel_requested and run.status == "running":
        word = "cancelling"
    began = run.started_at or run.created_at
    took = text.duration(length(run, now)) if run.started_at else ""
    steps = f"{run.steps_done}/{run.steps_total}" if run.steps_total else ""
    error = text.one_line(str(run.error)) if run.error else ""
    return Row(
        run.run_id,
        (
            cell(f"{glyph} {word}", role),
            cell(run.workflow_id),
            cell(f"#{text.short_id(run.run_id)}", "muted"),
            cell(text.ago(began, now)),
            cell(took),
            cell(steps, "muted"),
            cell(trigger_words(run.trigger).removeprefix("the ").removeprefix("a "), "muted"),
            cell(error, "bad"),
        ),
    )
