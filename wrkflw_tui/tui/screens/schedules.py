"""The schedules: what fires when, and what came of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical

from wrkflw_tui.store import schedules
from wrkflw_tui.tui import schedule_deeds as deeds
from wrkflw_tui.tui.screens.place import Place
from wrkflw_tui.tui.screens.schedule_text import COLUMNS, about, row_of
from wrkflw_tui.tui.widgets.fire_list import FireList, fire_key, fire_row
from wrkflw_tui.tui.widgets.page import Page, say, title
from wrkflw_tui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from textual.widget import Widget

    from wrkflw_tui.store.fires import Fire
    from wrkflw_tui.store.schedules import ScheduleRow
    from wrkflw_tui.tui.app import WrkflwApp
    from wrkflw_tui.tui.known import Change, ScheduleState
    from wrkflw_tui.tui.widgets.rows import Row

PAGE = 50
"""How many fires are read at once."""
ON_ONE = ("edit", "pause", "trigger", "backfill", "skip", "remove")


class SchedulesScreen(Place):
    """All schedules, with what the one under the cursor fired."""

    PLACE = "schedules"
    CSS_PATH = "schedules.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New", id="schedules.new"),
        Binding("e", "edit", "Edit", id="schedules.edit"),
        Binding("space", "pause", "Pause", id="schedules.pause"),
        Binding("t", "trigger", "Trigger", id="schedules.trigger"),
        Binding("b", "backfill", "Backfill", id="schedules.backfill"),
        Binding("S", "skip", "Skip next", id="schedules.skip"),
        Binding("w", "week", "Week", id="schedules.week"),
        Binding("d", "remove", "Remove", id="schedules.remove"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._fires: list[Fire] = []
        self._fires_of: str | None = None
        self._has_more = False
        self._is_reading = False
        self._states: dict[str, ScheduleState] = {}
        self._made: dict[str, tuple[ScheduleState, Row]] = {}

    def body(self) -> Iterable[Widget]:
        """A list, and what its row is and has fired."""
        panel = Vertical(Rows(COLUMNS, id="rows"), id="list", classes="panel")
        panel.border_title = "Schedules"
        fires = FireList(id="fires")
        yield Vertical(panel, Vertical(Page(id="about"), fires, id="detail", classes="panel"))

    def on_mount(self) -> None:
        """Count down."""
        self.set_interval(1, self._count_down)
        self.query_one("#rows").focus()

    def record_changed(self, change: Change | None) -> None:
        """Show what changed."""
        self.show_rows()
        is_other = change is None or change.schedules is not None or change.removed != ()
        if is_other or self._fires_of is None:
            self._read_fires()
        self._show_about()

    # -- drawing

    def show_rows(self) -> None:
        """Draw the list; of a schedule that has not changed its row stays."""
        states = [state for state in self.known.schedules if self._matches(state)]
        self._states = {state.row.schedule_id: state for state in states}
        before, now = self._made, self.host.clock()
        self._made = {}
        for id, state in self._states.items():
            known = before.get(id)
            same = known is not None and known[0] is state
            self._made[id] = known if known and same else (state, row_of(state, now))
        self.query_one("#rows", Rows).show([row for _, row in self._made.values()])
        panel = self.query_one("#list")
        total = len(self.known.schedules)
        panel.border_subtitle = f"{len(states)} of {total}" if self.filter_text else ""
        self._count_down()

    def _count_down(self) -> None:
        if not self.is_current:
            return
        now = self.host.clock()

        def made(key: str) -> Row | None:
            state = self._states.get(key)
            return None if state is None else row_of(state, now)

        self.query_one("#rows", Rows).redraw(made)

    def _matches(self, state: ScheduleState) -> bool:
        row = state.row
        paused = "paused" if row.paused else ""
        code = f"in code {row.file}" if row.source == "code" else ""
        late = "late" if state.is_late(self.host.clock().timestamp()) else ""
        shown = (row.workflow_id, row.timing, state.words, row.zone, row.note)
        return not self.filter_text or self.matches(*shown, paused, code, late)

    def _show_about(self) -> None:
        page, panel, state = self.query_one(Page), self.query_one("#detail"), self.chosen
        self.query_one(FireList).display = state is not None
        if state is not None:
            panel.border_title = title(state.row.workflow_id)
            page.show(about(state, self.host.clock()))
            return
        panel.border_title = "No schedules yet" if not self.filter_text else "Nothing"
        page.show(
            say("n makes one for any workflow; so does s on the workflow itself.")
            if not self.filter_text
            else say(f"Nothing matches “{self.filter_text}”. esc clears the filter.")
        )

    @property
    def chosen(self) -> ScheduleState | None:
        """The schedule under the cursor."""
        rows = self.query_one_optional("#rows", Rows)
        key = rows.key if rows else None
        return None if key is None else self._states.get(key)

    # -- what it fired

    def _read_fires(self) -> None:
        if self.chosen is not None:
            id = self.chosen.row.schedule_id
            same = id == self._fires_of
            self.host.do(self._take_fires(id, max(PAGE, len(self._fires) if same else 0)))

    async def _take_fires(self, schedule_id: str, amount: int) -> None:
        read = partial(schedules.list_fires, schedule_id=schedule_id, limit=amount)
        found = await self.host.read(read)
        state = self.chosen
        if found is None or not self.is_attached or state is None:
            return
        if state.row.schedule_id == schedule_id:
            self._fires, self._fires_of = found, schedule_id
            self._has_more = len(found) == amount
            self._show_fires()

    def _show_fires(self) -> None:
        self.query_one(FireList).show([fire_row(fire) for fire in self._fires])

    def on_fire_list_more(self) -> None:
        """Read older fires."""
        if self._has_more and not self._is_reading and self._fires_of is not None:
            self._is_reading = True
            self.host.do(self._take_older(self._fires_of))

    async def _take_older(self, schedule_id: str) -> None:
        # At one instant there may be two, of which one has been read.
        before = int(self._fires[-1].due_at.timestamp()) + 1
        read = partial(schedules.list_fires, schedule_id=schedule_id, limit=PAGE + 2, before=before)
        try:
            found = await self.host.read(read)
        finally:
            self._is_reading = False
        if found is None or not self.is_attached or schedule_id != self._fires_of:
            return
        known = {fire_key(fire) for fire in self._fires}
        self._fires += [fire for fire in found if fire_key(fire) not in known]
        self._has_more = len(found) == PAGE + 2
        self._show_fires()

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Show what the schedule under the cursor is and has fired."""
        if event.rows.id == "rows":
            if event.key != self._fires_of:
                self.query_one(FireList).show([])
            self._read_fires()
            self._show_about()
            self.refresh_bindings()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Go to the fires; of one of these to its run."""
        if event.rows.id == "rows":
            self.action_focus_detail()
            return
        fire = next((fire for fire in self._fires if fire_key(fire) == event.key), None)
        if fire is None or fire.run_id is None:
            self.host.say("it has no run")
        elif fire.is_removed:
            self.host.say("its run is not on record any more")
        else:
            self.host.open_run(fire.run_id)

    def action_focus_detail(self) -> None:
        """Go to the fires."""
        self.query_one(FireList).focus()

    # -- doing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with this row."""
        if action in ON_ONE and self.is_mounted:
            return self.chosen is not None
        return True

    def action_new(self) -> None:
        """Make a schedule."""
        self.host.do(deeds.add_schedule(self.host, None))

    def action_edit(self) -> None:
        """Change the schedule, or open the file that it stands in."""
        self._do(deeds.change_schedule)

    def action_pause(self) -> None:
        """Pause the schedule, or let it go on."""
        self._do(deeds.pause_or_resume)

    def action_trigger(self) -> None:
        """Start a run now, as the schedule would."""
        self._do(deeds.trigger)

    def action_backfill(self) -> None:
        """Start what a range would have fired."""
        self._do(deeds.backfill)

    def action_skip(self) -> None:
        """Leave out the next fire."""
        self._do(deeds.skip_next)

    def action_remove(self) -> None:
        """Ask, then remove the schedule."""
        self._do(deeds.remove)

    def action_week(self) -> None:
        """Show the fires of the coming days."""
        self.host.do(self._week())

    async def _week(self) -> None:
        from wrkflw_tui.tui.screens.week import WeekView

        states = tuple(self._states.values())
        chosen = await self.host.push_screen_wait(WeekView(states, self.host.clock()))
        if chosen is not None:
            self.query_one("#rows", Rows).select(chosen)

    def _do(self, deed: Callable[[WrkflwApp, ScheduleRow], Coroutine[Any, Any, None]]) -> None:
        if self.chosen is not None:
            self.host.do(deed(self.host, self.chosen.row))
