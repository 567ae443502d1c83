"""A list of keyed rows drawn by line: as long as it likes, repainted only where it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from wrkflw_tui.tui import text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events

Cell = tuple[tuple[str, text.Role], ...]
"""Pieces of text, each with its role."""


def cell(content: str, role: text.Role = "") -> Cell:
    """Make a cell of one piece."""
    return ((content, role),)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: of a fixed width, or taking a share of what is left over."""

    title: str
    width: int = 0
    """In cells; 0 takes what is left over."""
    right: bool = False
    needs: int = 0
    """The least width of the list at which the column is shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `key` names it for good, whatever its place."""

    key: str
    cells: tuple[Cell, ...]
    wide: bool = False
    """Whether its second cell takes the place of all columns after the first."""


class Rows(ScrollView, can_focus=True):
    """A list with a cursor that stays on its row while others come and go."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rows--header",
        "rows--cursor",
        "rows--hover",
        "rows--good",
        "rows--bad",
        "rows--live",
        "rows--wait",
        "rows--muted",
        "rows--accent",
        "rows--strong",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", id="rows.down", show=False),
        Binding("up,k", "move(-1)", "Up", id="rows.up", show=False),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", id="rows.page_down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", id="rows.page_up", show=False),
        Binding("home,g", "edge(0)", "First", id="rows.first", show=False),
        Binding("end,G", "edge(-1)", "Last", id="rows.last", show=False),
        Binding("enter", "open", "Open", id="rows.open"),
    ]
    DEFAULT_CSS = """
    Rows {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size-vertical: 1;
        .rows--header { color: $foreground-muted; text-style: bold; }
        .rows--cursor { background: $boost; }
        .rows--hover { background: $boost; }
        .rows--good { color: $text-success; }
        .rows--bad { color: $text-error; }
        .rows--live { color: $text-accent; text-style: bold; }
        .rows--wait { color: $text-warning; }
        .rows--muted { color: $foreground-muted; }
        .rows--accent { color: $text-accent; }
        .rows--strong { text-style: bold; }
        &:focus .rows--cursor { background: $primary 35%; text-style: bold; }
        &:ansi .rows--cursor { text-style: reverse; }
        &:ansi:focus .rows--cursor { text-style: reverse bold; }
    }
    """

    cursor = reactive(0, repaint=False)

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, rows: Rows, key: str, by_person: bool) -> None:
            super().__init__()
            self.rows = rows
            self.key = key
            self.by_person = by_person

        @property
        def control(self) -> Rows:
            """The list."""
            return self.rows

    class Opened(Message):
        """A row was chosen."""

        def __init__(self, rows: Rows, key: str) -> None:
            super().__init__()
            self.rows = rows
            self.key = key

        @property
        def control(self) -> Rows:
            """The list."""
            return self.rows

    def __init__(
        self, columns: Sequence[Column], *, header: bool = True, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._header = int(header)
        self._rows: list[Row] = []
        self._hover = -1
        self._told: str | None = None

    @property
    def key(self) -> str | None:
        """The key of the row under the cursor."""
        return self._rows[self.cursor].key if self._rows else None

    @property
    def keys(self) -> list[str]:
        """The keys of all rows, in order."""
        return [row.key for row in self._rows]

    def cell_text(self, key: str, column: int) -> str:
        """Return what stands in a cell."""
        row = next(row for row in self._rows if row.key == key)
        return "".join(piece for piece, _ in row.cells[column])

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows; only lines that differ are drawn anew, the cursor keeps its row."""
        before, self._rows = self._rows, list(rows)
        kept = before[self.cursor].key if before else None
        place = next((n for n, row in enumerate(rows) if row.key == kept), None)
        if place is None:
            place = max(0, min(self.cursor, len(rows) - 1))
        if len(before) != len(rows):
            self.virtual_size = Size(0, len(rows) + self._header)
            self.refresh()
        else:
            for n, (old, new) in enumerate(zip(before, self._rows, strict=True)):
                if old != new:
                    self._refresh_row(n)
        if place != self.cursor:
            shift = place - self.cursor
            self.set_reactive(Rows.cursor, place)
            if self.scroll_offset.y > 0:
                self.scroll_to(y=self.scroll_offset.y + shift, animate=False)
            self.refresh()
        self._tell(by_person=False)

    def redraw(self, made: Callable[[str], Row | None]) -> None:
        """Make the rows in sight anew, of their keys: however many others there are."""
        top = self.scroll_offset.y
        for place in range(top, min(len(self._rows), top + max(1, self.size.height))):
            row = made(self._rows[place].key)
            if row is not None and row != self._rows[place]:
                self._rows[place] = row
                self._refresh_row(place)

    def select(self, key: str) -> None:
        """Put the cursor on a row, without it counting as the person's own move."""
        for n, row in enumerate(self._rows):
            if row.key == key:
                self._go(n, by_person=False)

    def _go(self, place: int, *, by_person: bool = True) -> None:
        place = max(0, min(len(self._rows) - 1, place))
        before = self.cursor
        self.set_reactive(Rows.cursor, place)
        if before != place:
            self._refresh_row(before)
            self._refresh_row(place)
        self._reveal(place)
        self._tell(by_person=by_person)

    def _reveal(self, place: int) -> None:
        top, room = self.scroll_offset.y, max(1, self.size.height - self._header)
        if place < top:
            self.scroll_to(y=place, animate=False)
        elif place >= top + room:
            self.scroll_to(y=place - room + 1, animate=False)

    def _tell(self, *, by_person: bool) -> None:
        key = self.key
        if key is not None and (key != self._told or by_person):
            self._told = key
            self.post_message(self.Moved(self, key, by_person))

    def _refresh_row(self, place: int) -> None:
        y = place - self.scroll_offset.y + self._header
        if self._header <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    # -- what the person does

    def action_move(self, step: int) -> None:
        """Move the cursor by some rows."""
        self._go(self.cursor + step)

    def action_page(self, direction: int) -> None:
        """Move the cursor by a screenful."""
        self._go(self.cursor + direction * max(1, self.size.height - self._header - 1))

    def action_edge(self, place: int) -> None:
        """Move the cursor to the first row, or to the last."""
        self._go(len(self._rows) - 1 if place else 0)

    def action_open(self) -> None:
        """Choose the row under the cursor."""
        if self.key is not None:
            self.post_message(self.Opened(self, self.key))

    def _place_at(self, y: int) -> int:
        place = y - self._header + self.scroll_offset.y
        return place if y >= self._header and place < len(self._rows) else -1

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; twice opens."""
        place = self._place_at(event.y)
        if place >= 0:
            self._go(place)
            if event.chain == 2:
                self.action_open()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Show which row the mouse is over."""
        self._set_hover(self._place_at(event.y))

    def on_leave(self) -> None:
        """The mouse is elsewhere."""
        self._set_hover(-1)

    def _set_hover(self, place: int) -> None:
        if place != self._hover:
            before, self._hover = self._hover, place
            self._refresh_row(before)
            self._refresh_row(place)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.virtual_size = Size(0, len(self._rows) + self._header)
        if self._rows:
            self._reveal(self.cursor)

    # -- drawing

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is in sight."""
        width = self.scrollable_content_region.width
        base = self.rich_style
        if y < self._header:
            titles = tuple(cell(column.title) for column in self.columns)
            style = base + self._style("header")
            return self._draw(titles, width, style, wide=False)
        place = y - self._header + self.scroll_offset.y
        if place >= len(self._rows):
            return Strip.blank(width, base)
        style = base
        if place == self.cursor:
            style = base + self._line_style("cursor")
        elif place == self._hover:
            style = base + self._line_style("hover")
        row = self._rows[place]
        return self._draw(row.cells, width, style, wide=row.wide)

    def _line_style(self, name: str) -> Style:
        """Return the style of a whole line: its background is blended with what is beneath."""
        full = self.get_component_rich_style(f"rows--{name}")
        return Style(bgcolor=full.bgcolor, bold=full.bold, reverse=full.reverse)

    def _style(self, name: str) -> Style:
        """Return the style of a piece of text, whatever line it is on."""
        full = self.get_component_rich_style(f"rows--{name}")
        return Style(color=full.color, bold=full.bold or None)

    def _draw(self, cells: tuple[Cell, ...], width: int, style: Style, *, wide: bool) -> Strip:
        segments: list[Segment] = []
        widths = self._widths(width)
        if wide and len(widths) > 1:
            widths = [widths[0], width - widths[0] - 1] + [0] * (len(widths) - 2)
        for column, content, room in zip(self.columns, cells, widths, strict=False):
            if room > 0:
                if segments:
                    segments.append(Segment(" ", style))
                segments.extend(self._pieces(content, room, style, right=column.right and not wide))
        return Strip(segments).adjust_cell_length(width, style)

    def _pieces(self, content: Cell, room: int, style: Style, *, right: bool) -> list[Segment]:
        whole = [(text.plain(piece).replace("\n", " "), role) for piece, role in content]
        used = sum(cell_len(piece) for piece, _ in whole) if right else 0
        segments = [Segment(" " * (room - used), style)] if 0 < used < room else []
        left = min(room, used) if right and used else room
        for n, (piece, role) in enumerate(whole):
            if left <= 0:
                break
            shown = text.cut(piece, left) if n < len(whole) - 1 else text.fit(piece, left)
            segment = Segment(shown, style + self._style(role) if role else style)
            segments.append(segment)
            left -= segment.cell_length
        return segments

    def _widths(self, width: int) -> list[int]:
        shown = [column.needs <= width for column in self.columns]
        visible = [column for column in self.columns if column.needs <= width]
        fixed = sum(column.width for column in visible)
        shares = sum(column.width == 0 for column in visible)
        left = width - fixed - (len(visible) - 1)
        widths: list[int] = []
        for column, is_shown in zip(self.columns, shown, strict=True):
            if not is_shown:
                widths.append(0)
            elif column.width:
                widths.append(column.width)
            else:
                share = left // shares
                widths.append(max(1, share))
                left, shares = left - share, shares - 1
        return widths
