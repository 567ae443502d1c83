"""What the places have in common: the frame, the filter, and how changes reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.screen import Screen

from wrkflw_tui.tui.typed import app_of
from wrkflw_tui.tui.widgets.key_bar import KeyBar
from wrkflw_tui.tui.widgets.place_bar import PlaceBar
from wrkflw_tui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult
    from textual.widget import Widget

    from wrkflw_tui.tui.app import WrkflwApp
    from wrkflw_tui.tui.known import Change, Known
    from wrkflw_tui.tui.widgets.filter_bar import FilterBar


class AppScreen(Screen[None]):
    """A full screen of this app, with the top line and the keys at the bottom."""

    PLACE: ClassVar[str] = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual's own type
    VERTICAL_BREAKPOINTS = [(0, "-low"), (30, "-tall")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        """The frame, around what the place shows."""
        yield PlaceBar(self.PLACE)
        yield from self.body()
        yield KeyBar()

    def body(self) -> Iterable[Widget]:
        """What the place shows."""
        raise NotImplementedError

    @property
    def host(self) -> WrkflwApp:
        """The app, by its own type."""
        return cast("WrkflwApp", app_of(self))

    @property
    def known(self) -> Known:
        """What is known of the record."""
        return self.host.known

    def on_screen_resume(self) -> None:
        """Catch up with what changed while another screen was in front."""
        self.show_state()
        self.record_changed(None)

    def show_state(self) -> None:
        """Bring the top line up to date."""
        bar = self.query_one_optional(PlaceBar)
        if bar is not None:
            bar.busy = len(self.known.active())
            bar.asked = len(self.known.questions)
            worker = self.host.worker
            bar.worker = self.known.problem or ("" if worker is None else worker.status)

    def record_changed(self, change: Change | None) -> None:
        """Show what changed; `None` stands for anything."""


class Place(AppScreen):
    """One of the places: a list that can be filtered, and what belongs to its row."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="place.filter", key_display="/"),
        Binding("escape", "unfilter", "Clear the filter", id="place.unfilter", show=False),
        Binding("h,left", "focus_list", "To the list", id="place.list", show=False),
        Binding("l,right", "focus_detail", "To the details", id="place.detail", show=False),
    ]

    filter_text = ""

    def every(self, seconds: float) -> None:
        """Draw the list again and again, so that relative times stay true."""
        self.set_interval(seconds, self._draw_if_seen)

    def _draw_if_seen(self) -> None:
        if self.is_current:
            self.show_rows()

    def show_rows(self) -> None:
        """Draw the list."""
        raise NotImplementedError

    def matches(self, *texts: str) -> bool:
        """Say whether every word of the filter is in one of the texts."""
        whole = " ".join(texts).casefold()
        return all(word in whole for word in self.filter_text.casefold().split())

    async def action_filter(self) -> None:
        """Show the filter and type into it."""
        from wrkflw_tui.tui.widgets.filter_bar import FilterBar  # an Input costs at start

        bar = self._filter_bar()
        if bar is None:
            bar = FilterBar()
            await self.query_one("#list").mount(bar)
        bar.open()

    def _filter_bar(self) -> FilterBar | None:
        return cast("FilterBar | None", self.query_one_optional("FilterBar"))

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """Show what matches."""
        self.filter_text = event.text
        self.record_changed(None)

    def on_filter_bar_closed(self) -> None:
        """Go back to the list."""
        self.query_one(Rows).focus()

    def action_unfilter(self) -> None:
        """Show everything again."""
        bar = self._filter_bar()
        if bar is not None:
            bar.clear()
        self.query_one(Rows).focus()

    def action_focus_list(self) -> None:
        """Go to the list."""
        self.query_one(Rows).focus()

    def action_focus_detail(self) -> None:
        """Go to what belongs to the row."""
        detail = self.query_one_optional("#detail")
        if detail is not None:
            detail.focus()
