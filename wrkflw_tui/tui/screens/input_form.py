"""A form made from a JSON schema: the input of a run, or the answer to what one asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from wrkflw_tui.tui.widgets.form import SchemaForm
from wrkflw_tui.tui.widgets.key_bar import KeyBar
from wrkflw_tui.tui.widgets.page import say

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from wrkflw_tui.forms.fields import Schema


ROOM = 12
"""Lines that the frame, the description and the buttons take."""
SHOWN = 8
"""Lines of what the question is about, at most; the rest scrolls."""


def _keys(verb: str) -> list[BindingType]:
    return [
        # Many terminals cannot send ctrl+enter: it is one of three.
        Binding(
            "ctrl+s,f5,ctrl+enter", "send", verb, id="form.send", key_display="ctrl+s",
            priority=True,
        ),
        Binding(
            "f2,ctrl+j", "toggle_json", "JSON", id="form.json", key_display="F2", priority=True
        ),
        Binding("escape", "cancel", "Cancel", id="form.cancel"),
    ]  # fmt: skip


class InputForm(ModalScreen[str | None]):
    """Returns what was filled in as JSON text, or `None`."""

    CSS_PATH = "input_form.tcss"
    VERB = "Send"
    """What the button and its key say."""

    def __init__(
        self,
        title: str,
        schema: Schema,
        *,
        about: str = "",
        detail: str = "",
        filled: str | None = None,
    ) -> None:
        """Ask for what fits a schema.

        `about` says what for, `detail` is what a person should look at, and `filled` is JSON text
        to begin with.
        """
        super().__init__()
        self._title = title
        self._schema = schema
        self._about = about
        self._detail = detail
        self._filled = filled

    def compose(self) -> ComposeResult:
        """The form, and the way to send it."""
        with Vertical(id="box") as box:
            box.border_title = self._title
            if self._about:
                yield Static(say(self._about, "muted"), id="about", markup=False)
            if self._detail:
                with VerticalScroll(id="detail"):
                    yield Static(self._detail, markup=False)
            yield SchemaForm(self._schema, self._filled, id="form")
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(self.VERB, id="send", variant="primary", compact=True)
        yield KeyBar()

    def on_resize(self) -> None:
        """Leave room for the buttons, however small the terminal."""
        taken = ROOM
        if self._detail:
            lines = min(SHOWN, self._detail.count("\n") + 1, max(1, self.size.height // 4))
            self.query_one("#detail").styles.max_height = lines
            taken += lines + 1
        self.query_one("#form").styles.max_height = max(4, self.size.height - taken)

    def on_mount(self) -> None:
        """Begin with the first field."""
        if self._filled is not None:
            self.query_one("#box").border_subtitle = "filled in as last time"
        self.query_one(SchemaForm).focus_first()

    def action_send(self) -> None:
        """Send it, if it is right, with all that was typed until now."""
        # The key comes before others in the queues of the fields: those have their turn first.
        self.call_after_refresh(self._send)

    def _send(self) -> None:
        given = self.query_one(SchemaForm).read()
        if given is not None:
            self.dismiss(given)

    def action_toggle_json(self) -> None:
        """Show it as JSON, or as fields."""
        self.query_one(SchemaForm).toggle_json()

    def action_cancel(self) -> None:
        """Leave it."""
        self.dismiss(None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do what the button says."""
        if event.button.id == "send":
            self.action_send()
        else:
            self.action_cancel()


class RunForm(InputForm):
    """Asks for the input of a run."""

    VERB = "Start"
    BINDINGS: ClassVar[list[BindingType]] = _keys(VERB)


class ForkForm(InputForm):
    """Asks for what the step is given that a new run begins with."""

    VERB = "Fork"
    BINDINGS: ClassVar[list[BindingType]] = _keys(VERB)

    def on_mount(self) -> None:
        """Say what it is filled with."""
        super().on_mount()
        self.query_one("#box").border_subtitle = "filled in as on record"


class AnswerForm(InputForm):
    """Asks for what a run waits to be told."""

    VERB = "Answer"
    BINDINGS: ClassVar[list[BindingType]] = _keys(VERB)
