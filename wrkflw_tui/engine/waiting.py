"""Walking nodes that only wait: sleep, sleep_until and wait_for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from wrkflw_tui.engine.errors import EventTimeout, InvalidAnswer
from wrkflw_tui.engine.models import Question, to_micros
from wrkflw_tui.engine.values import Value

if TYPE_CHECKING:
    from wrkflw_tui.engine.frames import Frame
    from wrkflw_tui.engine.journal import Entry
    from wrkflw_tui.engine.nodes import SleepNode, WaitNode
    from wrkflw_tui.engine.walk import Walk


async def walk_sleep(walk: Walk, node: SleepNode, path: str, frame: Frame, value: Value) -> Value:
    """Wait until the instant on record, which is computed once; the value stays as it is."""
    known = walk.journal.find(path)
    if known is not None and known.status == "success":
        return value
    if known is None or known.status != "waiting":
        with walk.entered(path, node.id, "sleep", value) as known:
            known.wake_at = _instant(walk, node, known, frame, value)
        walk.journal.wait(known)
    due = known.wake_at
    if due is not None and due > to_micros(walk.clock.now()):
        await walk.waits.until(known, due, frame)
    walk.journal.end(known, "success")
    return value


def _instant(walk: Walk, node: SleepNode, entry: Entry, frame: Frame, value: Value) -> int:
    """Return when a sleep ends, in microseconds."""
    given = node.fixed
    if node.function is not None:
        given = walk.call(node, entry, node.id, frame, value)
    now = walk.clock.now()
    if node.is_until:
        if not isinstance(given, datetime):
            raise TypeError(f"sleep_until takes a datetime, not {given!r}")
        if given.tzinfo is None:
            raise ValueError(f"sleep_until takes an instant with a time zone, not {given!r}")
        return to_micros(given.astimezone(UTC))
    if not isinstance(given, timedelta):
        raise TypeError(f"sleep takes a timedelta, not {given!r}")
    return to_micros(now + given)


async def walk_wait(walk: Walk, node: WaitNode, path: str, frame: Frame, value: Value) -> Value:
    """Wait for an event, and give its payload."""
    entry = walk.journal.find(path)
    if entry is None or entry.status != "waiting":
        entry = walk.journal.start(path, node.id, "wait", value.text)
        if node.timeout is not None:
            entry.wake_at = to_micros(walk.clock.now() + node.timeout)
        question = Question(path, "event", node.event, schema=node.json_schema)
        entry.question = question.to_json()
        walk.journal.wait(entry)
    opened = entry

    def ready() -> str | None:
        return walk.journal.take_event(opened, node.event)

    text = await walk.waits.told(opened, opened.wake_at, frame, ready)
    if text is None:
        walk.fail(opened, EventTimeout(f"event {node.event!r} did not come in {node.timeout}"))
    try:
        text, live = walk.store(node.output_schema, node.output_schema.load(text))
    except Exception as error:  # Pydantic's, or whatever an author's validator raises
        walk.fail(opened, InvalidAnswer(f"event {node.event!r} does not fit: {error}"))
    walk.journal.end(opened, "success", text)
    return Value(text, node.output_schema, live)
