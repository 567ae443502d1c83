"""What followed a run that failed: each kind, in every standing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tui.record import ago

from wrkflw_tui.store.file import closing_connection, transaction

if TYPE_CHECKING:
    from pathlib import Path

MADE = (
    ("notify", None, "failed", 1, None, "nothing here shows notifications [/red]", None, None),
    ("command", ["./call.sh", "Ada [/b]"], "delivered", 2, None, None, "told \x1b[31mAda\n", None),
    ("webhook", "http://nas/x", "pending", 3, None, "HTTP 502 Bad Gateway", "<h1>no</h1>", None),
    ("webhook", "http://nas/y", "pending", 1, ago(2), None, None, None),
    ("workflow", "morning-digest", "pending", 0, None, None, None, None),
    ("workflow", "pay-invoice", "delivered", 1, None, None, None, "0192f3a0"),
)


def build(database: Path, run_id: str) -> None:
    """Put them on record."""
    with closing_connection(database) as connection, transaction(connection):
        for number, (kind, target, status, *rest) in enumerate(MADE):
            connection.execute(
                "INSERT INTO wrkflw_deliveries (delivery_id, run, event, kind, target, status,"
                " attempts, begun_at, error, output, started_run, next_at, ended_at, happened_at,"
                " created_at) VALUES (?, (SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?),"
                " 'failure', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(f"{number:032x}", run_id, kind, json.dumps(target), status, *rest),
                    *(ago(-600), None if status == "pending" else ago(60), ago(90), ago(90)),
                ),
            )
