"""The bottom line: the keys that work now, as many as fit, and always the way to the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from wrkflw_tui.tui.typed import app_of, on_bindings

if TYPE_CHECKING:
    from textual import events
    from textual.binding import Binding
    from textual.screen import Screen

LAST = ("app.help", "app.quit")
"""Shown at the right, and never left out."""


class KeyBar(Widget):
    """A footer that leaves out what does not fit instead of cutting it."""

    DEFAULT_CSS = """
    KeyBar {
        dock: bottom;
        height: 1;
        background: $panel;
        color: $foreground-muted;
        padding: 0 1;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Follow the screen's bindings."""
        on_bindings(self, self._changed)

    def _changed(self, _: Screen[None]) -> None:
        self.refresh()

    def render(self) -> Content:
        """Lay the keys out: those of this place from the left, the general ones at the right."""
        shown = self._shown()
        right = [binding for id in LAST for binding in shown if binding.id == id]
        left = [binding for binding in shown if binding not in right]
        tail = [self._item(binding) for binding in right]
        room = self.size.width - sum(item.cell_length + 2 for item in tail)
        self._places = []
        pieces: list[Content] = []
        x = 0
        for binding in left:
            item = self._item(binding)
            if x + item.cell_length > room:
                break
            x = self._put(pieces, item, x, binding)
        gap = self.size.width - x - sum(item.cell_length for item in tail) - 2 * (len(tail) - 1)
        pieces.append(Content(" " * max(0, gap)))
        x += max(0, gap)
        for item, binding in zip(tail, right, strict=True):
            x = self._put(pieces, item, x, binding)
        return Content("").join(pieces)

    def _put(self, pieces: list[Content], item: Content, x: int, binding: Binding) -> int:
        self._places.append((x, x + item.cell_length, binding.key))
        pieces.append(item)
        pieces.append(Content("  "))
        return x + item.cell_length + 2

    def _shown(self) -> list[Binding]:
        found: dict[str, Binding] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.description:
                found.setdefault(binding.action, binding)
        return list(found.values())

    def _item(self, binding: Binding) -> Content:
        key = app_of(self).get_key_display(binding)
        return Content.assemble((key, "bold $text-accent"), " ", binding.description)

    def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked."""
        x = event.get_content_offset_capture(self).x
        for start, end, key in self._places:
            if start <= x < end:
                app_of(self).simulate_key(key)
