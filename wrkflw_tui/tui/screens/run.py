"""A run, live: its steps, and what each said, took and gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static, TextArea

from wrkflw_tui.engine.errors import RunNotFound
from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.tui import deeds, run_text, text
from wrkflw_tui.tui.run_record import News, RunRecord
from wrkflw_tui.tui.screens.place import AppScreen
from wrkflw_tui.tui.tree import TreeLine, length, live_path, progress_words, seconds_of
from wrkflw_tui.tui.widgets.log_pane import LogPane
from wrkflw_tui.tui.widgets.page import say
from wrkflw_tui.tui.widgets.rows import Column, Row, Rows, cell
from wrkflw_tui.tui.widgets.tab_strip import TabStrip
from wrkflw_tui.tui.widgets.timeline import Timeline

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from datetime import datetime

    from textual.content import Content
    from textual.widget import Widget

    from wrkflw_tui.engine.models import RunSummary
    from wrkflw_tui.tui.known import Change
    from wrkflw_tui.tui.widgets.filter_bar import FilterBar

RUN = ""
"""The key of the first line, which stands for the run itself."""

SHOWN = 200_000
"""How many characters of a value are shown; the pager shows all of it."""


class RunScreen(AppScreen):
    """One run, followed until the person moves."""

    CSS_PATH = "run.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "answer", "Answer", id="run.answer", tooltip="Answer what the run asks"),
        Binding("c", "cancel", "Cancel", id="run.cancel"),
        Binding("F", "fork", "Fork", id="run.fork", tooltip="A new run that begins with this step"),
        Binding("R", "again", "Again", id="run.again", tooltip="Run again with the same input"),
        Binding("f", "follow", "Follow", id="run.follow", tooltip="Follow the live step again"),
        Binding("l", "logs", "Logs", id="run.logs"),
        Binding(
            "slash", "search", "Search", id="run.search", key_display="/", tooltip="Search the logs"
        ),
        Binding("right", "tab(1)", "Next tab", id="run.next_tab", show=False),
        Binding("left,h", "tab(-1)", "Previous tab", id="run.previous_tab", show=False),
        Binding("y", "copy", "Copy", id="run.copy", tooltip="Copy the pane"),
        Binding("o", "pager", "Pager", id="run.pager", tooltip="Open the pane in $PAGER"),
        Binding("z", "zoom", "Zoom", id="run.zoom", tooltip="Give the pane the whole screen"),
        Binding("escape", "back", "Back", id="run.back"),
    ]

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.record = RunRecord(run_id)
        self._following = True
        self._tab_is_chosen = False
        self._is_reading = False
        self._read_again = False
        self._is_gone = False
        self._shown: tuple[str, str] | None = None

    def body(self) -> Iterable[Widget]:
        """The steps at the left, what the chosen one says at the right."""
        yield Static(id="head", markup=False)
        rows = Rows((Column("step"), Column("took", 8, right=True)), header=False, id="rows")
        steps = Vertical(rows, id="steps", classes="panel")
        steps.border_title = "Steps"
        area = TextArea(read_only=True, show_cursor=False, id="text")
        area.highlight_cursor_line = False
        log = LogPane(self.host, id="log")
        pane = Vertical(TabStrip(run_text.TABS), area, log, id="pane", classes="panel")
        yield Horizontal(steps, pane, id="body")
        yield Timeline(id="timeline", classes="panel")

    def on_mount(self) -> None:
        """Begin to follow."""
        self._ticker = self.set_interval(0.25, self._tick, pause=True)
        self.set_interval(5, self._tick_slowly)
        self.query_one("#timeline").border_title = "Timeline"
        self.query_one(Rows).focus()

    # -- reading

    def record_changed(self, change: Change | None) -> None:
        """Read what is new of this run."""
        if self._is_gone:
            return
        if self._is_reading:
            self._read_again = True
        else:
            self._is_reading = True
            self.host.do(self._catch_up())

    async def _catch_up(self) -> None:
        try:
            while True:
                self._read_again = False
                news = await self.host.read(self._look)
                if news is None or not self.is_attached:
                    return
                if not isinstance(news, News):
                    self._is_gone = True
                    self._show_gone()
                    return
                self.record.take(news)
                self._show()
                if not self._read_again:
                    return
        finally:
            self._is_reading = False

    def _look(self, connection: sqlite3.Connection) -> News | RunNotFound:
        try:
            return self.record.look(connection)
        except RunNotFound as gone:
            return gone

    def _show_gone(self) -> None:
        """Say that the run was removed; what has been read of it stays."""
        self._ticker.pause()
        run = self.record.run
        name = "" if run is None else f"{text.one_line(run.workflow_id)} "
        head = say(name, "strong") + say(f"#{text.short_id(self.record.run_id)}  ", "muted")
        self.query_one("#head", Static).update(head + say("not on record any more", "wait"))

    # -- drawing

    @property
    def _is_live(self) -> bool:
        run = self.record.run
        return run is not None and run.status not in ENDED and not self._is_gone

    @property
    def path(self) -> str:
        """The path of the chosen step; empty for the run itself."""
        return self.query_one(Rows).key or RUN

    def _show(self) -> None:
        if self.record.run is None:
            return
        if self.record.run.status == "running":
            self._ticker.resume()
        else:
            self._ticker.pause()
        lines = self.record.lines()
        self._show_lines(lines)
        if self._following:
            self._follow(lines)
        self._show_pane()
        self.refresh_bindings()

    def _show_lines(self, lines: list[TreeLine]) -> None:
        run, now = self.record.run, self.host.clock()
        if run is None:
            return
        self.query_one(Rows).show([_run_row(run, now), *(_row(line, now) for line in lines)])
        self.query_one("#head", Static).update(_head(run, now))
        self.query_one(Timeline).show(run, lines, now)

    def _tick(self) -> None:
        self._show_lines(self.record.lines())

    def _tick_slowly(self) -> None:
        """Keep the times of a run true that sleeps or asks: nothing changes on record."""
        if self._is_live:
            self._tick()

    def _follow(self, lines: list[TreeLine]) -> None:
        run = self.record.run
        target = live_path(lines)
        if target is None and run is not None and run.error is not None:
            target = run.error.path or RUN
        self.query_one(Rows).select(target or RUN)

    def _show_pane(self) -> None:
        path = self.path
        strip = self.query_one(TabStrip)
        if not self._tab_is_chosen:
            strip.active = self._fitting_tab(path)
        self.set_class(strip.active == "Logs", "-logs")
        self.query_one("#pane").border_title = self._pane_title(path)
        self._show_subtitle()
        if strip.active == "Logs":
            self.query_one(LogPane).show(self.record.run_id, self._log_path)
        else:
            self._show_text(path, strip.active)

    def _show_subtitle(self) -> None:
        log = self.query_one(LogPane)
        words = ["following"] if self._following and self._is_live else []
        if log.is_searching and self.has_class("-logs"):
            words.insert(0, log.found)
        self.query_one("#pane").border_subtitle = "  ".join(words)

    def _fitting_tab(self, path: str) -> str:
        step, run = self.record.results.get(path), self.record.run
        error = step.error if step else (run.error if run and not path else None)
        if error is not None:
            return "Error"
        is_going = step.status == "running" if step else (not path and self._is_live)
        return "Logs" if is_going and self.record.has_log else "Output"

    def _pane_title(self, path: str) -> str:
        run = self.record.run
        if not path and run is not None:
            return text.one_line(f"{run.workflow_id}  {text.mark(run.status)[1]}")
        step = self.record.results.get(path)
        word = text.mark(step.status if step else "")[1]
        attempt = f"  attempt {step.attempt}" if step and step.attempt > 1 else ""
        return text.one_line(f"{path}  {word}{attempt}")

    def _show_text(self, path: str, tab: str) -> None:
        content = run_text.pane(self.record, path, tab, self.host.clock())
        if len(content) > SHOWN:
            rest = len(content) - SHOWN
            content = f"{content[:SHOWN]}\n… {rest:,} more characters: o opens all of it"
        area = self.query_one("#text", TextArea)
        if area.text != content:
            is_same = self._shown == (path, tab)
            offset = area.scroll_offset
            area.text = content
            area.refresh()  # Textual leaves the old text where the new one has the same size
            if is_same:
                area.scroll_to(offset.x, offset.y, animate=False)
        self._shown = (path, tab)

    @property
    def _log_path(self) -> str:
        """Whose lines are shown: while the run is followed, everybody's."""
        return RUN if self._following else self.path

    # -- what the person does

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Show the step; who moves does not follow any more."""
        if event.by_person:
            self._following = False
            self._tab_is_chosen = self._tab_is_chosen and self.query_one(TabStrip).active != "Error"
            self.refresh_bindings()
        self._show_pane()

    def on_rows_opened(self) -> None:
        """Go into the pane."""
        self.query_one("#log" if self.has_class("-logs") else "#text").focus()

    def on_tab_strip_chosen(self, event: TabStrip.Chosen) -> None:
        """Show the tab that was clicked."""
        self._choose_tab(event.tab)

    def action_tab(self, step: int) -> None:
        """Show the tab beside."""
        self._choose_tab(self.query_one(TabStrip).neighbour(step))

    def action_logs(self) -> None:
        """Show the logs."""
        self._choose_tab("Logs")

    async def action_search(self) -> None:
        """Type what the logs are searched for."""
        from wrkflw_tui.tui.widgets.filter_bar import FilterBar  # an Input costs at start

        self._choose_tab("Logs")
        bar = self._search_bar()
        if bar is None:
            bar = FilterBar()
            await self.query_one("#pane").mount(bar)
        bar.open()

    def _search_bar(self) -> FilterBar | None:
        return cast("FilterBar | None", self.query_one_optional("FilterBar"))

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """Search while it is typed."""
        self.query_one(LogPane).search(event.text)
        self._show_subtitle()

    def on_filter_bar_closed(self) -> None:
        """Go to the first line found."""
        log = self.query_one(LogPane)
        log.focus()
        if log.is_searching:
            log.action_match(1)

    def on_log_pane_found(self) -> None:
        """Show how far the search is."""
        self._show_subtitle()

    def on_log_pane_cleared(self) -> None:
        """Put the search away."""
        if (bar := self._search_bar()) is not None:
            bar.clear()
        self._show_subtitle()

    def _choose_tab(self, tab: str) -> None:
        had_focus = self.focused is not None and self.focused.id in ("text", "log")
        self._tab_is_chosen = True
        self.query_one(TabStrip).active = tab
        self._show_pane()
        if had_focus:
            self.on_rows_opened()

    def action_follow(self) -> None:
        """Follow the live step again."""
        self._following, self._tab_is_chosen = True, False
        self._show()
        self.query_one(LogPane).scroll_end(animate=False)

    def action_answer(self) -> None:
        """Answer the chosen step's question, else the first that is open."""
        run, questions = self.record.run, self.record.questions
        if run is not None and questions:
            chosen = next((q for q in questions if q.path == self.path), questions[0])
            self.host.do(deeds.answer(self.host, run.run_id, run.workflow_id, chosen))

    def action_cancel(self) -> None:
        """Ask, then cancel the run."""
        if self.record.run is not None:
            self.host.do(deeds.cancel(self.host, [self.record.run]))

    def action_fork(self) -> None:
        """Start a new run from the chosen step, with another input if need be."""
        run, step = self.record.run, self.record.results.get(self.path)
        if run is not None and step is not None:
            self.host.do(deeds.fork(self.host, run, step))

    def action_again(self) -> None:
        """Start another run with the same input."""
        run = self.record.run
        if run is not None:
            given = self.record.input_json or "null"
            self.host.do(deeds.start(self.host, run.workflow_id, given))

    @property
    def _tab(self) -> str:
        return self.query_one(TabStrip).active

    def action_copy(self) -> None:
        """Copy what the pane shows."""
        if self._tab == "Logs":
            self.host.do(deeds.copy_log(self.host, self.query_one(LogPane).log_lines))
        else:
            self.host.copy_to_clipboard(self._pane_text())
            self.host.say(f"{self._tab.lower()} copied")

    def action_pager(self) -> None:
        """Open what the pane shows in the person's pager."""
        if self._tab == "Logs":
            self.host.do(deeds.page_log(self.host, self.query_one(LogPane).log_lines))
        else:
            self.host.do(deeds.page(self.host, self._pane_text()))

    def _pane_text(self) -> str:
        return run_text.pane(self.record, self.path, self._tab, self.host.clock())

    def action_zoom(self) -> None:
        """Give the pane the whole screen, or take it back."""
        self.toggle_class("-zoom")
        if self.has_class("-zoom"):
            self.on_rows_opened()
        else:
            self.query_one(Rows).focus()

    def action_back(self) -> None:
        """Go back."""
        if self.has_class("-zoom"):
            self.action_zoom()
        else:
            self.host.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with the run as it stands."""
        if action == "answer":
            return self._is_live and bool(self.record.questions)
        if action == "cancel":
            return self._is_live
        if action == "fork":
            run = self.record.run
            rests = run is not None and run.status not in ("queued", "running")
            return rests and self.is_mounted and self.path in self.record.results
        if action == "follow":
            return not self._following
        return True


def _head(run: RunSummary, now: datetime) -> Content:
    glyph, word, role = text.mark(run.status)
    content = say(f"{text.one_line(run.workflow_id)} ", "strong")
    content += say(f"#{text.short_id(run.run_id)}  ", "muted")
    if run.cancel_requested and run.finished_at is None:
        word += ", cancelling"
    content += say(f"{glyph} {word}", role)
    if run.started_at is not None:
        content += say(f"  {text.duration(length(run, now))}")
    if run.steps_total:
        share = run.steps_done / run.steps_total
        content += say(f"  {run.steps_done} of {text.count(run.steps_total, 'step')}", "muted")
        if run.status == "running":
            content += say(f"  {text.bar(share, 16)} {share:.0%}", "live")
    return content


def _run_row(run: RunSummary, now: datetime) -> Row:
    glyph, _, role = text.mark(run.status)
    took = text.duration(length(run, now)) if run.started_at else ""
    return Row(RUN, (((f"{glyph} ", role), (run.workflow_id, "strong")), cell(took, "muted")))


def _row(line: TreeLine, now: datetime) -> Row:
    glyph, _, role = text.mark(line.status)
    indent = "  " * (line.depth + 1)
    pieces: list[tuple[str, text.Role]] = [(f"{indent}{glyph} ", role), (line.label, "")]
    took = ""
    if line.result is None:
        pieces[1] = (line.label, "muted")
    else:
        took = text.duration(seconds_of(line.result, now))
        if line.result.attempt > 1:
            pieces.append((f" ×{line.result.attempt}", "wait"))
        if words := progress_words(line.result):
            pieces.append((f"  {words}", "accent"))
    if line.note:
        pieces.append((f"  {text.one_line(line.note)}", "muted"))
    return Row(line.path, (tuple(pieces), cell(took, "muted")))
