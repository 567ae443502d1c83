"""How a schedule is put into rows and words: pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from textual.content import Content

from wrkflw_tui.tui import text
from wrkflw_tui.tui.screens.policy_words import policies
from wrkflw_tui.tui.widgets.page import say
from wrkflw_tui.tui.widgets.rows import Cell, Column, Row, cell

if TYPE_CHECKING:
    from wrkflw_tui.store.schedules import ScheduleRow
    from wrkflw_tui.tui.known import ScheduleState

COLUMNS = (
    Column("workflow"),
    Column("when", 15),
    Column("in words", needs=90),
    Column("next", 21),
    Column("last", 12, needs=66),
    Column("zone", 14, needs=110),
)


def row_of(state: ScheduleState, now: datetime) -> Row:
    """Return how a schedule is listed."""
    row = state.row
    return Row(
        row.schedule_id,
        (
            _name(state, now),
            cell(row.timing, "accent"),
            cell(state.words),
            _next(row, now),
            _last(state, now),
            cell(row.zone, "muted"),
        ),
    )


def _name(state: ScheduleState, now: datetime) -> Cell:
    row = state.row
    glyph: tuple[str, text.Role] = ("● ", "good")
    if state.is_late(now.timestamp()):
        glyph = ("! ", "bad")
    elif row.paused:
        glyph = ("‖ ", "muted")
    source: Cell = ((" in code", "muted"),) if row.source == "code" else ()
    return (glyph, (row.workflow_id, ""), *source)


def _next(row: ScheduleRow, now: datetime) -> Cell:
    if row.paused:
        return cell("paused", "muted")
    if row.next_at is None:
        return cell("never", "bad")
    due = datetime.fromtimestamp(row.next_at, UTC)
    return ((text.clock(due, now), ""), (f" {text.until(due, now)}", "muted"))


def _last(state: ScheduleState, now: datetime) -> Cell:
    last = state.last
    if state.is_late(now.timestamp()):
        return cell("LATE", "bad")
    if last is None:
        return cell("none yet", "muted")
    if last.outcome != "started":
        return cell("◌ waits" if last.outcome == "waiting" else "- skipped", "wait")
    if last.run_status is None:
        return cell("run removed" if last.is_removed else "started", "muted")
    glyph, word, role = text.mark(last.run_status)
    return cell(f"{glyph} {word}", role)


def about(state: ScheduleState, now: datetime) -> Content:
    """Say all of a schedule but what it fired."""
    row = state.row
    zone = f"{row.zone} (this machine's)" if row.timezone == "local" else row.zone
    lines = [say(row.timing, "accent") + say(f"  {state.words}") + say(f"  {zone}", "muted")]
    if state.late_at is not None and state.is_late(now.timestamp()):
        since = datetime.fromtimestamp(state.late_at, UTC)
        lines.append(say("LATE", "bad") + say(f" since {text.exact(since)}: no success came"))
    if row.paused_until is not None and row.paused_until > now.timestamp():
        until = datetime.fromtimestamp(row.paused_until, UTC)
        lines.append(say(f"paused until {text.exact(until)}", "wait"))
    if row.note:
        lines.append(say(text.cut(text.one_line(row.note), 300), "wait" if row.paused else ""))
    lines.append(say(policies(row.terms), "muted"))
    if row.source == "code":
        lines.append(say(f"in code: {row.file}", "muted"))
    if row.failures:
        lines.append(say(f"{text.count(row.failures, 'failure')} in a row", "bad"))
    if row.input not in ("null", "{}"):
        lines.append(say("input ", "muted") + say(text.cut(text.one_line(row.input), 200)))
    return Content("\n").join(lines)
