"""What the command palette offers: the actions of the screen, each workflow, recent runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from wrkflw_tui.tui import deeds, text
from wrkflw_tui.tui.widgets.page import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from wrkflw_tui.tui.app import WrkflwApp

RECENT = 20
"""How many runs are offered."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing that can be done."""

    title: str
    help: str
    deed: Callable[[], Any]


class Commands(Provider):
    """Everything that can be done from here, the nearest first."""

    @property
    def host(self) -> WrkflwApp:
        """The app, by its own type."""
        return cast("WrkflwApp", self.app)  # pyright: ignore[reportUnknownMemberType]

    async def discover(self) -> Hits:
        """Offer all of it, in order, before anything is typed."""
        for command in self._commands():
            title = say(command.title)
            yield DiscoveryHit(title, command.deed, text=command.title, help=command.help)

    async def search(self, query: str) -> Hits:
        """Offer what the typed letters are in."""
        matcher = self.matcher(query)
        for command in self._commands():
            score = matcher.match(command.title)
            if score > 0:
                title = matcher.highlight(command.title)
                yield Hit(score, title, command.deed, text=command.title, help=command.help)

    def _commands(self) -> Iterator[Command]:
        yield from self._actions()
        app = self.host
        for entry in app.known.catalog.workflows:
            title = f"Run {entry.workflow_id}"
            help = text.one_line(entry.description or entry.file)
            yield Command(title, help, partial(_run, app, entry.workflow_id))
        now = app.clock()
        for run in app.known.newest()[:RECENT]:
            title = f"Open run {run.workflow_id} #{text.short_id(run.run_id)}"
            help = f"{text.mark(run.status)[1]}, {text.ago(run.created_at, now)}"
            yield Command(text.one_line(title), help, partial(app.open_run, run.run_id))
        for system in app.get_system_commands(self.screen):  # pyright: ignore[reportUnknownMemberType]
            if system.title not in ("Keys", "Quit", "Maximize", "Minimize"):
                yield Command(system.title, system.help, system.callback)

    def _actions(self) -> Iterator[Command]:
        app = self.host
        seen = {"Clear the filter", "Commands"}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            is_ours = binding.id is not None and not binding.id.startswith(
                ("rows.", "page.", "place.list", "place.detail")
            )
            if not (is_ours and active.enabled) or binding.description in seen:
                continue
            seen.add(binding.description)
            key = app.get_key_display(binding)
            help = f"{binding.tooltip} ({key})" if binding.tooltip else f"key {key}"
            action = partial(app.run_action, binding.action, active.node)
            yield Command(binding.description, help, action)


def _run(app: WrkflwApp, workflow_id: str) -> None:
    app.do(deeds.run_with_form(app, workflow_id))
