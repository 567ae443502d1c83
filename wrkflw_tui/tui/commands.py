"""What the command palette offers: the actions of the screen, each workflow, recent runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand

from wrkflw_tui.tui import deeds, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.screen import Screen

    from wrkflw_tui.tui.app import WrkflwApp

RECENT = 20


def commands(app: WrkflwApp, screen: Screen[Any]) -> Iterator[SystemCommand]:
    """Yield the commands, the nearest first."""
    yield from _actions(app, screen)
    for entry in app.known.catalog.workflows:
        work = partial(_later, app, deeds.run_with_form, entry.workflow_id)
        yield SystemCommand(f"Run {entry.workflow_id}", entry.description or entry.file, work)
    now = app.clock()
    for run in app.known.newest()[:RECENT]:
        _, word, _ = text.mark(run.status)
        yield SystemCommand(
            f"Open run {run.workflow_id} #{text.short_id(run.run_id)}",
            f"{word}, {text.ago(run.created_at, now)}",
            partial(app.open_run, run.run_id),
        )


def _later(app: WrkflwApp, deed: Any, workflow_id: str) -> None:
    app.do(deed(app, workflow_id))


def _actions(app: WrkflwApp, screen: Screen[Any]) -> Iterator[SystemCommand]:
    seen: set[str] = set()
    for active in screen.active_bindings.values():
        binding = active.binding
        is_ours = binding.id is not None and not binding.id.startswith(("rows.", "page."))
        if not (is_ours and active.enabled and binding.description) or binding.action in seen:
            continue
        if binding.action == "command_palette" or binding.description in seen:
            continue
        seen.update((binding.action, binding.description))
        yield SystemCommand(
            binding.description,
            binding.tooltip or f"key {app.get_key_display(binding)}",
            partial(app.run_action, binding.action, active.node),
        )
