"""What a run says, as lines that are drawn when they come into sight, and searched."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from rich.cells import cell_len
from rich.text import Text
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from wrkflw_tui.tui import ansi, text
from wrkflw_tui.tui.log_lines import LABEL, MOST_FOUND, LogLine, LogLines
from wrkflw_tui.tui.typed import app_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from rich.style import Style
    from textual.selection import Selection

    from wrkflw_tui.tui.log_lines import LogNews, Place

T = TypeVar("T")

WIDEST = 2000
"""Characters of a line that are drawn; the pager shows all of it."""


class Reader(Protocol):
    """What a pane needs of its app: to read the record without holding up the keys."""

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Read from the record; `None` where that went wrong, and was said."""
        ...

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that waits."""
        ...


class LogPane(ScrollView, can_focus=True):
    """Lines, with the step and the stream of each; follows the end while that is in sight.

    Only those in sight are read, so that a log of any length opens at once.
    """

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

    def __init__(self, reader: Reader, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._reader = reader
        self._log = LogLines("")
        self._coming = self._log
        """The log to show once it was looked at; until then the one before stays."""
        self._width = 0
        self._follows = True
        """Whether the end was in sight when somebody scrolled last."""
        self._is_looking = self._looks_again = False
        self._is_loading = False
        self._wanted = ""
        self._matches: list[Place] = []
        self._searched = 0
        """The last stretch that was searched."""
        self._is_searching_on = False
        self._step = 0
        """Where somebody wants to go as soon as the search is through."""
        self._current: Place | None = None
        """The line that the search is at; none before somebody goes to one."""

    # -- lines

    @property
    def log_lines(self) -> LogLines:
        """The log that is shown."""
        return self._log

    def show(self, run_id: str, path: str) -> None:
        """Show what is on record of a run, or of a step and what is below it, by now."""
        if (run_id, path) != (self._coming.run_id, self._coming.path):
            self._coming = LogLines(run_id, path)
        if self._is_looking:
            self._looks_again = True
        else:
            self._is_looking = True
            self._reader.do(self._look())

    async def _look(self) -> None:
        try:
            while True:
                self._looks_again, log = False, self._coming
                tail = max(self.size.height, 1) if self._follows or log is not self._log else 0
                news = await self._reader.read(lambda c, log=log, tail=tail: log.look(c, tail))
                if news is None or not self.is_attached:
                    return
                if log is self._coming:
                    self._take(log, news)
                if not self._looks_again:
                    return
        finally:
            self._is_looking = False

    def _take(self, log: LogLines, news: LogNews) -> None:
        if log is not self._log:
            self._log, self._follows, self._width = log, True, 0
            self._forget_matches()
        follows = self._follows and not self.is_vertical_scrollbar_grabbed
        top = log.place(self.scroll_offset.y) if len(log) > self.scroll_offset.y else None
        was_cut = log.take(news)
        self._widen(log.hold(news.tail))
        if follows:
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
        elif was_cut and top is not None:
            self.scroll_to(y=log.number(top), animate=False, immediate=True)
        if was_cut:
            self._matches = [place for place in self._matches if log.holds(place)]
        self.refresh()
        self._search_on()

    def _widen(self, lines: Iterable[LogLine]) -> None:
        self._width = max(self._width, max(map(_width, lines), default=0))
        self.virtual_size = Size(self._width, len(self._log))

    def _load_soon(self) -> None:
        """Read what is in sight, and as much before and after it."""
        if not self._is_loading:
            self._is_loading = True
            self._reader.do(self._load())

    async def _load(self) -> None:
        try:
            log, top, height = self._log, self.scroll_offset.y, self.size.height
            lacking = log.missing(max(0, top - height), top + 2 * height)
            if lacking is None:
                return
            stretches = await self._reader.read(lambda c: log.read(c, lacking))
            if stretches and log is self._log:
                self._widen(log.hold(stretches))
                self.refresh()
        finally:
            self._is_loading = False

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Note whether the end is in sight."""
        super().watch_scroll_y(old_value, new_value)
        if self.size.height:
            self._follows = self.is_vertical_scroll_end

    def on_resize(self) -> None:
        """Show the end again, where it was followed; what came while hidden moved nothing."""
        if self._follows:
            self.scroll_end(animate=False, force=True, x_axis=False)

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
        if self._current is not None:
            at = bisect_left(self._matches, self._current)
            if at < len(self._matches) and self._matches[at] == self._current:
                return f"{at + 1:,} of {len(self._matches):,}"
        return f"{len(self._matches):,} found"

    def search(self, wanted: str) -> None:
        """Look for a text in any case; for nothing, where it is empty."""
        self._wanted = wanted.lower()
        self._forget_matches()
        self.refresh()
        self._search_on()
        self.refresh_bindings()

    def _forget_matches(self) -> None:
        self._matches, self._searched, self._current = [], 0, None

    def _search_on(self) -> None:
        if self._wanted and not self._is_searching_on:
            self._is_searching_on = True
            self._reader.do(self._search())

    async def _search(self) -> None:
        try:
            is_done = False
            while not is_done and self._wanted and len(self._matches) < MOST_FOUND:
                log, wanted, after = self._log, self._wanted, self._searched
                found = await self._reader.read(
                    lambda c, log=log, wanted=wanted, after=after: log.search(c, wanted, after)
                )
                if found is None or not self.is_attached:
                    return
                if (log, wanted, after) != (self._log, self._wanted, self._searched):
                    continue  # something else is looked for by now
                places, self._searched, is_done = found
                self._matches += places
                self.post_message(self.Found())
        finally:
            self._is_searching_on = False
        step, self._step = self._step, 0
        if step:
            self.action_match(step)
        self.refresh()

    def action_match(self, step: int) -> None:
        """Go to the next line found, or the one before; around the end, on from the beginning."""
        if self._is_searching_on:
            self._step = step
            return
        if not self._matches:
            return
        at = self._current
        if at is None:
            top = self._log.place(min(self.scroll_offset.y, len(self._log) - 1))
            at = (top[0], top[1] - step)
        place = bisect_right(self._matches, at) if step > 0 else bisect_left(self._matches, at) - 1
        self._current = self._matches[place % len(self._matches)]
        number = self._log.number(self._current)
        self.scroll_to(y=max(0, number - self.size.height // 2), animate=False)
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
        line = self._log.line(n) if n < len(self._log) else None
        if line is None:
            if n < len(self._log):
                self._load_soon()
            return Strip.blank(width, style)
        drawn = self._text(line, n, style)
        strip = Strip(drawn.render(app_of(self).console), drawn.cell_len)
        return strip.crop_extend(x, x + width, style).apply_offsets(x, n)

    def _text(self, line: LogLine, n: int, style: Style) -> Text:
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
            is_current = self._current is not None and self._log.place(n) == self._current
            found = "log-pane--current" if is_current else "log-pane--match"
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
        """Return the text that is selected, as far as it was looked at."""
        first = selection.start.y if selection.start is not None else 0
        last = selection.end.y if selection.end is not None else len(self._log) - 1
        lines = (self._log.line(n) for n in range(first, min(last + 1, len(self._log))))
        content = "\n".join("" if line is None else line.whole for line in lines)
        return selection.extract("\n" * first + content), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw what is selected now."""
        self.refresh()


def _width(line: LogLine) -> int:
    prefix = 2 if line.label is None else LABEL + 3
    shown = line.shown[:WIDEST]
    return prefix + (len(shown) if shown.isascii() else cell_len(shown)) + 1
