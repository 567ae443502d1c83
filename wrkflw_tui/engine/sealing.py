"""Secrets in recorded values: something else stands for them in the file, and they are read back.

A value that a step returns is needed again, by the next step and by a walk in another process, so
a secret in it cannot just be struck out. In its place the JSON text has `***`, and between two
substitute characters (U+001A) the secret's name, the form it had, and a hash of its value. Whoever
shows a record shows `***`; whoever reads it for a step asks the environment and the keyring for
the secret again, and the hash tells that it is the same one. So nobody who has not got the secret
can write what would read as it. The hash is a slow one, made where it is needed: a short secret
must not be guessed from it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from hashlib import pbkdf2_hmac
from typing import TYPE_CHECKING, cast
from urllib.parse import quote, unquote

from wrkflw_tui.engine import defaults
from wrkflw_tui.engine.errors import SecretNotFound
from wrkflw_tui.engine.masking import MARK, SEALED, forms_of, known, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 100_000
_HASH_BYTES = 6
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*')
"""A JSON text's strings and numbers: nothing else in it can hold a secret."""
_NUMBER = re.compile(
    r'"([-+.0-9eE]*(?:\*{3}\\u001a[\w.%~-]+:[a-z0-9-]*:[0-9a-f]{12}#\\u001a[-+.0-9eE]*)+)"'
)


def seal(text: str) -> str:
    """Return a JSON text without the secrets that this process knows.

    Raises `ValueError` where what stands for a secret is in it already: it would be taken for one.
    """
    if MARK in text and SEALED.search(text):
        raise ValueError(
            "it holds what stands for a secret in a record: give the secret's name on instead"
        )
    if not known.is_in_json(text):
        return text
    pattern = _pattern(tuple(known.forms))
    return _TOKEN.sub(lambda token: _sealed(token[0], pattern), text)


def opened(text: str) -> str:
    """Return a JSON text with its secrets in their places again. Raises `SecretNotFound`."""
    if MARK not in text:
        return text
    text = _NUMBER.sub(lambda number: SEALED.sub(_value, number[1]), text)
    return SEALED.sub(lambda found: _escaped(_value(found)), text)


def without_secrets(schema: dict[str, object]) -> dict[str, object]:
    """Return a JSON Schema without what a secret is in: a default that is one is left out."""
    return cast("dict[str, object]", _bare(schema)) if _holds_secret(schema) else schema


def _bare(part: object) -> object:
    if isinstance(part, list):
        return [_bare(one) for one in cast("list[object]", part)]
    if not isinstance(part, dict):
        return json.loads(shown(seal(json.dumps(part, ensure_ascii=False))))
    return {
        name: _bare(value)
        for name, value in cast("dict[str, object]", part).items()
        if name not in ("default", "examples") or not _holds_secret(value)
    }


def _holds_secret(value: object) -> bool:
    return known.is_in_json(json.dumps(value, ensure_ascii=False, default=str))


def _sealed(token: str, pattern: re.Pattern[str]) -> str:
    if token[0] != '"':
        number = pattern.sub(lambda found: _stand_in(found[0], "#"), token)
        return token if number == token else json.dumps(number)
    content: str = json.loads(token)
    content, count = pattern.subn(lambda found: _stand_in(found[0], ""), content)
    return json.dumps(content, ensure_ascii=False) if count else token


def _stand_in(text: str, mark: str) -> str:
    name, kind = known.forms[text]
    value = next(value for value in known.values_of(name) if forms_of(value).get(kind) == text)
    return f"***\x1a{quote(name, safe='')}:{kind}:{_hash(name, value)}{mark}\x1a"


def _value(found: re.Match[str]) -> str:
    name, kind, hashed = unquote(found[1]), found[2], found[3]
    for value in _candidates(name):
        if _hash(name, value) == hashed:
            return forms_of(value)[kind]
    raise SecretNotFound(
        f"the record holds the secret {name!r}, which has another value now: the step that read it"
        " has to run again (fork the run from there)"
    )


def _candidates(name: str) -> Iterator[str]:
    values = known.values_of(name)
    yield from values
    try:
        if defaults.secret_finder is not None:
            found = defaults.secret_finder(name)
            known.add(name, found)
            yield found
            return
        reason = "it is not there"
    except SecretNotFound as error:
        reason = str(error)
    if not values:
        raise SecretNotFound(f"the record holds the secret {name!r}: {reason}")


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


@cache
def _hash(name: str, value: str) -> str:
    """Return what tells a value from others, and does not tell the value."""
    data = value.strip().encode("utf-8", "surrogateescape")
    salt = f"wrkflw-tui:{name}".encode()
    return pbkdf2_hmac("sha256", data, salt, ROUNDS)[:_HASH_BYTES].hex()


@cache
def _pattern(forms: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, forms)))
