"""`wrkflw-tui secrets`: what is in `.env` and in the keyring, by name; no value is ever printed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wrkflw_tui import secrets
from wrkflw_tui.commands.exits import WrongCall
from wrkflw_tui.commands.printing import Cell, print_json, print_table, say
from wrkflw_tui.envfile import FILE, read_env_file

if TYPE_CHECKING:
    from wrkflw_tui.config import Config

KEYRING = "keyring"


def list_secrets(config: Config, *, as_json: bool) -> int:
    """Print the names, and where each is held. Raises `EnvFileError`."""
    env = read_env_file(config.folder)
    if env.warning:
        say(f"wrkflw-tui: {env.warning}")
    held = {name: [FILE] for name in env.values}
    for name in secrets.names_kept():
        held.setdefault(name, []).append(KEYRING)
    if as_json:
        print_json([{"name": name, "held_in": held[name]} for name in sorted(held)])
    elif held:
        rows = [[Cell(name, "strong"), _places(held[name])] for name in sorted(held)]
        print_table(("name", "held in"), rows, gives=1)
    else:
        say(
            f"no secrets: put lines NAME=value into {config.folder / FILE},"
            " or `wrkflw-tui secrets set NAME`"
        )
    return 0


def _places(held: list[str]) -> str:
    return " (it holds over the one in the ".join(held) + ")" * (len(held) - 1)


def set_secret(name: str) -> int:
    """Put a secret into the keyring: typed unseen, or from standard input."""
    secrets.check_name(name)
    secrets.keep(name, _value(name))
    say(f"{name} is in the keyring")
    return 0


def _value(name: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    from getpass import getpass

    try:
        return getpass(f"{name} (not shown): ")
    except EOFError:
        raise WrongCall("no value was given: nothing was changed") from None


def remove_secret(name: str) -> int:
    """Remove a secret from the keyring."""
    secrets.forget(name)
    say(f"{name} is not in the keyring any more")
    return 0
