"""A schedule made or changed: for which workflow, when, with what input and on what terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.forms.schedule_terms import as_texts, problems, read_terms
from wrkflw_tui.tui import cron, text
from wrkflw_tui.tui.deeds import schema_of
from wrkflw_tui.tui.screens.policy_words import CATCH_UP, OVERLAP
from wrkflw_tui.tui.widgets.form import SchemaForm
from wrkflw_tui.tui.widgets.key_bar import KeyBar
from wrkflw_tui.tui.widgets.page import say
from wrkflw_tui.tui.widgets.setting_row import SettingRow, Zones

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from textual.app import ComposeResult

    from wrkflw_tui.store.catalog import CatalogEntry
    from wrkflw_tui.store.schedules import ScheduleRow


ROOM = 11
"""Lines that the frame and the buttons take."""
HINT = "0 18 * * 1-5, @daily, every 15m, once 2026-12-01T08:00"
LABELS = {
    "overlap": ("overlap", ""),
    "catch_up": ("catch up", ""),
    "late_limit": ("late limit", "how late one is made up for: auto, 36h, unlimited"),
    "jitter": ("jitter", "put off by up to this, such as 5m"),
    "pause_after_failures": ("pause after", "failures in a row; 0 for never"),
    "expect_within": ("expect within", "LATE without a success within this, such as 1h"),
    "max_runs": ("max runs", "how often it fires at most"),
    "start_at": ("start", "not before, such as 2026-12-01T08:00"),
    "end_at": ("end", "not after"),
    "exclude": ("exclude", "dates, such as 2026-12-24, 2026-12-25"),
    "note": ("note", "what it is for"),
}
CHOICES = {"overlap": OVERLAP, "catch_up": CATCH_UP}


@dataclass(frozen=True, slots=True)
class Planned:
    """What was asked for."""

    workflow_id: str
    terms: ScheduleTerms
    zone: str
    """The zone that was shown."""
    input: str


class ScheduleEditor(ModalScreen[Planned | None]):
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
        Binding("f3", "settings", "Settings", id="schedule.settings", key_display="F3"),
        Binding("escape", "cancel", "Cancel", id="schedule.cancel"),
    ]  # fmt: skip

    def __init__(
        self,
        entries: Sequence[CatalogEntry],
        workflow_id: str | None,
        now: datetime,
        row: ScheduleRow | None = None,
    ) -> None:
        """Ask for a schedule, or with `row` for what is to change about one."""
        super().__init__()
        self._entries = {entry.workflow_id: entry for entry in entries}
        self._workflow_id = workflow_id or entries[0].workflow_id
        self._now = now
        self._row = row
        self._begin = as_texts(row.terms if row else ScheduleTerms(timing=""))

    def compose(self) -> ComposeResult:
        """What, when, with what, and on what terms."""
        with Vertical(id="box") as box:
            box.border_title = "New schedule" if self._row is None else "Change the schedule"
            with VerticalScroll(id="fields", can_focus=False):
                yield Label("workflow")
                options = [(say(id), id) for id in self._entries]
                yield Select(
                    options, value=self._workflow_id, allow_blank=False, id="workflow", compact=True
                )
                yield Label(say("when  ") + say("minute hour day month weekday", "muted"))
                yield Input(self._begin["timing"], placeholder=HINT, id="timing", compact=True)
                yield Static(id="preview", markup=False)
                zone = self._begin["timezone"]
                hint = "local, or such as Europe/Berlin"
                yield SettingRow("timezone", "zone", zone, hint=hint, suggester=Zones())
                yield Label(say("input"), id="input-title")
                yield Vertical(id="input")
                yield Label(say("settings"), id="settings-title")
                yield from self._settings()
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Save", id="save", variant="primary", compact=True)
        yield KeyBar()

    def _settings(self) -> Iterator[SettingRow]:
        for name, (label, hint) in LABELS.items():
            choices = CHOICES.get(name)
            yield SettingRow(name, label, self._begin[name], hint=hint, choices=choices)

    def on_resize(self) -> None:
        """Leave room for the buttons, however small the terminal."""
        self.query_one("#fields").styles.max_height = max(4, self.size.height - ROOM)

    def on_mount(self) -> None:
        """Begin with the timing."""
        self._look()
        self.query_one("#timing").focus(scroll_visible=False)

    async def on_select_changed(self, event: Select.Changed) -> None:
        """Ask for the input of the workflow that was chosen."""
        if event.select.id != "workflow" or event.value is Select.NULL:
            return
        self._workflow_id = str(event.value)
        entry, row = self._entries[self._workflow_id], self._row
        is_same = row is not None and row.workflow_id == self._workflow_id
        place = self.query_one("#input", Vertical)
        await place.remove_children()
        form = SchemaForm(schema_of(entry), row.input if row and is_same else entry.last_input)
        await place.mount(form)
        self.query_one("#input-title").display = bool(form.fields)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what it comes to while it is typed."""
        if event.input.id == "timing" or isinstance(_row_of(event.input), SettingRow):
            self._look()

    # -- what it comes to

    def _texts(self) -> dict[str, str]:
        typed = {row.setting: row.text for row in self.query(SettingRow)}
        return {"timing": self.query_one("#timing", Input).value.strip(), **typed}

    def _look(self) -> cron.Plan | None:
        """Say at each field what is wrong, and what all of it means; return that if it is right."""
        texts = self._texts()
        wrong = problems(texts)
        for row in self.query(SettingRow):
            row.say_wrong(wrong.get(row.setting, ""))
        preview = self.query_one("#preview", Static)
        if not texts["timing"]:
            zone = cron.zone_name("local" if "timezone" in wrong else texts["timezone"].strip())
            preview.update(say(f"zone {zone}", "muted"))
            return None
        if "timing" in wrong:
            preview.update(say(f"✗ {wrong['timing']}", "bad"))
            return None
        shown = {name: typed for name, typed in texts.items() if name not in wrong}
        try:
            found = cron.plan(read_terms(shown), self._now)
        except ValueError as error:  # two that are right each, and not together
            preview.update(say(f"✗ {error}", "bad"))
            return None
        preview.update(_meaning(found, self._now))
        return None if wrong or not found.fires else found

    def action_save(self) -> None:
        """Take it, if all of it is right, with all that was typed until now."""
        self.call_after_refresh(self._save)

    def _save(self) -> None:
        found = self._look()
        if found is None:
            self._go_to_wrong()
            return
        given = self.query_one(SchemaForm).read()
        if given is not None:
            terms = read_terms(self._texts())
            self.dismiss(Planned(self._workflow_id, terms, found.zone, given))

    def _go_to_wrong(self) -> None:
        if not self.query_one("#timing", Input).value.strip():
            self.query_one("#preview", Static).update(say("✗ is needed", "bad"))
        rows = list(self.query("SettingRow.-wrong").results(SettingRow))
        (rows[0].input if rows else self.query_one("#timing")).focus()

    def action_settings(self) -> None:
        """Go to the settings below the input."""
        self.query_one("#fields", VerticalScroll).scroll_end(animate=False)
        self.query_one("#setting-overlap", SettingRow).input.focus()

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


def _row_of(input: Input) -> object:
    return None if input.parent is None else input.parent.parent


def _meaning(found: cron.Plan, now: datetime) -> Content:
    lines = [say(found.words, "strong"), say(f"zone {found.zone}", "muted")]
    lines += [_fire(fire, found.zone, now) for fire in found.fires]
    if not found.fires:
        lines.append(say("✗ never fires", "bad"))
    lines += [say(f"! {warning}", "wait") for warning in found.warnings]
    return Content("\n").join(lines)


def _fire(fire: datetime, zone: str, now: datetime) -> Content:
    from zoneinfo import ZoneInfo

    there = fire.astimezone(ZoneInfo(zone))
    return say(f"  {there:%a %d %b %Y %H:%M}") + say(f"  {text.until(fire, now)}", "muted")
