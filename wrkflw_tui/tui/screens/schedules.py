"""The schedules: what fires when, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from wrkflw_tui.store import schedules
from wrkflw_tui.tui import text
from wrkflw_tui.tui.known import soonest
from wrkflw_tui.tui.screens.place import Place
from wrkflw_tui.tui.widgets.page import Page, say
from wrkflw_tui.tui.widgets.rows import Cell, Column, Row, Rows, cell

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from textual.widget import Widget

    from wrkflw_tui.store.schedules import Fire
    from wrkflw_tui.tui.known import Change, ScheduleState

COLUMNS = (
    Column("workflow"),
    Column("cron", 14),
    Column("in words", needs=90),
    Column("next", 21),
    Column("last", 11, needs=66),
)


class SchedulesScreen(Place):
    """All schedules, with the recent fires of one."""

    PLACE = "schedules"
    CSS_PATH = "schedules.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New", id="schedules.new"),
        Binding("space", "pause", "Pause/resume", id="schedules.pause"),
        Binding("t", "trigger", "Trigger now", id="schedules.trigger"),
        Binding("d", "remove", "Remove", id="schedules.remove"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._fires: dict[str, list[Fire]] = {}

    def body(self) -> Iterable[Widget]:
        """A list, and the fires of its row."""
        panel = Vertical(Rows(COLUMNS, id="rows"), id="list", classes="panel")
        panel.border_title = "Schedules"
        yield Vertical(panel, Page(id="detail", classes="panel"), id="body")

    def on_mount(self) -> None:
        """Count down."""
        self.every(1)
        self.query_one(Rows).focus()

    def record_changed(self, change: Change | None) -> None:
        """Show what changed."""
        self.show_rows()
        is_other = change is None or change.schedules is not None or change.removed != ()
        if is_other or not self._fires:
            self._read_fires()
        self._show_detail()

    # -- drawing

    def show_rows(self) -> None:
        """Draw the list."""
        now = self.host.clock()
        states = [state for state in self.known.schedules if self._matches(state)]
        self.query_one(Rows).show([_row(state, now) for state in states])
        panel = self.query_one("#list")
        total = len(self.known.schedules)
        panel.border_subtitle = f"{len(states)} of {total}" if self.filter_text else ""

    def _matches(self, state: ScheduleState) -> bool:
        paused = "paused" if state.row.paused else ""
        return self.matches(state.row.workflow_id, state.row.timing, state.words, paused)

    def _show_detail(self) -> None:
        page = self.query_one(Page)
        state = self.chosen
        if state is None:
            page.border_title = "No schedules yet"
            page.show(
                say("n makes one for any workflow; so does s on the workflow itself.")
                if not self.filter_text
                else say(f"Nothing matches “{self.filter_text}”. esc clears the filter.")
            )
            return
        page.border_title = text.one_line(state.row.workflow_id)
        fires = self._fires.get(state.row.schedule_id)
        page.show(_detail(state, fires, self.host.clock()))

    @property
    def chosen(self) -> ScheduleState | None:
        """The schedule under the cursor."""
        rows = self.query_one_optional(Rows)
        key = rows.key if rows else None
        return next((s for s in self.known.schedules if s.row.schedule_id == key), None)

    def _read_fires(self) -> None:
        if self.chosen is not None:
            self.host.do(self._take_fires(self.chosen.row.schedule_id))

    async def _take_fires(self, schedule_id: str) -> None:
        read = partial(schedules.list_fires, schedule_id=schedule_id, limit=50)
        fires = await self.host.read(read)
        if fires is not None and self.is_attached:
            self._fires[schedule_id] = fires
            self._show_detail()

    def on_rows_moved(self) -> None:
        """Show the fires of the row."""
        self._read_fires()
        self._show_detail()
        self.refresh_bindings()

    def on_rows_opened(self) -> None:
        """Go to the fires."""
        self.action_focus_detail()

    # -- doing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with this row."""
        if action in ("pause", "trigger", "remove") and self.is_mounted:
            return self.chosen is not None
        return True

    def action_new(self) -> None:
        """Make a schedule."""
        from wrkflw_tui.tui.screens.schedule_editor import add_schedule

        self.host.do(add_schedule(self.host, None))

    def action_pause(self) -> None:
        """Pause the schedule, or let it go on."""
        if self.chosen is not None:
            self.host.do(self._pause(self.chosen))

    async def _pause(self, state: ScheduleState) -> None:
        row, now = state.row, self._now()

        def change(connection: sqlite3.Connection) -> None:
            from wrkflw_tui.schedules import actions

            done = actions.resume if row.paused else actions.pause
            done(connection, row.schedule_id, now)

        await self.host.write(change)

    def _now(self) -> int:
        return int(self.host.clock().timestamp())

    def action_trigger(self) -> None:
        """Start a run now, as the schedule would."""
        if self.chosen is not None:
            self.host.do(self._trigger(self.chosen))

    async def _trigger(self, state: ScheduleState) -> None:
        row, now = state.row, self._now()

        def trigger(connection: sqlite3.Connection) -> str:
            from wrkflw_tui.schedules import actions

            return actions.trigger(connection, row.schedule_id, "app", now)

        run_id = await self.host.write(trigger)
        if run_id is not None:
            self.host.open_run(run_id)

    def action_remove(self) -> None:
        """Ask, then remove the schedule."""
        if self.chosen is not None:
            self.host.do(self._remove(self.chosen))

    async def _remove(self, state: ScheduleState) -> None:
        from wrkflw_tui.tui.screens.confirm import Confirm

        row = state.row
        detail = f"{row.workflow_id}, {row.timing}\n\nIts runs stay on record."
        if await self.host.push_screen_wait(Confirm("Remove this schedule?", detail)) == "yes":
            await self.host.write(lambda c: schedules.remove(c, row.schedule_id))


def _row(state: ScheduleState, now: datetime) -> Row:
    row = state.row
    glyph = "‖" if row.paused else "●"
    return Row(
        row.schedule_id,
        (
            ((f"{glyph} ", "muted" if row.paused else "good"), (row.workflow_id, "")),
            cell(row.timing, "accent"),
            cell(state.words),
            _next(state, now),
            _last(state),
        ),
    )


def _next(state: ScheduleState, now: datetime) -> Cell:
    if state.row.paused:
        return cell("paused", "muted")
    instant = soonest([state])
    if instant is None:
        return cell("never", "bad")
    due = datetime.fromtimestamp(instant, UTC)
    return ((text.clock(due, now), ""), (f" {text.until(due, now)}", "muted"))


def _last(state: ScheduleState) -> Cell:
    if state.last is None:
        return cell("none yet", "muted")
    if state.last.outcome != "started":
        return cell("◌ waits" if state.last.outcome == "waiting" else "– skipped", "wait")
    if state.last.is_removed:
        return cell("run removed", "muted")
    if state.last_status is None:
        return cell("started", "muted")
    glyph, word, role = text.mark(state.last_status)
    return cell(f"{glyph} {word}", role)


def _detail(state: ScheduleState, fires: Sequence[Fire] | None, now: datetime) -> Content:
    row = state.row
    zone = f"{row.zone} (this machine's)" if row.timezone == "local" else row.zone
    overlap = {
        "skip": "skip while one is running",
        "queue_one": "one waits while another is running",
        "queue_all": "all wait while one is running",
        "cancel_previous": "cancel one that is running",
        "allow": "start beside one that is running",
    }
    catch_up = {
        "none": "missed fires are left out",
        "latest": "the latest missed fire is made up for",
        "all": "all missed fires are made up for",
    }
    lines = [
        say(row.timing, "accent") + say(f"  {state.words}"),
        say(f"zone {zone}; {overlap[row.overlap]}; {catch_up[row.catch_up]}", "muted"),
    ]
    if row.input not in ("null", "{}"):
        lines.append(say("input ", "muted") + say(text.cut(text.one_line(row.input), 200)))
    lines += [Content(""), say("recent fires", "muted")]
    if fires is None:
        return Content("\n").join(lines)
    lines += [_fire(fire, now) for fire in fires] or [say("  none yet", "muted")]
    return Content("\n").join(lines)


def _fire(fire: Fire, now: datetime) -> Content:
    when = text.exact(fire.due_at)
    if fire.outcome == "started":
        run = f"  run #{text.short_id(fire.run_id)}" if fire.run_id else ""
        run += ", not on record any more" if fire.is_removed else ""
        return say(f"  {when}  ") + say("✓ started", "good") + say(run, "muted")
    if fire.outcome == "waiting":
        return say(f"  {when}  ") + say("◌ waits", "wait") + say(f"  {fire.reason}", "muted")
    many = f" {fire.count} times" if fire.count > 1 else ""
    return say(f"  {when}  ") + say(f"– skipped{many}", "wait") + say(f"  {fire.reason}", "muted")
