"""What a schedule fired, newest first, and what became of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from wrkflw_tui.tui import text
from wrkflw_tui.tui.widgets.rows import Cell, Column, Row, Rows, cell

if TYPE_CHECKING:
    from wrkflw_tui.store.fires import Fire

NEAR = 15
"""How many rows before the end of the list more are asked for."""
COLUMNS = (Column("due", 19), Column("what became of it", 19), Column("why"))
ORIGINS = {"schedule": "", "backfill": "backfill", "hand": "triggered by hand"}


class FireList(Rows):
    """A list that asks for more as its end comes near."""

    class More(Message):
        """The end is near."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(COLUMNS, id=id)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for more when the mouse scrolls down."""
        super().watch_scroll_y(old_value, new_value)
        if new_value + self.size.height > len(self.keys) - NEAR:
            self.post_message(self.More())

    def on_rows_moved(self) -> None:
        """Ask for more when the cursor comes near the end."""
        if self.cursor > len(self.keys) - NEAR:
            self.post_message(self.More())


def fire_key(fire: Fire) -> str:
    """Name a fire for good: at one instant there may be one by hand beside the schedule's."""
    by_hand = "h" if fire.origin == "hand" else ""
    return f"{int(fire.due_at.timestamp())}{by_hand}"


def fire_row(fire: Fire) -> Row:
    """Return how a fire is listed."""
    due = fire.due_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return Row(fire_key(fire), (cell(due), _became(fire), _why(fire)))


def _became(fire: Fire) -> Cell:
    if fire.outcome == "skipped":
        many = f" {fire.count:,} times" if fire.count > 1 else ""
        return cell(f"- skipped{many}", "wait")
    if fire.outcome == "waiting":
        return cell("◌ waits", "wait")
    if fire.run_status is None:
        return cell("run removed" if fire.is_removed else "started", "muted")
    glyph, word, role = text.mark(fire.run_status)
    return cell(f"{glyph} {word}", role)


def _why(fire: Fire) -> Cell:
    said = [fire.reason or ORIGINS[fire.origin]]
    if fire.last_at > fire.due_at:
        said.append(f"the last {text.exact(fire.last_at)}")
    if fire.run_id is not None:
        said.append(f"run #{text.short_id(fire.run_id)}")
    return cell(text.one_line(", ".join(filter(None, said))), "muted")
