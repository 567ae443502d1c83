"""The input of a run, asked for before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from wrkflw_tui.tui.widgets.form import SchemaForm
from wrkflw_tui.tui.widgets.key_bar import KeyBar
from wrkflw_tui.tui.widgets.page import say

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from wrkflw_tui.forms.fields import Schema
    from wrkflw_tui.store.catalog import CatalogEntry


ROOM = 12
"""Lines that the frame, the description and the buttons take."""


class RunForm(ModalScreen[str | None]):
    """Returns the input as JSON text, or `None`."""

    CSS_PATH = "run_form.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        # Many terminals cannot send ctrl+enter: it is one of three.
        Binding(
            "ctrl+s,f5,ctrl+enter", "start", "Start", id="form.start", key_display="ctrl+s",
            priority=True,
        ),
        Binding(
            "f2,ctrl+j", "toggle_json", "JSON", id="form.json", key_display="F2", priority=True
        ),
        Binding("escape", "cancel", "Cancel", id="form.cancel"),
    ]  # fmt: skip

    def __init__(self, entry: CatalogEntry, schema: Schema) -> None:
        super().__init__()
        self._entry = entry
        self._schema = schema

    def compose(self) -> ComposeResult:
        """The form, and the way to start."""
        with Vertical(id="box") as box:
            box.border_title = f"Run {self._entry.workflow_id}"
            if self._entry.description:
                yield Static(say(self._entry.description, "muted"), id="about", markup=False)
            yield SchemaForm(self._schema, self._entry.last_input, id="form")
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Start", id="start", variant="primary", compact=True)
        yield KeyBar()

    def on_resize(self) -> None:
        """Leave room for the buttons, however small the terminal."""
        self.query_one("#form").styles.max_height = max(4, self.size.height - ROOM)

    def on_mount(self) -> None:
        """Begin with the first field."""
        if self._entry.last_input is not None:
            self.query_one("#box").border_subtitle = "filled in as last time"
        self.query_one(SchemaForm).focus_first()

    def action_start(self) -> None:
        """Start, if the input is right."""
        given = self.query_one(SchemaForm).read()
        if given is not None:
            self.dismiss(given)

    def action_toggle_json(self) -> None:
        """Show the input as JSON, or as fields."""
        self.query_one(SchemaForm).toggle_json()

    def action_cancel(self) -> None:
        """Leave without starting."""
        self.dismiss(None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do what the button says."""
        if event.button.id == "start":
            self.action_start()
        else:
            self.action_cancel()
