"""The fires of the coming days: seven days by their hours, and the fires of one of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from wrkflw_tui.tui.typed import app_of
from wrkflw_tui.tui.widgets.key_bar import KeyBar
from wrkflw_tui.tui.widgets.page import say
from wrkflw_tui.tui.widgets.rows import Column, Row, Rows, cell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from textual.app import ComposeResult

    from wrkflw_tui.schedules.ahead import Ahead, Coming
    from wrkflw_tui.tui.app import WrkflwApp
    from wrkflw_tui.tui.known import ScheduleState
    from wrkflw_tui.tui.text import Role
    from wrkflw_tui.tui.widgets.rows import Cell

DAYS = 7
RULER = "".join(f"{hour:02} " if hour % 2 == 0 else "   " for hour in range(24))
NARROW_RULER = "".join(f"{hour:02}" if hour % 3 == 0 else "  " for hour in range(24))
WIDE = 100
"""Columns of a terminal from which on an hour has three of them."""


class WeekView(ModalScreen[str | None]):
    """Returns the id of a schedule to go to, or `None`."""

    CSS_PATH = "week.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Days/fires", id="week.next"),
        Binding("escape,w", "close", "Back", id="week.close", key_display="esc"),
    ]

    def __init__(self, states: Sequence[ScheduleState], now: datetime) -> None:
        super().__init__()
        self._states = {state.row.schedule_id: state for state in states}
        self._now = now
        today = now.astimezone().date()
        self._days = [today + timedelta(days=n) for n in range(DAYS)]
        self._by_day: dict[date, list[Coming]] = {}

    def compose(self) -> ComposeResult:
        """The days, and the fires of one."""
        with Vertical(id="box") as box:
            box.border_title = "The coming days"
            yield Rows(_columns(is_wide=False), id="days")
            yield Static(id="day", markup=False)
            fires = (Column("at", 5), Column("workflow"), Column("when", 16), Column("in words"))
            yield Rows(fires, id="day-fires")
        yield KeyBar()

    def on_mount(self) -> None:
        """Compute what is to come, off the loop."""
        self.query_one("#days").focus()
        self._show_days()
        cast("WrkflwApp", app_of(self)).do(self._compute())

    def on_resize(self) -> None:
        """Give the hours the room that there is."""
        days = self.query_one("#days", Rows)
        days.columns = _columns(is_wide=app_of(self).size.width >= WIDE)
        days.refresh()
        self._show_days()

    async def _compute(self) -> None:
        from wrkflw_tui.schedules.ahead import ahead

        rows = [state.row for state in self._states.values()]
        last = datetime.combine(self._days[-1] + timedelta(days=1), datetime.min.time())
        until = int(last.astimezone().timestamp()) - 1
        found = await asyncio.to_thread(ahead, rows, until)
        if self.is_attached:
            self._take(found)

    def _take(self, found: Ahead) -> None:
        self._by_day = {day: [] for day in self._days}
        for fire in found.fires:
            day = self._by_day.get(fire.at.astimezone().date())
            if day is not None:
                day.append(fire)
        if not found.is_whole:
            self.query_one("#box").border_subtitle = f"the first {len(found.fires):,} fires of more"
        self._show_days()
        self._show_fires(self._days[0].isoformat())

    def _show_days(self) -> None:
        room = 3 if app_of(self).size.width >= WIDE else 2
        self.query_one("#days", Rows).show([self._day(day, room) for day in self._days])

    def _day(self, day: date, room: int) -> Row:
        fires = self._by_day.get(day, [])
        amounts = Counter(fire.at.astimezone().hour for fire in fires)
        hours = tuple(_hour(amounts[hour], room) for hour in range(24))
        named = cell(f"{day:%a %d %b}", "strong" if day == self._days[0] else "")
        total = cell(f"{len(fires):,}" if self._by_day else "…")
        return Row(day.isoformat(), (named, hours, total))

    def _show_fires(self, key: str) -> None:
        day = next(day for day in self._days if day.isoformat() == key)
        fires = self._by_day.get(day, [])
        said = f"{day:%A %d %B}" if fires or not self._by_day else f"{day:%A %d %B}: nothing fires"
        self.query_one("#day", Static).update(say(said, "strong"))
        self.query_one("#day-fires", Rows).show(
            [self._fire(n, fire) for n, fire in enumerate(fires)]
        )

    def _fire(self, number: int, fire: Coming) -> Row:
        state = self._states[fire.schedule_id]
        row = state.row
        cells: tuple[Cell, ...] = (
            cell(f"{fire.at.astimezone():%H:%M}"),
            cell(row.workflow_id),
            cell(row.timing, "accent"),
            cell(state.words, "muted"),
        )
        return Row(f"{number}:{fire.schedule_id}", cells)

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Show the fires of the day under the cursor."""
        if event.rows.id == "days":
            self._show_fires(event.key)

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Go to the day's fires; of one of these to its schedule."""
        if event.rows.id == "days":
            self.query_one("#day-fires").focus()
        else:
            self.dismiss(event.key.partition(":")[2])

    def action_close(self) -> None:
        """Go back to the list."""
        self.dismiss(None)


def _columns(*, is_wide: bool) -> tuple[Column, ...]:
    ruler, room = (RULER, 72) if is_wide else (NARROW_RULER, 48)
    return Column("day", 12), Column(ruler, room), Column("fires", 6, right=True)


def _hour(amount: int, room: int) -> tuple[str, Role]:
    if not amount:
        return ("·".rjust(room - 1) + " ", "muted")
    shown = str(amount) if amount < 100 else "++"
    return (shown.rjust(2).ljust(room), "live")
