"""A new schedule: for which workflow, when, and with what input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.tui import text
from wrkflw_tui.tui.cron import LOCAL, plan, zone_name
from wrkflw_tui.tui.deeds import schema_of
from wrkflw_tui.tui.widgets.form import SchemaForm
from wrkflw_tui.tui.widgets.key_bar import KeyBar
from wrkflw_tui.tui.widgets.page import say

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from datetime import datetime

    from textual.app import ComposeResult

    from wrkflw_tui.store.catalog import CatalogEntry
    from wrkflw_tui.tui.app import WrkflwApp


ROOM = 11
"""Lines that the frame and the buttons take."""


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """What was asked for."""

    workflow_id: str
    cron: str
    zone: str
    input: str


async def add_schedule(app: WrkflwApp, workflow_id: str | None) -> None:
    """Ask for a schedule and put it on record."""
    entries = app.known.catalog.workflows
    if not entries:
        app.say("there is no workflow to schedule yet")
        return
    now = app.clock()
    made = await app.push_screen_wait(ScheduleEditor(entries, workflow_id, now))
    if made is None:
        return
    terms = ScheduleTerms(timing=made.cron)
    now = int(app.clock().timestamp())

    def put(connection: sqlite3.Connection) -> str:
        from wrkflw_tui.schedules import actions

        return actions.add(connection, made.workflow_id, terms, made.input, now, made.zone)

    done = await app.write(put)
    if done is not None:
        app.say(f"{made.workflow_id} is scheduled")


class ScheduleEditor(ModalScreen[NewSchedule | None]):
    """Returns the schedule, or `None`."""

    CSS_PATH = "schedule_editor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+s,f5,ctrl+enter", "save", "Save", id="schedule.save", key_display="ctrl+s",
            priority=True,
        ),
        Binding(
            "f2,ctrl+j", "toggle_json", "JSON", id="schedule.json", key_display="F2", priority=True
        ),
        Binding("escape", "cancel", "Cancel", id="schedule.cancel"),
    ]  # fmt: skip

    def __init__(
        self, entries: Sequence[CatalogEntry], workflow_id: str | None, now: datetime
    ) -> None:
        super().__init__()
        self._entries = {entry.workflow_id: entry for entry in entries}
        self._workflow_id = workflow_id or entries[0].workflow_id
        self._now = now
        self._zone = zone_name(LOCAL)

    def compose(self) -> ComposeResult:
        """What, when, with what."""
        with Vertical(id="box") as box:
            box.border_title = "New schedule"
            with VerticalScroll(id="fields", can_focus=False):
                yield Label("workflow")
                options = [(say(id), id) for id in self._entries]
                yield Select(
                    options, value=self._workflow_id, allow_blank=False, id="workflow", compact=True
                )
                yield Label(say("cron  ") + say("minute hour day month weekday", "muted"))
                yield Input(placeholder="0 18 * * 1-5, or @daily", id="cron", compact=True)
                yield Static(id="preview", markup=False)
                yield Label(say("input"), id="input-title")
                yield Vertical(id="input")
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Save", id="save", variant="primary", compact=True)
        yield KeyBar()

    def on_resize(self) -> None:
        """Leave room for the buttons, however small the terminal."""
        self.query_one("#fields").styles.max_height = max(4, self.size.height - ROOM)

    def on_mount(self) -> None:
        """Begin with the expression."""
        self._preview("")
        self.query_one("#cron").focus(scroll_visible=False)

    async def on_select_changed(self, event: Select.Changed) -> None:
        """Ask for the input of the workflow that was chosen."""
        if event.select.id == "workflow" and event.value is not Select.NULL:
            self._workflow_id = str(event.value)
            entry = self._entries[self._workflow_id]
            place = self.query_one("#input", Vertical)
            await place.remove_children()
            form = SchemaForm(schema_of(entry), entry.last_input, id="form")
            await place.mount(form)
            self.query_one("#input-title").display = bool(form.fields)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what the expression means while it is typed."""
        if event.input.id == "cron":
            self._preview(event.value)

    def _preview(self, expression: str) -> bool:
        """Show what it means; return whether it can be taken."""
        preview = self.query_one("#preview", Static)
        if not expression.strip():
            preview.update(say(f"zone {self._zone}", "muted"))
            return False
        try:
            found = plan(expression, self._zone, self._now)
        except ValueError as error:
            preview.update(say(f"✗ {error}", "bad"))
            return False
        lines = [say(found.words, "strong"), say(f"zone {self._zone}", "muted")]
        lines += [_fire(fire, self._now) for fire in found.fires]
        if not found.fires:
            lines.append(say("never fires", "bad"))
        preview.update(Content("\n").join(lines))
        return bool(found.fires)

    def action_save(self) -> None:
        """Take it, if all of it is right."""
        expression = self.query_one("#cron", Input).value.strip()
        if not self._preview(expression):
            if not expression:
                self.query_one("#preview", Static).update(say("✗ is needed", "bad"))
            self.query_one("#cron").focus()
            return
        given = self.query_one(SchemaForm).read()
        if given is not None:
            self.dismiss(NewSchedule(self._workflow_id, expression, self._zone, given))

    def action_toggle_json(self) -> None:
        """Show the input as JSON, or as fields."""
        self.query_one(SchemaForm).toggle_json()

    def action_cancel(self) -> None:
        """Leave without a schedule."""
        self.dismiss(None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do what the button says."""
        if event.button.id == "save":
            self.action_save()
        else:
            self.action_cancel()


def _fire(fire: datetime, now: datetime) -> Content:
    local = fire.astimezone()
    return say(f"  {local:%a %d %b %Y %H:%M}") + say(f"  {text.until(fire, now)}", "muted")
