"""When each step of a run was at work, as bars beneath one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

from wrkflw_tui.tui import text
from wrkflw_tui.tui.widgets.page import STYLES, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from textual.geometry import Size

    from wrkflw_tui.engine.models import RunSummary
    from wrkflw_tui.tui.tree import TreeLine

NAMES = 18


class Timeline(Widget):
    """A bar for each step that started, the whole run's time across."""

    DEFAULT_CSS = """
    Timeline { height: auto; max-height: 10; padding: 0 1; }
    """

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._bars: list[tuple[str, text.Role, float, float]] = []
        self._whole = 1.0

    def show(self, run: RunSummary, lines: Sequence[TreeLine], now: datetime) -> None:
        """Show how far the run is."""
        began = run.started_at
        bars: list[tuple[str, text.Role, float, float]] = []
        if began is not None:
            self._whole = max(0.001, ((run.finished_at or now) - began).total_seconds())
            for line in lines:
                result = line.result
                if result is None or line.kind == "workflow":
                    continue
                start = (result.started_at - began).total_seconds()
                end = ((result.finished_at or now) - began).total_seconds()
                bars.append((line.label, text.mark(line.status)[2], start, end))
        if bars != self._bars:
            grew = len(bars) != len(self._bars)
            self._bars = bars
            self.refresh(layout=grew)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line for each bar."""
        return max(1, len(self._bars))

    def render(self) -> Content:
        """Draw the bars."""
        room = max(4, self.size.width - NAMES - 10)
        lines = [self._line(bar, room) for bar in self._bars[-self.size.height or None :]]
        return Content("\n").join(lines) if lines else say("nothing has started yet", "muted")

    def _line(self, bar: tuple[str, text.Role, float, float], room: int) -> Content:
        label, role, start, end = bar
        left = min(room - 1, int(start / self._whole * room))
        width = max(1, min(room - left, round((end - start) / self._whole * room)))
        drawn = Content.styled("█" * width, STYLES[role] or "$text-accent")
        took = say(text.duration(end - start).rjust(9), "muted")
        name = say(text.fit(text.one_line(label), NAMES))
        return name + say(" " * left) + drawn + say(" " * (room - left - width)) + took
