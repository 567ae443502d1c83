"""The inbox: every question that a run waits to have answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from wrkflw_tui.forms.fields import fields_of
from wrkflw_tui.tui import deeds, text
from wrkflw_tui.tui.screens.place import Place
from wrkflw_tui.tui.widgets.page import Page, say
from wrkflw_tui.tui.widgets.rows import Column, Row, Rows, cell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from textual.widget import Widget

    from wrkflw_tui.store.questions import Asked
    from wrkflw_tui.tui.known import Change

COLUMNS = (
    Column("workflow"),
    Column("run", 8, needs=70),
    Column("step", needs=90),
    Column("question"),
    Column("since", 13),
)


class InboxScreen(Place):
    """All open questions, with what the chosen one is about."""

    PLACE = "inbox"
    CSS_PATH = "inbox.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "answer", "Answer", id="inbox.answer"),
        Binding("o", "open_run", "Open run", id="inbox.run"),
    ]

    def body(self) -> Iterable[Widget]:
        """A list, and what its row is about."""
        panel = Vertical(Rows(COLUMNS, id="rows"), id="list", classes="panel")
        panel.border_title = "Inbox"
        yield Vertical(panel, Page(id="detail", classes="panel"), id="body")

    def on_mount(self) -> None:
        """Keep the times true."""
        self.every(1)
        self.query_one(Rows).focus()

    def record_changed(self, change: Change | None) -> None:
        """Show what changed."""
        self.show_rows()
        self._show_detail()
        self.refresh_bindings()

    # -- drawing

    def show_rows(self) -> None:
        """Draw the list."""
        now, known = self.host.clock(), self.known.questions
        asked = [one for one in known if self._matches(one)]
        self.query_one(Rows).show([_row(one, now) for one in asked])
        panel = self.query_one("#list")
        panel.border_subtitle = f"{len(asked)} of {len(known)}" if self.filter_text else ""

    def _matches(self, asked: Asked) -> bool:
        question = asked.question
        return self.matches(asked.workflow_id, asked.run_id, question.path, question.reason)

    def _show_detail(self) -> None:
        page, asked = self.query_one(Page), self.chosen
        if asked is not None:
            page.border_title = text.one_line(f"{asked.workflow_id}  {asked.question.path}")
            page.show(_detail(asked))
            return
        page.border_title = "Nothing to answer"
        if self.filter_text:
            page.show(say(f"Nothing matches “{self.filter_text}”. esc clears the filter."))
        else:
            page.show(say("A run that asks a person something waits here until it is answered."))

    @property
    def chosen(self) -> Asked | None:
        """The question under the cursor."""
        rows = self.query_one_optional(Rows)
        key = rows.key if rows else None
        return next((one for one in self.known.questions if _key(one) == key), None)

    def on_rows_moved(self) -> None:
        """Show what the row is about."""
        self._show_detail()
        self.refresh_bindings()

    def on_rows_opened(self) -> None:
        """Answer it."""
        self.action_answer()

    # -- doing

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done with this row."""
        if action in ("answer", "open_run") and self.is_mounted:
            return self.chosen is not None
        return True

    def action_answer(self) -> None:
        """Ask for the answer, and give it to the run."""
        asked = self.chosen
        if asked is not None:
            self.host.do(deeds.answer(self.host, asked.run_id, asked.workflow_id, asked.question))

    def action_open_run(self) -> None:
        """Show the run that asks."""
        if self.chosen is not None:
            self.host.open_run(self.chosen.run_id)


def _key(asked: Asked) -> str:
    return f"{asked.run_id}/{asked.question.path}/{asked.question.key}"


def _row(asked: Asked, now: datetime) -> Row:
    question = asked.question
    return Row(
        _key(asked),
        (
            (("? ", "wait"), (asked.workflow_id, "")),
            cell(f"#{text.short_id(asked.run_id)}", "muted"),
            cell(question.path, "muted"),
            cell(text.one_line(question.reason) or "asks for an answer"),
            cell(text.ago(asked.since, now)),
        ),
    )


def _detail(asked: Asked) -> Content:
    question = asked.question
    lines = [say(question.reason or "It asks for an answer.", "strong")]
    lines.append(say(f"asked {text.exact(asked.since)}, run {asked.run_id}", "muted"))
    if question.payload is not None:
        lines += [
            Content(""),
            say("about", "muted"),
            say(text.pretty(json.dumps(question.payload))),
        ]
    fields = fields_of(deeds.schema_in(question))
    wanted = ", ".join(f"{field.name or 'answer'}: {field.type_name}" for field in fields)
    if wanted:
        lines += [Content(""), say("answer  ", "muted") + say(wanted)]
    lines += [Content(""), say("enter answers it, o opens the run", "muted")]
    return Content("\n").join(lines)
