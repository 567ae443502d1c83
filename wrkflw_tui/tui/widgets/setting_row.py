"""One setting of a schedule on one line, with what is wrong with it beneath."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from textual.containers import Horizontal, Vertical
from textual.suggester import Suggester
from textual.widgets import Input, Label, Select, Static

from wrkflw_tui.tui.widgets.page import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult
    from textual.widget import Widget


class Zones(Suggester):
    """Completes the name of a time zone."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=False)
        self._names: list[str] | None = None

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first zone that begins so."""
        if self._names is None:
            from zoneinfo import available_timezones

            self._names = sorted(await asyncio.to_thread(available_timezones))
        return next((name for name in self._names if name.casefold().startswith(value)), None)


class SettingRow(Vertical):
    """A setting: typed, or chosen where it has `choices`, each with its words."""

    DEFAULT_CSS = """
    SettingRow {
        height: auto;
        Horizontal { height: 1; }
        Label { width: 16; color: $foreground-muted; }
        Input, Select { width: 1fr; background: $panel; }
        .problem { display: none; padding-left: 16; color: $text-error; }
        &.-wrong .problem { display: block; }
        &.-wrong Input { background: $error 20%; }
    }
    """

    def __init__(
        self,
        setting: str,
        label: str,
        value: str,
        *,
        hint: str = "",
        choices: Mapping[str, str] | None = None,
        suggester: Suggester | None = None,
    ) -> None:
        super().__init__(id=f"setting-{setting}")
        self.setting = setting
        self._label = label
        self._value = value
        self._hint = hint
        self._choices = choices
        self._suggester = suggester

    def compose(self) -> ComposeResult:
        """The name, where it is typed, and what is wrong."""
        with Horizontal():
            yield Label(say(self._label))
            yield self._typed_in()
        yield Static(classes="problem", markup=False)

    def _typed_in(self) -> Widget:
        if self._choices is None:
            return Input(
                self._value, placeholder=self._hint, suggester=self._suggester, compact=True
            )
        options = [(say(words), name) for name, words in self._choices.items()]
        return Select(options, value=self._value, allow_blank=False, compact=True)

    @property
    def input(self) -> Input | Select[str]:
        """Where it is typed."""
        return cast("Input | Select[str]", self.children[0].children[1])

    @property
    def text(self) -> str:
        """What was typed or chosen."""
        return str(self.input.value)

    def say_wrong(self, message: str) -> None:
        """Say what is wrong; nothing takes it away."""
        self.set_class(bool(message), "-wrong")
        self.query_one(".problem", Static).update(say(f"✗ {message}" if message else ""))
