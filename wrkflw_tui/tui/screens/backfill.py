"""A range to fill in, with what would start in it before it does."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from wrkflw_tui.tui.typed import app_of
from wrkflw_tui.tui.widgets.key_bar import KeyBar
from wrkflw_tui.tui.widgets.page import say, title
from wrkflw_tui.tui.widgets.rows import Column, Row, Rows, cell
from wrkflw_tui.tui.widgets.setting_row import SettingRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from wrkflw_tui.schedules.actions import Filling
    from wrkflw_tui.store.schedules import ScheduleRow
    from wrkflw_tui.tui import text
    from wrkflw_tui.tui.app import WrkflwApp

STATES: dict[str, tuple[str, text.Role]] = {
    "runs": ("● will run", "good"),
    "fired": ("✓ ran already", "muted"),
    "waits": ("◌ waiting", "wait"),
}
"""What becomes of an instant, in words."""
FORM = "%Y-%m-%d %H:%M"
Range = tuple[datetime, datetime]


class BackfillForm(ModalScreen[Range | None]):
    """Returns the range, or `None`."""

    CSS_PATH = "backfill.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+s,f5,ctrl+enter", "start", "Start", id="backfill.start", key_display="ctrl+s",
            priority=True,
        ),
        Binding("escape", "cancel", "Cancel", id="backfill.cancel"),
    ]  # fmt: skip

    def __init__(self, row: ScheduleRow, now: datetime) -> None:
        super().__init__()
        self._row = row
        self._now = now
        self._found: Sequence[Filling] | None = None
        self._asked: Range | None = None

    def compose(self) -> ComposeResult:
        """The range, and what would start."""
        from zoneinfo import ZoneInfo

        now = self._now.astimezone(ZoneInfo(self._row.zone))
        since = (now - timedelta(days=1)).strftime(FORM)
        with Vertical(id="box") as box:
            box.border_title = title(f"Backfill {self._row.workflow_id}")
            about = f"{self._row.timing}; a date and a time in {self._row.zone}"
            yield Static(say(about, "muted"), id="what", markup=False)
            yield SettingRow("from", "from", since, hint="2026-12-01 08:00")
            yield SettingRow("to", "to", now.strftime(FORM), hint="2026-12-02 08:00")
            yield Static(id="summary", markup=False)
            yield Rows((Column("due"), Column("what would happen", 20)), id="fillings")
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Start", id="start", variant="primary", compact=True)
        yield KeyBar()

    def on_mount(self) -> None:
        """Begin with the range."""
        self.query_one("#setting-from", SettingRow).input.focus()
        self._look()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what the range would start."""
        self._look()

    @property
    def _host(self) -> WrkflwApp:
        return cast("WrkflwApp", app_of(self))

    def _look(self) -> None:
        self._found = None
        self._asked = self._range()
        if self._asked is None:
            self._show("", ())
            return
        self._host.do(self._preview(self._asked))

    def _range(self) -> Range | None:
        """Return what was typed, after saying at its field what is wrong with it."""
        from wrkflw_tui.schedules.when import parse_instant, resolve

        found: list[datetime] = []
        for name in ("from", "to"):
            row = self.query_one(f"#setting-{name}", SettingRow)
            try:
                found.append(resolve(parse_instant(row.text), self._row.zone))
                row.say_wrong("")
            except ValueError as error:
                row.say_wrong(str(error))
        if len(found) < 2:
            return None
        if found[0] > found[1]:
            self.query_one("#setting-to", SettingRow).say_wrong("is before from")
            return None
        return found[0], found[1]

    async def _preview(self, asked: Range) -> None:
        read = partial(_read, self._row.schedule_id, asked, int(self._now.timestamp()))
        found = await self._host.read(read)
        if found is None or asked != self._asked or not self.is_attached:
            return  # something else was typed meanwhile
        if isinstance(found, str):
            self.query_one("#setting-to", SettingRow).say_wrong(found)
            self._show("", ())
            return
        self._found = found
        amounts = Counter(one.state for one in found)
        said = ", ".join(f"{amount:,} {STATES[state][0][2:]}" for state, amount in amounts.items())
        self._show(said or "nothing was due in this range", found)

    def _show(self, summary: str, found: Sequence[Filling]) -> None:
        self.query_one("#summary", Static).update(say(summary, "strong"))
        self.query_one("#fillings", Rows).show([self._line(one) for one in found])

    def _line(self, one: Filling) -> Row:
        from zoneinfo import ZoneInfo

        there = one.due_at.astimezone(ZoneInfo(self._row.zone))
        due = there.strftime("%a %d %b %Y %H:%M")
        return Row(str(one.due_at.timestamp()), (cell(due), cell(*STATES[one.state])))

    def action_start(self) -> None:
        """Take the range, once it is shown what that starts."""
        if self._found is None or self._asked is None:
            return
        if any(one.state == "runs" for one in self._found):
            self.dismiss(self._asked)
        else:
            self.query_one("#summary", Static).update(say("✗ there is nothing to start", "bad"))

    def action_cancel(self) -> None:
        """Start nothing."""
        self.dismiss(None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do what the button says."""
        if event.button.id == "start":
            self.action_start()
        else:
            self.action_cancel()


def _read(
    schedule_id: str, asked: Range, now: int, connection: sqlite3.Connection
) -> list[Filling] | str:
    from wrkflw_tui.schedules import actions

    try:
        return actions.preview_backfill(connection, schedule_id, *asked, now)
    except actions.BackfillTooLong as error:
        return str(error)
