"""Secret values, and the texts that must not show them. Standard library only: screens import it.

A secret is looked for as it is and in the forms that programs often give it: each of its lines,
as a JSON or Python literal, in an address, in base64. What is short or common cannot be told from
other text, and is let through: see `is_telling`.
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MASK = "***"
LEAST = 4
"""Characters that a text has at least to be looked for in others."""
LEAST_DIGITS = 6
"""The same, where they are all digits: ports and amounts are everywhere."""
LEAST_BASE64 = 8
COMMON = frozenset(
    {"true", "false", "none", "null", "default", "localhost", "127.0.0.1", "0.0.0.0"}
    | {"debug", "info", "warning", "error", "development", "production", "staging", "test"}
)
"""Settings that are no secrets, in any case."""

MARK = "***\\u001a"
"""How what stands for a secret in a recorded JSON text begins: see `sealing.py`."""
SEALED = re.compile(r"\*{3}\\u001a([\w.%~-]+):([a-z0-9-]*):([0-9a-f]{12})(#?)\\u001a")
"""All of it: the secret's name, the form, a hash of the value, and `#` inside a number."""

_CUTS = ("...", "…")
"""What stands where an error message was cut: Pydantic cuts values in their middle."""
MOST_CUTS = 2000
"""Cuts of one text that are looked at: each takes some ten microseconds."""


def is_telling(text: str) -> bool:
    """Tell whether a text is long and rare enough to be looked for in others."""
    least = LEAST_DIGITS if text.isdecimal() else LEAST
    return len(text) >= least and text.casefold() not in COMMON


def forms_of(value: str) -> dict[str, str]:
    """Return the texts that show a secret, by their kinds; the value itself has the kind ``""``."""
    whole = value.strip()
    found: dict[str, str] = {}
    taken: set[str] = set()
    for kind, text in _forms(whole):
        if text not in taken and is_telling(text):
            found[kind] = text
            taken.add(text)
    return found


def _forms(whole: str) -> Iterator[tuple[str, str]]:
    from base64 import b64encode, urlsafe_b64encode
    from urllib.parse import quote, quote_plus

    yield "", whole
    if not is_telling(whole):
        return
    lines = whole.splitlines()
    if len(lines) > 1:
        yield from ((f"line{number}", line.strip()) for number, line in enumerate(lines))
    yield "json", _escaped(whole)
    yield "ascii", json.dumps(whole)[1:-1]
    yield "repr", repr(whole)[1:-1]
    data = whole.encode("utf-8", "surrogateescape")
    yield "url", quote(data, safe="")
    yield "query", quote_plus(data)
    for name, encode in (("base64", b64encode), ("urlsafe64", urlsafe_b64encode)):
        for shift in range(3):
            text = _within_base64(encode, data, shift)
            if len(text) >= LEAST_BASE64:
                yield f"{name}-{shift}", text


def _within_base64(encode: Callable[[bytes], bytes], data: bytes, shift: int) -> str:
    """Return the characters that stand for `data` alone where `shift` bytes come before it."""
    whole = encode(b"\0" * shift + data).decode().rstrip("=")
    begin = (0, 2, 3)[shift]
    is_aligned = (shift + len(data)) % 3 == 0
    return whole[begin:] if is_aligned else whole[begin:-1]


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


class Masker:
    """Knows some secrets, and hides them in texts."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self.forms: dict[str, tuple[str, str]] = {}
        """Each text to look for, the longest first: whose it is, and its kind."""
        self.needles: tuple[str, ...] = ()
        """Those of them that a line can hold."""
        self.json_needles: tuple[str, ...] = ()
        """All of them as they look inside a JSON text."""
        self.on_new: Callable[[str, str], object] | None = None
        """Told of each name and value that was not known before."""
        self.add_all(values or {})

    def add(self, name: str, value: str) -> None:
        """Hide a value from here on."""
        self.add_all({name: value})

    def add_all(self, values: Mapping[str, str]) -> None:
        """Hide values from here on."""
        with self._lock:
            new = {n: v for n, v in values.items() if v not in self._values.get(n, ())}
            forms = dict(self.forms)
            for name, value in new.items():
                self._values.setdefault(name, []).append(value)
                for kind, text in forms_of(value).items():
                    forms.setdefault(text, (name, kind))
            if len(forms) != len(self.forms):
                self.forms = {text: forms[text] for text in sorted(forms, key=len, reverse=True)}
                self.needles = tuple(text for text in self.forms if "\n" not in text)
                in_ascii = (json.dumps(form)[1:-1] for form in self.forms)
                self.json_needles = tuple(dict.fromkeys([*map(_escaped, self.forms), *in_ascii]))
        if self.on_new is not None:
            for name, value in new.items():
                self.on_new(name, value)

    def values_of(self, name: str) -> list[str]:
        """Return the values that a secret has had, the newest first."""
        return self._values.get(name, [])[::-1]

    def clear(self) -> None:
        """Forget all."""
        self._values, self.forms = {}, {}
        self.needles = self.json_needles = ()
        self.on_new = None

    def is_in_json(self, text: str) -> bool:
        """Tell whether a JSON text holds a secret."""
        for needle in self.json_needles:  # noqa: SIM110 - any() takes twice as long
            if needle in text:
                return True
        return False

    def mask(self, text: str) -> str:
        """Return a text with each secret in it as `***`."""
        # One look for each: an alternation of a hundred texts takes thirty times as long.
        for needle in self.needles:
            if needle in text:
                text = text.replace(needle, MASK)
        return text

    def mask_cut(self, text: str) -> str:
        """The same, also for what is left of a secret before and after a cut."""
        for cut in _CUTS:
            first, *rest = text.split(cut, MOST_CUTS)
            if rest:
                parts = [first, *map(self._without_tail, rest)]
                text = cut.join([*map(self._without_head, parts[:-1]), parts[-1]])
        return self.mask(text)

    def _without_head(self, part: str) -> str:
        """Hide the beginning of a secret at the end of what comes before a cut."""
        for needle in self._holding(part[-LEAST:]):
            for size in range(min(len(needle) - 1, len(part)), LEAST - 1, -1):
                if part.endswith(needle[:size]):
                    return part[:-size] + MASK
        return part

    def _without_tail(self, part: str) -> str:
        """Hide the end of a secret at the beginning of what comes after a cut."""
        for needle in self._holding(part[:LEAST]):
            for size in range(min(len(needle) - 1, len(part)), LEAST - 1, -1):
                if part.startswith(needle[-size:]):
                    return MASK + part[size:]
        return part

    def _holding(self, some: str) -> list[str]:
        """Return what is looked for that has this in it: a message may have thousands of cuts."""
        return [n for n in self.needles if some in n] if len(some) == LEAST else []

    def safe_cut(self, data: bytes | bytearray) -> int:
        """Return where bytes whose end has not come may be cut: not inside a secret."""
        needles = [needle.encode("utf-8", "surrogateescape") for needle in self.needles]
        at = len(data) - max(map(len, needles), default=1) + 1
        is_moved = True
        while is_moved:
            is_moved = False
            for needle in needles:
                found = data.find(needle, max(0, at - len(needle) + 1), at + len(needle) - 1)
                if 0 <= found < at:
                    at, is_moved = found, True
        return at if at > 0 else len(data)


known = Masker()
"""The secrets that this process was given."""


def mask(text: str) -> str:
    """Return a text as it may be kept and shown."""
    return known.mask_cut(text) if known.needles else text


def shown(text: str) -> str:
    """Return a recorded JSON text as it is shown: each secret in it is `***`."""
    return SEALED.sub(MASK, text) if MARK in text else text
