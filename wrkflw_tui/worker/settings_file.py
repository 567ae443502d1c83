"""The folder's settings, put on record when they change; the last good ones stay in force."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from wrkflw_tui.store import catalog, follow_ups
from wrkflw_tui.store.follow_ups import ALL, FollowUpRule
from wrkflw_tui.worker.folder import SETTINGS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from wrkflw_tui.settings import FollowUp, Settings, WorkflowSettings
    from wrkflw_tui.store.catalog import AutomationFile
    from wrkflw_tui.store.database import Database
    from wrkflw_tui.store.follow_ups import Event


async def take_settings(folder: Path, file: AutomationFile | None, database: Database) -> None:
    """Put on record what the settings say; `file` is `None` where there are none any more."""
    rules, problem = await asyncio.to_thread(_read, folder)

    def work(connection: sqlite3.Connection) -> None:
        if rules is not None:
            follow_ups.replace(connection, rules)
        if file is not None:
            found = file if problem is None else replace(file, status="broken", error=problem)
            catalog.record_file(connection, found, [])

    await database.write(work)


def _read(folder: Path) -> tuple[list[FollowUpRule] | None, str | None]:
    """Return the rules, or what is wrong with the file."""
    # Here, and on a thread: Pydantic takes a while, and most folders have no such file.
    from wrkflw_tui.settings import SettingsError, load_settings

    try:
        return list(rules_of(load_settings(folder))), None
    except SettingsError as error:
        return None, str(error).removeprefix(f"{SETTINGS}: ")


def rules_of(settings: Settings) -> Iterator[FollowUpRule]:
    """Return what is to follow which event of which workflow."""
    yield from _rules(ALL, settings.all)
    for workflow_id, own in settings.workflow.items():
        if workflow_id != ALL:  # no workflow has an empty id
            yield from _rules(workflow_id, own)


def unknown_workflows(settings: Settings, known: Collection[str]) -> Iterator[str]:
    """Say which workflows the settings name that the folder does not hold."""
    for workflow_id in settings.workflow:
        if workflow_id not in known:
            yield f"[workflow.{workflow_id}]: there is no workflow {workflow_id!r}"
    for rule in rules_of(settings):
        if rule.kind == "workflow" and rule.target not in known:
            table = f"workflow.{rule.workflow_id}" if rule.workflow_id else "all"
            yield f"[{table}] on_{rule.event}: there is no workflow {rule.target!r} to start"


def _rules(workflow_id: str, said: WorkflowSettings) -> Iterator[FollowUpRule]:
    lists: tuple[tuple[Event, tuple[FollowUp, ...] | None], ...] = (
        ("failure", said.on_failure),
        ("success", said.on_success),
        ("question", said.on_question),
    )
    for event, given in lists:
        if given == ():
            yield FollowUpRule(workflow_id, event, "nothing")
        for one in given or ():
            yield _rule(workflow_id, event, one)


def _rule(workflow_id: str, event: Event, said: FollowUp) -> FollowUpRule:
    if said.command is not None:
        return FollowUpRule(workflow_id, event, "command", said.command)
    if said.webhook is not None:
        return FollowUpRule(workflow_id, event, "webhook", said.webhook)
    if said.workflow is not None:
        return FollowUpRule(workflow_id, event, "workflow", said.workflow)
    return FollowUpRule(workflow_id, event, "notify")
