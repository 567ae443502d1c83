"""`wrkflw-tui init`: a first automation that is right, and runs."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from commands.shell import Shell


@pytest.fixture
def written(shell: Shell) -> Path:
    (shell.bench.folder / "shop.py").unlink()
    said = shell("init")
    assert said.code == 0
    path = shell.bench.folder / "folder_report.py"
    assert said.out == f"{path}\n"
    assert "wrkflw-tui run folder-report --input top=3" in said.err
    return path


def test_what_it_writes_runs_offline_as_it_says(shell: Shell, written: Path) -> None:
    (shell.place / "stuff").mkdir()
    (shell.place / "stuff" / "a.txt").write_text("x" * 3000)
    (shell.place / "stuff" / "b.TXT").write_text("x" * 1000)
    (shell.place / "stuff" / "c").write_text("x" * 500)
    said = shell("run", "folder-report", "-q", "-i", f"folder={shell.place / 'stuff'}", "top=1")
    assert (said.code, said.json) == (0, {"lines": ["4.0 kB  .txt"]})
    assert shell("check").code == 0
    said = shell("run", "folder-report", "-q", "-i", "folder=/nowhere")
    assert said.code == 1
    assert "/nowhere is no folder" in said.err


@pytest.mark.parametrize("checker", [["mypy", "--strict"], ["pyright"]], ids=["mypy", "pyright"])
def test_it_is_right_to_a_type_checker(shell: Shell, written: Path, checker: list[str]) -> None:
    written.write_text("# pyright: strict\n" + written.read_text())
    done = subprocess.run(
        [sys.executable, "-m", *checker, str(written)],
        cwd=shell.place,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_nothing_is_ever_overwritten(shell: Shell, written: Path) -> None:
    written.write_text("mine")
    said = shell("init")
    assert (said.code, said.out) == (1, "")
    assert "is there already: nothing was written" in said.err
    assert written.read_text() == "mine"


def test_another_folder_is_made_and_named_in_what_to_do_next(shell: Shell) -> None:
    place = shell.place / "my own" / "automations"
    said = shell("init", str(place))
    assert (said.code, said.out) == (0, f"{place / 'folder_report.py'}\n")
    assert f"wrkflw-tui --folder '{place}' run folder-report" in said.err


def test_a_place_that_cannot_be_is_named(shell: Shell) -> None:
    (shell.place / "file").write_text("")
    said = shell("init", str(shell.place / "file"))
    assert said.code == 1
    assert "Traceback" not in said.err
    assert str(shell.place / "file") in said.err
