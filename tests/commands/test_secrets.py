"""`wrkflw-tui secrets`: names and places, never a value."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import file_keyring
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands.shell import Shell, Terminal

TOKEN = "tok_3f9aQ7-ZZpassion"


@pytest.fixture
def keyring(shell: Shell) -> Path:
    """A keyring in a file, for the commands."""
    tests = str(Path(__file__).parents[1])
    path = shell.place / "keyring.json"
    shell.environment |= {
        "PYTHONPATH": os.pathsep.join([shell.environment["PYTHONPATH"], tests]),
        "PYTHON_KEYRING_BACKEND": file_keyring.NAME,
        file_keyring.VARIABLE: str(path),
    }
    return path


def test_set_list_and_remove(shell: Shell, keyring: Path) -> None:
    (shell.bench.folder / ".env").write_text("API_KEY=some-key-of-mine\nTOKEN=from-the-file\n")
    (shell.bench.folder / ".env").chmod(0o600)
    said = shell("secrets", "set", "TOKEN", stdin=f"{TOKEN}\n")
    assert (said.code, said.out, said.err) == (0, "", "TOKEN is in the keyring\n")
    assert TOKEN in keyring.read_text("utf-8")
    assert shell("secrets", "set", "OTHER", stdin="another-one").code == 0
    listed = shell("secrets")
    assert listed.code == 0
    assert [line.split() for line in listed.out.splitlines()][1:] == [
        ["API_KEY", ".env"],
        ["OTHER", "keyring"],
        ["TOKEN", ".env", "(it", "holds", "over", "the", "one", "in", "the", "keyring)"],
    ]
    assert shell("secrets", "list", "--json").json == [
        {"name": "API_KEY", "held_in": [".env"]},
        {"name": "OTHER", "held_in": ["keyring"]},
        {"name": "TOKEN", "held_in": [".env", "keyring"]},
    ]
    assert shell("secrets", "remove", "TOKEN").code == 0
    assert TOKEN not in keyring.read_text("utf-8")
    assert {"name": "TOKEN", "held_in": [".env"]} in shell("secrets", "--json").json  # type: ignore[operator] - a list
    gone = shell("secrets", "remove", "TOKEN")
    assert (gone.code, gone.err) == (2, "wrkflw-tui: the keyring has no secret 'TOKEN'\n")


def test_the_names_are_kept_for_their_owner_alone_and_no_value_with_them(
    shell: Shell, keyring: Path
) -> None:
    assert shell("secrets", "set", "TOKEN", stdin=TOKEN).code == 0
    names = shell.place / "config" / "wrkflw-tui" / "secret-names.txt"
    assert names.read_text("utf-8") == "TOKEN\n"
    assert stat.S_IMODE(names.stat().st_mode) == 0o600


def test_a_value_is_typed_unseen(
    shell: Shell, keyring: Path, terminal: Callable[..., Terminal]
) -> None:
    typed = terminal(shell, "secrets", "set", "TOKEN")
    typed.read_until("TOKEN (not shown): ")
    typed.type(f"{TOKEN}\n".encode())
    assert typed.end() == 0
    assert TOKEN not in typed.text
    assert TOKEN in keyring.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "value", "said"),
    [
        (("set", "no-name"), "x", "a secret's name has letters, digits and _"),
        (("set", "TOKEN"), "", "has no value: nothing was changed"),
        (("sett", "TOKEN"), "", "did you mean set"),
    ],
)
def test_a_wrong_call_changes_nothing(
    shell: Shell, keyring: Path, arguments: tuple[str, ...], value: str, said: str
) -> None:
    answer = shell("secrets", *arguments, stdin=value)
    assert answer.code == 2
    assert said in answer.err
    assert not keyring.exists()


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("keyring.backends.fail.Keyring", "this machine has no keyring that can be used: use .env"),
        ("nobody.knows.It", "the keyring cannot be used: ModuleNotFoundError"),
    ],
)
def test_without_a_keyring_it_says_what_to_do(
    shell: Shell, keyring: Path, backend: str, said: str
) -> None:
    shell.environment["PYTHON_KEYRING_BACKEND"] = backend
    answer = shell("secrets", "set", "TOKEN", stdin=TOKEN)
    assert answer.code == 1
    assert said in answer.err
    assert TOKEN not in answer.err
    assert shell("secrets", "list").code == 0


def test_a_locked_keyring_says_so(shell: Shell, keyring: Path) -> None:
    keyring.write_text("locked")
    answer = shell("secrets", "set", "TOKEN", stdin=TOKEN)
    assert answer.code == 1
    assert "the keyring cannot be used: KeyringLocked: nobody unlocked it; use .env" in answer.err


def test_nothing_yet_says_how_to_begin(shell: Shell, keyring: Path) -> None:
    answer = shell("secrets")
    assert (answer.code, answer.out) == (0, "")
    assert "wrkflw-tui secrets set NAME" in answer.err
    assert str(shell.bench.folder / ".env") in answer.err


def test_a_broken_file_names_its_line(shell: Shell, keyring: Path) -> None:
    (shell.bench.folder / ".env").write_text(f"A=1\n= {TOKEN}\n")
    answer = shell("secrets")
    assert answer.code == 1
    assert ".env, line 2: it is not NAME=value" in answer.err
    assert TOKEN not in answer.err
