"""A keyring in a file, for tests: chosen with `PYTHON_KEYRING_BACKEND=file_keyring.FileKeyring`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

NAME = "file_keyring.FileKeyring"
VARIABLE = "TEST_KEYRING_FILE"


class FileKeyring(KeyringBackend):
    """Keeps passwords in the file that the environment names; `locked` in it locks it."""

    priority = 1  # type: ignore[assignment] - the base declares a descriptor

    def _read(self) -> dict[str, str]:
        path = Path(os.environ[VARIABLE])
        text = path.read_text("utf-8") if path.exists() else "{}"
        if text == "locked":
            raise KeyringLocked("nobody unlocked it")
        return json.loads(text)

    def _write(self, passwords: dict[str, str]) -> None:
        Path(os.environ[VARIABLE]).write_text(json.dumps(passwords), "utf-8")

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._read(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        passwords = self._read()
        if passwords.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("it is not there")
        self._write(passwords)
