"""One line of tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events


class TabStrip(Widget):
    """Names of panes; one is in front."""

    DEFAULT_CSS = """
    TabStrip { height: 1; color: $foreground-muted; }
    """

    active = reactive("")

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, tab: str) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self, tabs: Sequence[str], id: str | None = None) -> None:
        super().__init__(id=id)
        self.tabs = tuple(tabs)
        self.set_reactive(TabStrip.active, self.tabs[0])
        self._spots: list[tuple[int, int, str]] = []

    def neighbour(self, step: int) -> str:
        """Return the tab beside the active one."""
        return self.tabs[(self.tabs.index(self.active) + step) % len(self.tabs)]

    def render(self) -> Content:
        """Draw them in one line, the active one reversed."""
        pieces: list[Content] = []
        self._spots = []
        x = 0
        for tab in self.tabs:
            item = Content.styled(
                f" {tab} ", "bold $text-accent reverse" if tab == self.active else ""
            )
            self._spots.append((x, x + item.cell_length, tab))
            pieces.append(item)
            x += item.cell_length
        return Content("").join(pieces)

    def on_click(self, event: events.Click) -> None:
        """Choose the tab that was clicked."""
        x = event.get_content_offset_capture(self).x
        for start, end, tab in self._spots:
            if start <= x < end:
                self.post_message(self.Chosen(tab))
