"""Completion by the tab key: the shell's script, and the ids that it completes.

By argcomplete, which asks the parser itself and so never differs from it; it is imported only when
a shell asks.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    import sqlite3
    from collections.abc import Callable

SHELLS = ("bash", "zsh", "fish")
ASKED = "_ARGCOMPLETE"
"""In the environment while a shell asks for completions."""
RECENT = 50
"""How many of the newest runs are offered."""
INSTALL = {
    "bash": 'eval "$(wrkflw-tui completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(wrkflw-tui completion zsh)"    in ~/.zshrc, after compinit',
    "fish": "wrkflw-tui completion fish | source    in ~/.config/fish/config.fish",
}


def completion(shell: str) -> int:
    """Print the script that makes a shell ask for completions."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["wrkflw-tui"], shell=shell))
    return 0


def answer_the_shell(parser: argparse.ArgumentParser) -> None:
    """Print what could come next and end the process, if a shell asks."""
    if ASKED in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)


def workflow_ids(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the ids of the workflows on record."""
    return _read(parsed_args, lambda c: _column(c, "SELECT workflow_id FROM wrkflw_workflows"))


def pruned_ids(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the ids of the workflows with a run that has ended."""
    from wrkflw_tui.store.retention import workflows

    return _read(parsed_args, workflows)


def run_ids(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the ids of the newest runs, and what stands for the newest of all."""
    newest = f"SELECT run_id FROM wrkflw_workflow_runs ORDER BY id DESC LIMIT {RECENT}"
    return ["@latest", *_read(parsed_args, lambda c: _column(c, newest))]


def drawn_ids(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the ids of what can be drawn."""
    return [*workflow_ids(parsed_args), *run_ids(parsed_args)]


def schedule_ids(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the ids of the schedules."""
    sql = "SELECT schedule_id FROM wrkflw_schedules WHERE gone = 0"
    return _read(parsed_args, lambda c: _column(c, sql))


def secret_names(**_: object) -> list[str]:
    """Return the names of what is in the keyring."""
    from wrkflw_tui.secrets import names_kept

    return names_kept()


def step_paths(parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the steps that a run came to."""
    from wrkflw_tui.store.runs import find_run

    sql = (
        "SELECT DISTINCT path FROM wrkflw_step_results WHERE run ="
        " (SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?)"
    )
    return _read(parsed_args, lambda c: _column(c, sql, find_run(c, str(parsed_args.run))))


def _column(connection: sqlite3.Connection, sql: str, *values: str) -> list[str]:
    return [row[0] for row in connection.execute(sql, values)]


def _read(
    parsed_args: argparse.Namespace, work: Callable[[sqlite3.Connection], list[str]]
) -> list[str]:
    from wrkflw_tui.commands.record import reading
    from wrkflw_tui.config import load_config
    from wrkflw_tui.engine.errors import WrkflwError

    folder = getattr(parsed_args, "folder", None)
    database = getattr(parsed_args, "database", None)
    try:
        with reading(load_config(folder, database)) as connection:
            return work(connection)
    except WrkflwError:
        return []  # there is no place to say so
