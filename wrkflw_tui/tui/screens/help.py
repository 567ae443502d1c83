"""The keys that work on a screen, read off its bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from wrkflw_tui.tui.text import fit
from wrkflw_tui.tui.typed import app_of
from wrkflw_tui.tui.widgets.page import Page, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import App, ComposeResult
    from textual.screen import Screen

GROUPS = {
    "rows": "Move",
    "page": "Move",
    "place": "This place",
    "app": "Anywhere",
}


class HelpScreen(ModalScreen[None]):
    """Lists the keys of the screen beneath."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "close", "Close", id="help.close"),
    ]

    def __init__(self, beneath: Screen[Any]) -> None:
        super().__init__()
        self._beneath = beneath

    def compose(self) -> ComposeResult:
        """One page."""
        with Vertical(id="box") as box:
            box.border_title = "Keys"
            box.border_subtitle = "esc closes"
            yield Page(id="keys")

    def on_mount(self) -> None:
        """Fill the page."""
        bindings = [active.binding for active in self._beneath.active_bindings.values()]
        page = self.query_one(Page)
        page.show(_listed(app_of(self), bindings))
        page.focus()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()


def _listed(app: App[Any], bindings: Iterable[Binding]) -> Content:
    groups: dict[str, dict[str, tuple[list[str], str]]] = {
        "This place": {},
        "Move": {},
        "Anywhere": {},
    }
    for binding in bindings:
        is_palette = binding.action == "command_palette"
        if not binding.description or (binding.id is None and not is_palette):
            continue
        area = "app" if is_palette else (binding.id or "").split(".", 1)[0]
        group = groups[GROUPS.get(area, "This place")]
        words = "Commands" if is_palette else binding.tooltip or binding.description
        keys, _ = group.setdefault(binding.action, ([], words))
        key = app.get_key_display(binding)
        if key not in keys:
            keys.append(key)
    lines: list[Content] = []
    for title, group in groups.items():
        if group:
            lines += [Content(""), say(title, "muted")]
            lines += [_line(keys, words) for keys, words in group.values()]
    return Content("\n").join(lines[1:])


def _line(keys: list[str], words: str) -> Content:
    return say(fit(" ".join(keys), 14), "accent") + say(words)
