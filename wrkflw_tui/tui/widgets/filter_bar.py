"""The line that filters a list while it is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

if TYPE_CHECKING:
    from textual.app import ComposeResult


class FilterBar(Horizontal):
    """A filter beneath a list: enter keeps it, escape clears it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "Clear", id="filter.clear"),
        Binding("enter,down", "keep", "Keep", id="filter.keep"),
    ]
    DEFAULT_CSS = """
    FilterBar {
        dock: bottom;
        height: 1;
        display: none;
        &.-open { display: block; }
        Label { color: $text-accent; padding: 0 1 0 0; }
        Input { border: none; height: 1; padding: 0; background: $surface; width: 1fr; }
    }
    """

    class Changed(Message):
        """Another text is to be looked for."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """The person is done typing."""

    def compose(self) -> ComposeResult:
        """A prompt and the text."""
        yield Label("/")
        yield Input(placeholder="words to look for", compact=True)

    def open(self) -> None:
        """Show it, with what was typed before."""
        self.add_class("-open")
        self.query_one(Input).focus()

    def clear(self) -> None:
        """Look for nothing any more."""
        self.query_one(Input).value = ""
        self.remove_class("-open")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter at once."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter and go on in the list."""
        event.stop()
        self.action_keep()

    def action_keep(self) -> None:
        """Keep the filter and go on in the list."""
        if not self.query_one(Input).value:
            self.remove_class("-open")
        self.post_message(self.Closed())

    def action_clear(self) -> None:
        """Clear the filter and go back to the list."""
        self.clear()
        self.post_message(self.Closed())
