"""A form made from a JSON schema, with what is wrong said at each field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from textual.containers import Vertical, VerticalScroll
from textual.widgets import Checkbox, Input, Label, Select, Static, TextArea

from wrkflw_tui.forms.fields import MISSING, WHOLE, Field, Schema, as_text, fields_of
from wrkflw_tui.forms.values import Filled, Raw, Unreadable, check, fill, read_json, to_raw
from wrkflw_tui.tui.widgets.page import say

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

_HINTS = {
    "date": "2026-07-31",
    "datetime": "2026-07-31 18:30",
    "time": "18:30",
    "path": "a path; ~ is your home folder",
    "integer": "a whole number",
    "number": "a number",
}


class YesNo(Checkbox):
    """A box whose state is a word too: never colour alone."""

    def __init__(self, is_on: bool) -> None:
        super().__init__("yes" if is_on else "no", is_on, compact=True)

    def watch_value(self) -> None:
        """Say the other word."""
        self.label = "yes" if self.value else "no"
        super().watch_value()


class FieldRow(Vertical):
    """One field: its name, where it is typed, what it is for and what is wrong with it."""

    DEFAULT_CSS = """
    FieldRow {
        height: auto;
        margin-bottom: 1;
        .help { color: $foreground-muted; }
        .problem { color: $text-error; display: none; }
        &.-wrong .problem { display: block; }
        &.-wrong Input, &.-wrong TextArea { background: $error 20%; }
        Input { background: $panel; }
        TextArea { height: auto; min-height: 3; max-height: 8; background: $panel; }
        Checkbox { background: transparent; }
    }
    """

    def __init__(self, wanted: Field, value: object) -> None:
        super().__init__()
        self.wanted = wanted
        self._value = value

    def compose(self) -> ComposeResult:
        """The parts, one beneath the other."""
        wanted = self.wanted
        name = wanted.name if wanted.name != WHOLE else "input"
        optional = "" if wanted.required else "  optional"
        yield Label(say(f"{name}  ", "strong") + say(wanted.type_name + optional, "muted"))
        yield self._input()
        help = wanted.description
        if wanted.kind == "list":
            help = f"{help}  (one to a line, or with commas between)".strip()
        if help:
            yield Static(say(help), classes="help", markup=False)
        yield Static(classes="problem", markup=False)

    def _input(self) -> Widget:
        wanted, raw = self.wanted, to_raw(self.wanted, self._value)
        match wanted.kind:
            case "boolean" if raw == "":
                # Nobody has said it yet: a box would say no for them.
                return Select(
                    [("yes", "yes"), ("no", "no")], prompt="choose yes or no", compact=True
                )
            case "boolean":
                return YesNo(raw is True)
            case "choice":
                options = [(say(as_text(c)), as_text(c)) for c in wanted.choices]
                allow_blank = not wanted.required or wanted.nullable or raw == ""
                chosen = raw if raw in [value for _, value in options] else Select.NULL
                return Select(
                    options, allow_blank=allow_blank, value=chosen, prompt="choose", compact=True
                )
            case "list" | "json":
                return TextArea(str(raw), tab_behavior="focus", compact=True)
            case _:
                hint = _HINTS.get(wanted.kind, "")
                is_secret = wanted.kind == "secret"
                return Input(str(raw), placeholder=hint, password=is_secret, compact=True)

    def on_descendant_focus(self) -> None:
        """Bring the name and what is wrong into sight with what is typed into."""
        self.call_after_refresh(self.scroll_visible, animate=False)

    @property
    def input(self) -> Input | TextArea | Select[str] | YesNo:
        """Where it is typed."""
        return cast("Input | TextArea | Select[str] | YesNo", self.children[1])

    @property
    def raw(self) -> Raw:
        """What was typed."""
        match self.input:
            case Input(value=value):
                return value
            case TextArea(text=typed):
                return typed
            case YesNo(value=is_on):
                return is_on
            case select:
                return "" if select.value is Select.NULL else str(select.value)

    @raw.setter
    def raw(self, raw: Raw) -> None:
        match self.input:
            case Input() as line:
                line.value = str(raw)
            case TextArea() as area:
                area.text = str(raw)
            case YesNo() as switch:
                switch.value = raw is True
            case select:
                if raw == "":
                    select.clear()
                elif isinstance(raw, bool):
                    select.value = "yes" if raw else "no"
                else:
                    select.value = str(raw)

    def say_wrong(self, message: str) -> None:
        """Say what is wrong; nothing takes it away."""
        self.set_class(bool(message), "-wrong")
        self.query_one(".problem", Static).update(say(f"✗ {message}" if message else ""))


class SchemaForm(VerticalScroll, can_focus=False):
    """The fields of an input, or its JSON."""

    DEFAULT_CSS = """
    SchemaForm {
        height: auto;
        scrollbar-size-vertical: 1;
        #json { height: 14; display: none; background: $panel; }
        #whole-problem { color: $text-error; display: none; height: auto; }
        &.-wrong #whole-problem { display: block; }
        &.-json #json { display: block; }
        &.-json FieldRow { display: none; }
    }
    """

    def __init__(self, schema: Schema, last: str | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self._schema = schema
        self.fields = fields_of(schema)
        self._last: object = _parsed(last)

    def compose(self) -> ComposeResult:
        """A row for each field, and the JSON of the whole."""
        for wanted in self.fields:
            yield FieldRow(wanted, self._initial(wanted))
        yield TextArea(id="json", tab_behavior="focus", compact=True)
        yield Static(id="whole-problem", markup=False)

    def _initial(self, wanted: Field) -> object:
        if wanted.name == WHOLE:
            return wanted.default if self._last is MISSING else self._last
        if isinstance(last := self._last, dict):
            values = cast("dict[str, object]", last)
            if wanted.name in values:
                return values[wanted.name]
        return wanted.default

    @property
    def is_json(self) -> bool:
        """Whether the whole is shown as JSON."""
        return self.has_class("-json")

    def toggle_json(self) -> None:
        """Go between the fields and the JSON of the whole, with what was typed."""
        if self.is_json:
            try:
                value = read_json(self.query_one("#json", TextArea).text)
            except Unreadable as error:
                self._say({WHOLE: str(error)})
                return
            self._set(value)
        else:
            value = self._filled().value
            self.query_one("#json", TextArea).text = json.dumps(value, indent=2, ensure_ascii=False)
        self.toggle_class("-json")
        self._say({})
        self.focus_first()

    def _set(self, value: object) -> None:
        values: dict[str, object] = {}
        if isinstance(value, dict):
            values = cast("dict[str, object]", value)
        for row in self.query(FieldRow):
            if row.wanted.name == WHOLE:
                row.raw = to_raw(row.wanted, cast("object", value))
            else:
                row.raw = to_raw(row.wanted, values.get(row.wanted.name, MISSING))

    def focus_first(self) -> None:
        """Put the cursor where typing begins."""
        if self.is_json:
            self.query_one("#json").focus()
        elif rows := list(self.query(FieldRow)):
            wrong = next((row for row in rows if row.has_class("-wrong")), rows[0])
            wrong.input.focus()

    def _filled(self) -> Filled:
        typed = {row.wanted.name: row.raw for row in self.query(FieldRow)}
        return fill(self._schema, self.fields, typed)

    def _from_json(self) -> Filled:
        try:
            value = read_json(self.query_one("#json", TextArea).text)
        except Unreadable as error:
            return Filled(messages={WHOLE: str(error)})
        messages = check(self._schema, value)
        lines = [f"{name}: {words}" if name else words for name, words in messages.items()]
        return Filled(value, {WHOLE: "\n".join(lines)} if lines else {})

    def read(self) -> str | None:
        """Return the input as JSON text, or `None` after saying what is wrong with it."""
        if not self.fields:
            return "null"
        filled = self._from_json() if self.is_json else self._filled()
        self._say(filled.messages)
        if filled.messages:
            self.focus_first()
            return None
        return json.dumps(filled.value, ensure_ascii=False)

    def _say(self, messages: dict[str, str]) -> None:
        rest = dict(messages)
        if not self.is_json:
            for row in self.query(FieldRow):
                row.say_wrong(rest.pop(row.wanted.name, ""))
        lines = [f"{name}: {words}" if name else words for name, words in rest.items()]
        self.set_class(bool(lines), "-wrong")
        self.query_one("#whole-problem", Static).update(say("\n".join(lines)))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Check the field that is typed into once it was found wrong."""
        self._recheck(event.input)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Check the field that is typed into once it was found wrong."""
        self._recheck(event.text_area)

    def on_select_changed(self, event: Select.Changed) -> None:
        """Check the field that was chosen from once it was found wrong."""
        self._recheck(event.select)

    def _recheck(self, widget: Widget) -> None:
        row = widget.parent
        if isinstance(row, FieldRow) and row.has_class("-wrong"):
            row.say_wrong(self._filled().messages.get(row.wanted.name, ""))


def _parsed(text: str | None) -> object:
    if text is None:
        return MISSING
    try:
        return json.loads(text)
    except ValueError:
        return MISSING
