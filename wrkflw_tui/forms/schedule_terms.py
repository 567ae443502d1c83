"""The terms of a schedule as texts, each as a person types it: on a command line or in a form."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.schedules.duration import format_duration
from wrkflw_tui.schedules.schedule import ScheduleError, terms_of

if TYPE_CHECKING:
    from collections.abc import Mapping

NONE = ("", "none")
"""What stands for a setting that is not wanted."""
SETTINGS = tuple(ScheduleTerms.__dataclass_fields__)
_NUMBERS = ("pause_after_failures", "max_runs")
_OPTIONAL = ("expect_within", "max_runs", "start_at", "end_at")
_ZERO = ("", "0", "0s", "none")
_ANY = "@daily"
"""A timing to check other settings with."""


def as_texts(terms: ScheduleTerms) -> dict[str, str]:
    """Write terms so that `read_terms` reads them back."""
    return {
        **{name: _plain(getattr(terms, name)) for name in SETTINGS},
        "jitter": _length(terms.jitter) or "0",
        "expect_within": _length(terms.expect_within),
        "exclude": ", ".join(terms.exclude),
    }


def read_terms(texts: Mapping[str, str]) -> ScheduleTerms:
    """Read terms; what is left out has its default. Raises `ScheduleError`."""
    settings = {name: _value(name, text) for name, text in texts.items() if name != "timing"}
    return terms_of(texts.get("timing", ""), **settings)


def problems(texts: Mapping[str, str]) -> dict[str, str]:
    """Say of each setting what is wrong with it, not only of the first."""
    found: dict[str, str] = {}
    for name, text in texts.items():
        try:
            read_terms({"timing": text} if name == "timing" else {"timing": _ANY, name: text})
        except ScheduleError as error:
            found[error.setting] = error.problem
    if not found:
        try:
            read_terms(texts)
        except ScheduleError as error:
            found[error.setting] = error.problem
    return found


def _value(name: str, text: str) -> Any:
    text = text if name == "note" else text.strip()
    if name in _NUMBERS:
        return _number(name, text)
    if name in _OPTIONAL:
        return None if text.lower() in NONE else text
    if name == "exclude":
        return () if text.lower() in NONE else text.replace(",", " ").split()
    if name == "jitter" and text.lower() in _ZERO:
        return timedelta(0)
    if name == "late_limit":
        return text or "auto"
    return (text or "local") if name == "timezone" else text


def _number(name: str, text: str) -> int | None:
    if text.lower() in NONE:
        return None if name in _OPTIONAL else 0
    try:
        return int(text)
    except ValueError:
        least = 1 if name in _OPTIONAL else 0
        raise ScheduleError(name, f"a whole number, {least} at least, not {text!r}") from None


def _plain(value: object) -> str:
    return "" if value is None else str(value)


def _length(seconds: int | None) -> str:
    return format_duration(timedelta(seconds=seconds)) if seconds else ""
