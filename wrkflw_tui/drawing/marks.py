"""The one vocabulary of statuses: a glyph, a word and what they mean to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from wrkflw_tui.engine.models import RunStatus, StepStatus

Role: TypeAlias = Literal["", "good", "bad", "live", "wait", "muted", "accent", "strong"]
"""What a piece of text means; a stylesheet gives each its colour."""

Shown: TypeAlias = "RunStatus | StepStatus | Literal['', 'skipped']"
"""What can be shown: a status on record, not started (empty), or an arm that is not taken."""

_MARKS: dict[str, tuple[str, str, Role]] = {
    "queued": ("○", "queued", "wait"),
    "running": ("●", "running", "live"),
    "sleeping": ("◔", "sleeping", "wait"),
    "suspended": ("?", "asking", "wait"),
    "waiting": ("◔", "waiting", "wait"),
    "success": ("✓", "done", "good"),
    "bailed": ("◆", "ended early", "good"),
    "failed": ("✗", "failed", "bad"),
    "cancelled": ("■", "cancelled", "muted"),
    "crashed": ("✗", "crashed", "bad"),
    "interrupted": ("◐", "interrupted", "wait"),
    "skipped": ("–", "not taken", "muted"),
    "": ("○", "not started", "muted"),
}


def mark(status: Shown) -> tuple[str, str, Role]:
    """Return the glyph, the word and the role of a status; empty stands for not started."""
    return _MARKS[status]
