"""The README's Python is run as it stands, and is right to both type checkers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from wrkflw_tui.cli import main
from wrkflw_tui.settings import load_settings

README = Path(__file__).parents[1] / "README.md"
PYTHON = re.compile(r"^```python\n(.+?)^```$", re.DOTALL | re.MULTILINE)
# The tests among them are run by tests/testing/test_readme.py.
EXAMPLES = [e for e in PYTHON.findall(README.read_text("utf-8")) if "def test_" not in e]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "automations"
    folder.mkdir()
    for number, example in enumerate(EXAMPLES):
        (folder / f"example_{number}.py").write_text(example, "utf-8")
    return folder


def run(file: Path) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-W", "error", file.name],
        cwd=file.parent,
        env=os.environ | {"WRKFLW_FOLDER": str(file.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


def test_each_example_runs_as_it_stands(folder: Path) -> None:
    said = [line for file in sorted(folder.glob("*.py")) for line in run(file)]
    assert said == [
        "Send it to ada@example.org?",
        "sent to ada@example.org",
        "sent to bob@example.org",
    ]


def test_the_settings_can_be_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```toml\n(.+?)^```$", README.read_text("utf-8"), re.DOTALL | re.M)
    (tmp_path / "wrkflw.toml").write_text(example, "utf-8")
    backup = load_settings(tmp_path).of("backup-folder")
    assert (backup.keep_runs, backup.keep_for) == (30, timedelta(days=90))
    assert backup.on_failure is not None
    assert len(backup.on_failure) == 2


def test_each_example_is_an_automation(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--folder", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "count-downloads" in said
    assert "send-letter" in said


@pytest.mark.parametrize("checker", [["mypy", "--strict"], ["pyright"]], ids=["mypy", "pyright"])
def test_each_example_is_right_to_a_type_checker(folder: Path, checker: list[str]) -> None:
    files = sorted(folder.glob("*.py"))
    for file in files:
        file.write_text("# pyright: strict\n" + file.read_text("utf-8"), "utf-8")
    result = subprocess.run(
        [sys.executable, "-m", *checker, *map(str, files)],
        cwd=README.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
