"""What a run says, as lines that are drawn when they come into sight, and searched."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from wrkflw_tui.tui import ansi, text
from wrkflw_tui.tui.typed import app_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style
    from textual.selection import Selection

    from wrkflw_tui.tui.run_text import LogLine

LABEL = 14
"""Cells for the name of the step."""
WIDEST = 2000
"""Characters of a line that are drawn; the pager shows all of it."""
KEPT = 100_000
"""Lines that are held while the end is followed; who reads further up loses none."""
SEARCHED = 20_000
"""Lines that are searched before keys have their turn."""


class LogPane(ScrollView, can_focus=True):
    """Lines, with the step and the stream of each; follows the end while that is in sight."""

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log-pane--label",
        "log-pane--error",
        "log-pane--match",
        "log-pane--current",
    }
    DEFAULT_CSS = """
    LogPane {
        .log-pane--label { color: $foreground-muted; }
        .log-pane--error { color: $text-error; text-style: bold; }
        .log-pane--match { background: $warning-muted; color: $text-warning; }
        .log-pane--current { background: $warning; color: auto; text-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "match(1)", "Next", id="log.next", tooltip="Next line found"),
        Binding("N", "match(-1)", "Previous", id="log.previous", tooltip="Previous line found"),
        Binding("escape", "clear_search", "Clear", id="log.clear", tooltip="End the search"),
        Binding("j", "scroll_down", "Scroll down", id="log.down", show=False),
        Binding("k", "scroll_up", "Scroll up", id="log.up", show=False),
        Binding("g", "scroll_home", "Top", id="log.top", show=False),
        Binding("G", "scroll_end", "End", id="log.end", show=False),
    ]

    class Found(Message):
        """The search has found more, or went to another line."""

    class Cleared(Message):
        """The search was ended."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[LogLine] = []
        self._width = 0
        self._follows = True
        """Whether the end was in sight when somebody scrolled last."""
        self._wanted = ""
        self._matches: list[int] = []
        self._searched = 0
        self._current = -1
        """The line that the search is at; none before somebody goes to one."""

    # -- lines

    @property
    def lines(self) -> Sequence[LogLine]:
        """The lines that are held."""
        return self._lines

    def write(self, lines: list[LogLine]) -> None:
        """Add lines at the end."""
        follows = self._follows and not self.is_vertical_scrollbar_grabbed
        self._lines += lines
        self._width = max(self._width, max(map(_width, lines), default=0))
        if follows and len(self._lines) > KEPT + SEARCHED:
            self._prune(len(self._lines) - KEPT)
        self.virtual_size = Size(self._width, len(self._lines))
        if follows:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        self.refresh()
        self._search_on()

    def clear(self) -> None:
        """Hold no lines any more; what is searched for stays."""
        self._lines = []
        self._width = 0
        self._follows = True
        self._forget_matches()
        self.virtual_size = Size(0, 0)
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Note whether the end is in sight."""
        super().watch_scroll_y(old_value, new_value)
        if self.size.height:
            self._follows = self.is_vertical_scroll_end

    def on_resize(self) -> None:
        """Show the end again, where it was followed; what came while hidden moved nothing."""
        if self._follows:
            self.scroll_end(animate=False, x_axis=False)

    def _prune(self, count: int) -> None:
        del self._lines[:count]
        self._matches = [n - count for n in self._matches[bisect_left(self._matches, count) :]]
        self._searched = max(0, self._searched - count)
        self._current = max(-1, self._current - count)

    # -- searching

    @property
    def is_searching(self) -> bool:
        """Whether there is something that is searched for."""
        return bool(self._wanted)

    @property
    def found(self) -> str:
        """How far the search is: `3 of 17`, or `none`."""
        if not self._matches:
            return "none"
        at = bisect_left(self._matches, self._current)
        is_at = at < len(self._matches) and self._matches[at] == self._current
        return f"{at + 1:,} of {len(self._matches):,}" if is_at else f"{len(self._matches):,} found"

    def search(self, wanted: str) -> None:
        """Look for a text in any case; for nothing, where it is empty."""
        self._wanted = wanted.lower()
        self._forget_matches()
        self.refresh()
        self._search_on()
        self.refresh_bindings()

    def _forget_matches(self) -> None:
        self._matches, self._searched, self._current = [], 0, -1

    def _search_on(self) -> None:
        if not self._wanted:
            return
        start = self._searched
        stop = self._searched = min(len(self._lines), start + SEARCHED)
        lines, wanted = self._lines, self._wanted
        self._matches += [n for n in range(start, stop) if wanted in lines[n].shown.lower()]
        self.post_message(self.Found())
        if stop < len(lines):
            self.set_timer(0.001, self._search_on)

    def action_match(self, step: int) -> None:
        """Go to the next line found, or the one before; around the end, on from the beginning."""
        if not self._matches:
            return
        at = self._current if self._current >= 0 else self.scroll_offset.y - step
        place = bisect_right(self._matches, at) if step > 0 else bisect_left(self._matches, at) - 1
        self._current = self._matches[place % len(self._matches)]
        self.scroll_to(y=max(0, self._current - self.size.height // 2), animate=False)
        self.refresh()
        self.post_message(self.Found())

    def action_clear_search(self) -> None:
        """End the search."""
        if not self._wanted:
            raise SkipAction
        self.search("")
        self.post_message(self.Cleared())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the search's keys while there is one."""
        return self.is_searching if action in ("match", "clear_search") else True

    # -- drawing

    def render_line(self, y: int) -> Strip:
        """Draw the line that is in sight at `y`."""
        x, top = self.scroll_offset
        n, width, style = top + y, self.size.width, self.rich_style
        if n >= len(self._lines):
            return Strip.blank(width, style)
        line = self._text(n, style)
        strip = Strip(line.render(app_of(self).console), line.cell_len)
        return strip.crop_extend(x, x + width, style).apply_offsets(x, n)

    def _text(self, n: int, style: Style) -> Text:
        line = self._lines[n]
        drawn = Text(style=style, no_wrap=True, end="")
        part = self.get_component_rich_style
        if line.label is not None:
            drawn.append(f"{text.fit(line.label, LABEL)} ", part("log-pane--label", partial=True))
        is_error = line.stream == "stderr"
        sign = "log-pane--error" if is_error else "log-pane--label"
        drawn.append(f"{line.sign} ", part(sign, partial=True))
        content = ansi.styled(line.raw[: WIDEST * 4])
        if len(content) > WIDEST or len(line.raw) > WIDEST * 4:
            content.truncate(WIDEST)
            content.append("…")
        if self._wanted:
            found = "log-pane--current" if n == self._current else "log-pane--match"
            pattern = re.compile(re.escape(self._wanted), re.IGNORECASE)
            content.highlight_regex(pattern, part(found, partial=True))
        drawn.append_text(content)
        self._select(drawn, n)
        return drawn

    def _select(self, drawn: Text, n: int) -> None:
        selection = self.text_selection
        span = selection.get_span(n) if selection is not None else None
        if span is not None:
            start, end = span
            style = self.screen.get_component_rich_style("screen--selection")
            drawn.stylize(style, start, len(drawn) if end == -1 else end)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the text that is selected."""
        return selection.extract("\n".join(line.whole for line in self._lines)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw what is selected now."""
        self.refresh()


def _width(line: LogLine) -> int:
    prefix = 2 if line.label is None else LABEL + 3
    shown = line.shown[:WIDEST]
    return prefix + (len(shown) if shown.isascii() else cell_len(shown)) + 1
