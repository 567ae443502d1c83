"""What follows a run, as lines: what it is, how it stands, and why it has not come to pass."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, cast

from wrkflw_tui.drawing.times import exact
from wrkflw_tui.drawing.words import one_line, plain
from wrkflw_tui.store.deliveries import ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wrkflw_tui.store.deliveries import Delivery
    from wrkflw_tui.store.follow_ups import Event

_HAPPENED: dict[Event, str] = {"success": "succeeded", "failure": "failed", "question": "asks"}
_OUTPUT_LINES = 5
"""Lines that are shown of what a command printed last."""


def headline(workflow_id: str, event: Event) -> str:
    """Say what has happened, in the few words of a notification's title."""
    return one_line(f"{workflow_id} {_HAPPENED[event]}")


def delivery_lines(deliveries: Iterable[Delivery]) -> Iterator[str]:
    """Write a few lines for each delivery."""
    for delivery in deliveries:
        yield f"  {_glyph(delivery)} on {delivery.event}  {_what(delivery)}"
        yield f"      {_standing(delivery)}"
        if delivery.error is not None:
            yield f"      {one_line(delivery.error)}"
        for line in plain(delivery.output or "").rstrip().splitlines()[-_OUTPUT_LINES:]:
            yield f"      │ {line}"


def _glyph(delivery: Delivery) -> str:
    if delivery.status == "pending":
        return "○" if delivery.begun_at is None else "●"
    return "✓" if delivery.status == "delivered" else "✗"


def _what(delivery: Delivery) -> str:
    match delivery.kind:
        case "notify":
            return "notification"
        case "command":
            return one_line(f"command {shlex.join(cast('list[str]', delivery.target))}")
        case _:
            return one_line(f"{delivery.kind} {delivery.target}")


def _standing(delivery: Delivery) -> str:
    # One that was cut off is made again, beyond the others if need be.
    tries = f"attempt {delivery.attempts} of {max(ATTEMPTS, delivery.attempts)}"
    if delivery.status == "delivered":
        at = "" if delivery.ended_at is None else f" {exact(delivery.ended_at)}"
        started = f", started run {delivery.started_run}" if delivery.started_run else ""
        again = f", {tries}" if delivery.attempts > 1 else ""
        return f"delivered{at}{again}{started}"
    if delivery.status == "failed":
        made = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
        return f"not delivered, given up after {made}"
    if delivery.begun_at is not None:
        return f"{tries} is under way"
    if delivery.attempts == 0:
        return "waits for a worker"
    return f"{tries} was in vain, the next comes {exact(delivery.next_at)}"
