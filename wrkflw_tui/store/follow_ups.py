"""What is to follow ends and questions, as the folder's settings were last good."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wrkflw_tui.store.file import next_revision

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

Event = Literal["failure", "success", "question"]
Kind = Literal["notify", "command", "webhook", "workflow"]
ALL = ""
"""Stands for every workflow that says nothing of its own."""


@dataclass(frozen=True, slots=True)
class FollowUpRule:
    """One thing that follows an event."""

    workflow_id: str
    """`ALL`, or the workflow that it stands for in place of what is said for all."""
    event: Event
    kind: Kind | Literal["nothing"]
    """`nothing` where a workflow says that nothing follows."""
    target: object = None
    """A command's arguments, an address, a workflow's id."""


def replace(connection: sqlite3.Connection, rules: Sequence[FollowUpRule]) -> None:
    """Put rules in place of all that were there; within an event they keep their order."""
    next_revision(connection)
    connection.execute("DELETE FROM wrkflw_follow_ups")
    connection.executemany(
        "INSERT INTO wrkflw_follow_ups VALUES (?, ?, ?, ?, ?)",
        [
            (rule.workflow_id, rule.event, place, rule.kind, json.dumps(rule.target))
            for place, rule in enumerate(rules)
        ],
    )
