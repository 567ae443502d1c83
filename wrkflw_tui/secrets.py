"""Secrets by name: from the environment, which `.env` adds to, else from the system's keyring.

A keyring cannot list what is in it, so the names of what was put there are kept in a file beside
the configuration, one a line; the values are in the keyring alone.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from wrkflw_tui.config import config_file
from wrkflw_tui.engine.errors import SecretNotFound, WrkflwError
from wrkflw_tui.engine.masking import known

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SERVICE = "wrkflw-tui"
"""What the secrets are filed under in the keyring."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class NoKeyring(WrkflwError):
    """The system's keyring cannot be used; says why, and what can be done instead."""


class InvalidSecret(WrkflwError, ValueError):
    """A name or a value that a secret cannot have."""


def secret(name: str) -> str:
    """Return the secret of that name, and mask it from here on in all that is kept of the run.

    It is looked for in the environment first, which has the values of `.env`, then in the system's
    keyring. Raises `SecretNotFound`.
    """
    value = find(name)
    known.add(name, value)
    return value


def find(name: str) -> str:
    """Return the secret of that name. Raises `SecretNotFound`."""
    value = os.environ.get(name)
    if value:
        return value
    why = ""
    try:
        value = _keyring().get_password(name)
    except NoKeyring as error:
        why = f" ({error.args[0]})"
    if not value:
        raise SecretNotFound(
            f"there is no secret {name!r}: put a line {name}=… into .env beside the automations,"
            f" or keep it in the keyring with `wrkflw-tui secrets set {name}`{why}"
        )
    return value


def keep(name: str, value: str) -> None:
    """Put a secret into the keyring. Raises `NoKeyring` and `InvalidSecret`."""
    check_name(name)
    if not value or "\0" in value:
        raise InvalidSecret(f"the secret {name} has no value: nothing was changed")
    _keyring().set_password(name, value)
    _write_names({*names_kept(), name})


def check_name(name: str) -> None:
    """Raise `InvalidSecret` where a secret cannot have that name."""
    if not _NAME.fullmatch(name):
        raise InvalidSecret(f"a secret's name has letters, digits and _, unlike {name!r}")


def forget(name: str) -> None:
    """Remove a secret from the keyring. Raises `NoKeyring` and `SecretNotFound`."""
    keyring = _keyring()
    is_there = keyring.get_password(name) is not None
    if is_there:
        keyring.delete_password(name)
    if name in names_kept():
        _write_names(set(names_kept()) - {name})
    elif not is_there:
        raise SecretNotFound(f"the keyring has no secret {name!r}")


def names_kept() -> list[str]:
    """Return the names of what was put into the keyring, in their order."""
    try:
        return sorted(set(names_file().read_text("utf-8").split()))
    except FileNotFoundError:
        return []


def names_file() -> Path:
    """Return where the names are kept."""
    return config_file().with_name("secret-names.txt")


def _write_names(names: Iterable[str]) -> None:
    path = names_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, made = tempfile.mkstemp(dir=path.parent)  # its owner's alone
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in sorted(names))
        os.replace(made, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(made)
        raise


class _Keyring:
    """The system's keyring. Whatever its backends raise comes as `NoKeyring`."""

    def __init__(self) -> None:
        import keyring  # 80 ms and more, and most secrets are in the environment
        from keyring.backends import fail

        self._keyring = keyring
        if isinstance(keyring.get_keyring(), fail.Keyring):
            raise NoKeyring("this machine has no keyring that can be used: use .env instead")

    def get_password(self, name: str) -> str | None:
        try:
            return self._keyring.get_password(SERVICE, name)
        except Exception as error:
            raise _cannot(error) from error

    def set_password(self, name: str, value: str) -> None:
        try:
            self._keyring.set_password(SERVICE, name, value)
        except Exception as error:
            raise _cannot(error) from error

    def delete_password(self, name: str) -> None:
        try:
            self._keyring.delete_password(SERVICE, name)
        except Exception as error:
            raise _cannot(error) from error


def _keyring() -> _Keyring:
    try:
        return _Keyring()
    except NoKeyring:
        raise
    except Exception as error:  # a backend that cannot be loaded, or is configured wrongly
        raise _cannot(error) from error


def _cannot(error: Exception) -> NoKeyring:
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return NoKeyring(f"the keyring cannot be used: {said}; use .env instead")
