"""Text to read: a pane that scrolls, and the styles of what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from wrkflw_tui.tui.text import one_line, plain

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from wrkflw_tui.tui.text import Role

STYLES: dict[str, str] = {
    "": "",
    "good": "$text-success",
    "bad": "$text-error",
    "live": "bold $text-accent",
    "wait": "$text-warning",
    "muted": "$foreground-muted",
    "accent": "$text-accent",
    "strong": "bold",
}


def say(text: str, role: Role = "") -> Content:
    """Make content of outside text: never read as markup, control characters taken out."""
    return Content.styled(plain(text), STYLES[role])


def title(text: str) -> str:
    """Make the title of a border of outside text: never read as markup.

    Textual takes content there too, though it asks for a `str`.
    """
    return cast("str", say(one_line(text)))


class Page(VerticalScroll, can_focus=True):
    """A pane of text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Scroll down", id="page.down", show=False),
        Binding("k", "scroll_up", "Scroll up", id="page.up", show=False),
        Binding("g", "scroll_home", "Top", id="page.top", show=False),
        Binding("G", "scroll_end", "End", id="page.end", show=False),
    ]
    DEFAULT_CSS = """
    Page { scrollbar-size-vertical: 1; padding: 0 1; }
    """

    def compose(self) -> ComposeResult:
        """One block of text."""
        yield Static(markup=False)

    def show(self, content: Content) -> None:
        """Show other text."""
        block = self.query_one(Static)
        if block.content != content:
            block.update(content)
