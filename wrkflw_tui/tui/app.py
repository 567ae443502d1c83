"""The app: its places, what can be done from anywhere, and its ends."""

from __future__ import annotations

import asyncio
import gc
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.theme import Theme

from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.tui import ending
from wrkflw_tui.tui.feed import Feed
from wrkflw_tui.tui.known import Change, Known
from wrkflw_tui.tui.screens.place import AppScreen
from wrkflw_tui.tui.screens.workflows import WorkflowsScreen

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Coroutine

    from textual.command import Provider
    from textual.notifications import SeverityLevel
    from textual.screen import Screen

    from wrkflw_tui.config import Config
    from wrkflw_tui.store.follow_ups import Event
    from wrkflw_tui.store.notices import Notice
    from wrkflw_tui.store.storage import WorkflowStorage
    from wrkflw_tui.tui.worker_link import WorkerLink

T = TypeVar("T")


THEME = Theme(
    name="wrkflw",
    primary="#5f87af",
    secondary="#7c8aa5",
    accent="#56b6a8",
    foreground="#d5dae3",
    background="#14171d",
    surface="#191d24",
    panel="#20252e",
    success="#7fb77e",
    warning="#d9b25f",
    error="#e06c75",
    variables={
        "scrollbar": "#343b47",
        "scrollbar-hover": "#465060",
        "scrollbar-active": "#5f87af",
        "scrollbar-background": "#14171d",
        "scrollbar-background-hover": "#14171d",
        "scrollbar-background-active": "#14171d",
        "scrollbar-corner-color": "#14171d",
    },
)


FIRST_LOOK = 0.05
"""Seconds that the first frame may wait for the record, if it is not there yet."""


_SEVERITIES: dict[Event, SeverityLevel] = {
    "success": "information",
    "failure": "error",
    "question": "warning",
}


class RecordChanged(Message):
    """The record has changed since the last look."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change


def _commands() -> type[Provider]:
    from wrkflw_tui.tui.commands import Commands

    return Commands


def _runs_screen() -> Screen[Any]:
    from wrkflw_tui.tui.screens.runs import RunsScreen

    return RunsScreen()


def _schedules_screen() -> Screen[Any]:
    from wrkflw_tui.tui.screens.schedules import SchedulesScreen

    return SchedulesScreen()


def _inbox_screen() -> Screen[Any]:
    from wrkflw_tui.tui.screens.inbox import InboxScreen

    return InboxScreen()


class WrkflwApp(App[None]):
    """The app over one folder and one record."""

    TITLE = "wrkflw-tui"
    # The first screen's styles too: by themselves they would have all others read once more.
    CSS_PATH: ClassVar[list[str]] = ["app.tcss", "screens/workflows.tcss"]  # pyright: ignore[reportIncompatibleVariableOverride]
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_commands}  # pyright: ignore[reportIncompatibleVariableOverride]
    DEFAULT_MODE = "workflows"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {  # pyright: ignore[reportIncompatibleVariableOverride]
        "workflows": WorkflowsScreen,
        "runs": _runs_screen,
        "schedules": _schedules_screen,
        "inbox": _inbox_screen,
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "place('workflows')", "Workflows", id="app.workflows", show=False),
        Binding("2", "place('runs')", "Runs", id="app.runs", show=False),
        Binding("3", "place('schedules')", "Schedules", id="app.schedules", show=False),
        Binding("4", "place('inbox')", "Inbox", id="app.inbox", show=False),
        Binding("ctrl+p,colon", "command_palette", "Commands", id="app.commands", show=False),
        Binding("question_mark,f1", "help", "Help", id="app.help", key_display="?"),
        Binding("q", "quit", "Quit", id="app.quit"),
        Binding("ctrl+q", "quit", "Quit", id="app.quit_always", show=False, priority=True),
    ]

    def __init__(
        self,
        config: Config,
        storage: WorkflowStorage | None = None,
        worker: WorkerLink | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        feed: Feed | None = None,
    ) -> None:
        # Textual takes NO_COLOR out of the environment and then sends greys, but for such a theme.
        is_plain = bool(os.environ.get("NO_COLOR"))
        super().__init__(ansi_color=True if is_plain else None)
        self.config = config
        self.worker = worker
        self.clock = clock
        self.known = Known()
        self._owns_storage = storage is None
        self._storage = storage
        self._feed = feed or Feed(config.database)
        self._has_begun = False
        self._quitting = False
        self._signals: ending.Handlers = {}
        self.register_theme(THEME)
        if is_plain:
            self.theme = "ansi-dark"
        elif "TEXTUAL_THEME" not in os.environ:
            self._begin_in(THEME)
        if feed is not None and (change := feed.first(FIRST_LOOK)) is not None:
            self.known.take(change)

    # -- beginning and end

    def _begin_in(self, theme: Theme) -> None:
        """Take a theme before anything is drawn: a change of it reads all styles twice more."""
        self.set_reactive(App.theme, theme.name)
        self.add_class(f"-theme-{theme.name}", "-dark-mode" if theme.dark else "-light-mode")
        self.stylesheet.set_variables(self.get_css_variables())

    def on_mount(self) -> None:
        """Watch the record, and end in order when told to."""
        self._signals = ending.on_signals(asyncio.get_running_loop(), self._ended_by)
        self._feed.start()
        self._feed.listen(lambda change: self.post_message(RecordChanged(change)))
        if self.known.loaded:
            self.call_after_refresh(self._begin_work)

    def _begin_work(self) -> None:
        """Do what the first full frame did not have to wait for."""
        if self._has_begun:
            return
        self._has_begun = True
        if not gc.isenabled():
            gc.freeze()  # what is there now stays: no need to look through it ever again
            gc.enable()
        if self.worker is not None:
            self.run_worker(self._tend_worker(), name="worker link", exit_on_error=False)

    async def _tend_worker(self) -> None:
        worker = self.worker
        if worker is None:
            return
        try:
            await worker.start()
        except Exception as error:
            # Whatever is wrong with the worker, the record can still be read.
            self.complain(f"the worker cannot be started: {error}")
        told = ""
        while not self._quitting:
            self._show_state()
            if (status := worker.status) != told and status.startswith("no "):
                self.complain(status)  # the top line has no room for all of it beside the runs
            told = status
            await asyncio.sleep(1)
            try:
                await worker.check()
            except Exception as error:
                self.complain(f"the worker: {error}")
                await asyncio.sleep(30)

    def _ended_by(self, code: int) -> None:
        self._quitting = True
        self.run_worker(self._end(code), name="end", exit_on_error=False)

    async def _end(self, code: int) -> None:
        if self.worker is not None:
            try:
                await asyncio.wait_for(self.worker.stop(), timeout=5)
            except Exception as error:
                self.log.error(f"worker: {error}")
        self.exit(return_code=code)

    async def on_unmount(self) -> None:
        """Stop looking and close the file."""
        ending.restore_signals(self._signals)
        self._feed.stop()
        if self._owns_storage and self._storage is not None:
            await self._storage.close()

    async def action_quit(self) -> None:
        """Leave; ask first what shall become of runs that are at work."""
        self.run_worker(
            self._quit(), name="quit", exclusive=True, group="quit", exit_on_error=False
        )

    async def _quit(self) -> None:
        answer = ""
        active = [run for run in self.known.active() if run.trigger != "library"]
        if self.worker is not None and active:
            from wrkflw_tui.tui.screens.quit import ask_quit

            answer = await self.push_screen_wait(ask_quit(len(active)))
            if answer == "stay":
                return
        self._quitting = True
        try:
            if self.worker is not None:
                await self._let_go(self.worker, answer)
        except WrkflwError as error:
            self._quitting = False
            self.complain(str(error))  # it is not as the person wants it: they decide anew
            return
        except Exception as error:
            self.log.error(f"worker: {error}")
        self.exit()

    @staticmethod
    async def _let_go(worker: WorkerLink, answer: str) -> None:
        match answer:
            case "leave":
                await worker.leave()
            case "stop":
                await worker.stop_all()
            case _:
                await worker.stop()

    # -- the record

    @property
    def storage(self) -> WorkflowStorage:
        """The record."""
        if self._storage is None:
            from wrkflw_tui.store.storage import WorkflowStorage

            self._storage = WorkflowStorage(self.config.database)
        return self._storage

    def on_record_changed(self, event: RecordChanged) -> None:
        """Take what the feed found and tell the screens that are in sight."""
        problem = event.change.problem
        if problem and problem != self.known.problem:
            self.complain(problem)
        self.known.take(event.change)
        for notice in event.change.notices:
            self._tell(notice)
        self._show_state(event.change)
        if not self._has_begun:
            self.call_after_refresh(self._begin_work)

    def _show_state(self, change: Change | None = None) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, AppScreen) and screen.is_mounted:
                screen.show_state()
                if change is not None:
                    screen.record_changed(change)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Read from the record; what goes wrong is said, and `None` returned."""
        try:
            return await self.storage.database.read(work)
        except (WrkflwError, OSError) as error:
            self.complain(str(error))
            return None

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Write to the record; what goes wrong is said, and `None` returned."""
        try:
            return await self.storage.database.write(work)
        except (WrkflwError, OSError) as error:
            self.complain(str(error))
            return None

    def complain(self, message: str) -> None:
        """Say what went wrong."""
        self.notify(message, severity="error", markup=False, timeout=10)

    def say(self, message: str) -> None:
        """Say what was done."""
        self.notify(message, markup=False, timeout=3)

    def _tell(self, notice: Notice) -> None:
        """Say here, too, what is shown on the desktop."""
        from wrkflw_tui.drawing.deliveries import headline

        severity = _SEVERITIES[notice.event]
        said = headline(notice.workflow_id, notice.event)
        self.notify(said, severity=severity, markup=False, timeout=10)

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that waits, without holding up the keys."""
        self.run_worker(self._guarded(work), exit_on_error=False)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            # An app that dies takes the view of everything else with it.
            self.log.error(repr(error))
            self.complain(f"{type(error).__name__}: {error}")

    # -- what can be done from anywhere

    def action_place(self, place: str) -> None:
        """Go to a place; where one is in it already, back to its list."""
        if self.screen.is_modal:
            return
        if self.current_mode != place:
            self.switch_mode(place)
        while len(self.screen_stack) > 1 and not self.screen.is_modal:
            self.pop_screen()

    def action_help(self) -> None:
        """Show the keys that work here."""
        from wrkflw_tui.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def open_run(self, run_id: str) -> None:
        """Show a run."""
        from wrkflw_tui.tui.screens.run import RunScreen

        # From one run to the next, back still leads to the list.
        if isinstance(self.screen, RunScreen):
            self.switch_screen(RunScreen(run_id))  # pyright: ignore[reportUnknownMemberType]
        else:
            self.push_screen(RunScreen(run_id))
