"""Completion by the tab key, asked as a shell asks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from commands.shell import Shell


def complete(shell: Shell, line: str) -> set[str]:
    """Return what bash would offer at the end of a line."""
    read_end, write_end = os.pipe()
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_SHELL": "bash",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    # argcomplete answers on descriptor 8.
    code = f"import os; os.dup2({write_end}, 8); from wrkflw_tui.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**shell.environment, **asked},
        cwd=shell.place,
        pass_fds=(write_end,),
        stdin=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as answers:
        found = answers.read()
    assert process.wait(30) == 0
    return {word.strip() for word in found.split("\n") if word.strip()}


@pytest.fixture(scope="module")
def runs(desk: Shell) -> str:
    run_id = desk.id("twice", "--input", "1")
    desk.bench.wait(run_id)
    return run_id


def test_commands_and_options_are_completed(desk: Shell) -> None:
    assert complete(desk, "wrkflw-tui ru") == {"run", "runs"}
    assert complete(desk, "wrkflw-tui schedules re") == {"resume", "remove"}
    assert complete(desk, "wrkflw-tui runs --st") == {"--status"}
    assert complete(desk, "wrkflw-tui serve --po") == {"--port"}
    assert "suspended" in complete(desk, "wrkflw-tui runs --status ")


def test_ids_on_record_are_completed(desk: Shell, runs: str) -> None:
    assert complete(desk, "wrkflw-tui run tw") == {"twice"}
    assert complete(desk, "wrkflw-tui show @") == {"@latest"}
    assert complete(desk, f"wrkflw-tui show {runs[:-4]}") == {runs}
    assert complete(desk, f"wrkflw-tui fork {runs} d") == {"double"}


def test_a_record_that_is_not_there_completes_nothing(desk: Shell) -> None:
    line = "wrkflw-tui --database /nowhere/at/all.db run t"
    assert complete(desk, line) == set()


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(desk: Shell, shell_name: str) -> None:
    said = desk("completion", shell_name)
    assert (said.code, said.err) == (0, "")
    assert "wrkflw-tui" in said.out
    assert "_ARGCOMPLETE" in said.out


def test_bash_can_read_its_script(desk: Shell) -> None:
    script = desk("completion", "bash").out
    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\ncomplete -p wrkflw-tui"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().endswith("wrkflw-tui")
