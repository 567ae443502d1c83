"""A question before something that cannot be undone: the answer is no unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from wrkflw_tui.tui.widgets.page import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult


@dataclass(frozen=True, slots=True)
class Answer:
    """One possible answer: what it is called, and the key that gives it."""

    id: str
    label: str
    key: str
    variant: str = "default"


YES_NO = (Answer("yes", "Yes", "y", "error"), Answer("no", "No", "n"))


class Confirm(ModalScreen[str]):
    """Asks; returns the id of the answer, the last one being the harmless one."""

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "refuse", "No", id="confirm.no", show=False),
        Binding("left", "app.focus_previous", "Previous", id="confirm.previous", show=False),
        Binding("right", "app.focus_next", "Next", id="confirm.next", show=False),
    ]

    def __init__(self, question: str, detail: str = "", answers: Sequence[Answer] = YES_NO) -> None:
        super().__init__()
        self._question = question
        self._detail = detail
        self._answers = tuple(answers)

    def compose(self) -> ComposeResult:
        """The question, what it means, and the answers."""
        with Vertical(id="box"):
            yield Static(say(self._question, "strong"), id="question", markup=False)
            if self._detail:
                yield Static(say(self._detail), id="what", markup=False)
            with Horizontal(id="answers"):
                for answer in self._answers:
                    button = Button(
                        say(f"{answer.label} ({answer.key})"), id=answer.id, compact=True
                    )
                    button.variant = "error" if answer.variant == "error" else "default"
                    yield button

    def on_mount(self) -> None:
        """The harmless answer is the one that enter gives."""
        self.query_one(f"#{self._answers[-1].id}").focus()
        for answer in self._answers:
            self._bindings.bind(answer.key, f"answer('{answer.id}')", answer.label, show=False)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer."""
        self.dismiss(event.button.id or self._answers[-1].id)

    def action_answer(self, id: str) -> None:
        """Take the answer given by its key."""
        self.dismiss(id)

    def action_refuse(self) -> None:
        """Leave everything as it is."""
        self.dismiss(self._answers[-1].id)
