"""The top line: the places, what is at work, and how it is with the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from wrkflw_tui.tui.text import cut
from wrkflw_tui.tui.typed import app_of

if TYPE_CHECKING:
    from textual import events

PLACES = (
    ("workflows", "Workflows"),
    ("runs", "Runs"),
    ("schedules", "Schedules"),
    ("inbox", "Inbox"),
)


class PlaceBar(Widget):
    """The places by their keys; a click goes there."""

    DEFAULT_CSS = """
    PlaceBar {
        dock: top;
        height: 1;
        background: $panel;
        color: $foreground-muted;
        padding: 0 1;
    }
    """

    busy = reactive(0)
    """How many runs are queued or at work."""
    asked = reactive(0)
    """How many questions are open."""
    worker = reactive("")
    """How it is with the worker."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place
        self._spots: list[tuple[int, int, str]] = []

    def watch_worker(self, worker: str) -> None:
        """What does not fit can be read by pointing at it."""
        self.tooltip = Content(worker) if worker else None

    def render(self) -> Content:
        """Draw the places at the left, the state at the right."""
        pieces: list[Content] = [Content.styled("wrkflw ", "bold")]
        x = 7
        self._spots = []
        for number, (place, title) in enumerate(PLACES, start=1):
            style = "bold reverse" if place == self._place else ""
            item = Content.styled(f" {number} {title} ", style)
            if place == "inbox" and self.asked:
                item = Content.styled(f" {number} {title} ", style or "$text-warning")
                item += Content.styled(f"?{self.asked} ", style or "bold $text-warning")
            self._spots.append((x, x + item.cell_length, place))
            pieces.append(item)
            x += item.cell_length
        state = self._state(self.size.width - x - 2)
        pieces.append(Content(" " * max(1, self.size.width - x - state.cell_length)))
        pieces.append(state)
        return Content("").join(pieces)

    def _state(self, room: int) -> Content:
        runs = f"● {self.busy} active" if self.busy else ""
        parts = [part for part in (runs, self.worker) if part]
        whole = "  ".join(parts)
        if len(whole) > room:
            whole = cut(runs if runs else self.worker, room) if room > 4 else ""
        if runs and whole.startswith(runs):
            return Content.assemble((runs, "$text-accent"), whole[len(runs) :])
        return Content(whole)

    def on_click(self, event: events.Click) -> None:
        """Go to the place that was clicked."""
        x = event.get_content_offset_capture(self).x
        for start, end, place in self._spots:
            if start <= x < end:
                self.call_later(app_of(self).run_action, f"place('{place}')")
