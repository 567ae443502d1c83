"""The commands as they are called: exit codes and what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., subprocess.CompletedProcess[str]]

GOOD = """
from wrkflw_tui import create_workflow, step

@step
def work(value: int) -> int:
    return value

one = create_workflow(id="one", input_schema=int, output_schema=int).then(work).commit()
two = create_workflow(id="two", input_schema=int, output_schema=int).then(work).commit()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "automations"
    path.mkdir()
    return path


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Call the command with a home of its own and no terminal."""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    environment |= {"WRKFLW_FOLDER": "", "WRKFLW_DATABASE": ""}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "wrkflw_tui", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
            check=False,
        )

    return run


def test_check_lists_what_is_fine(call: Call, folder: Path) -> None:
    (folder / "good.py").write_text(GOOD)
    (folder / "empty.py").write_text("")
    done = call("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["✓ empty.py: no workflow", "✓ good.py: one, two"]


def test_check_names_what_is_broken(call: Call, folder: Path) -> None:
    (folder / "good.py").write_text(GOOD)
    (folder / "broken.py").write_text("\n\nimport nothing_like_it\n")
    (folder / "exits.py").write_text("import os; os._exit(4)")
    done = call("check")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "✗ broken.py: line 3: ModuleNotFoundError: No module named 'nothing_like_it'",
        "✗ exits.py: ended the process that imported it (exit code 4)",
        "✓ good.py: one, two",
    ]


def test_check_reads_the_settings_and_warns_of_workflows_that_are_not_there(
    call: Call, folder: Path
) -> None:
    (folder / "good.py").write_text(GOOD)
    (folder / "wrkflw.toml").write_text(
        '[all]\non_failure = [{ workflow = "rapport" }]\n'
        '[workflow.one]\non_success = [{ workflow = "two" }]\n'
        "[workflow.tow]\nkeep_runs = 3\n"
    )
    done = call("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "✓ good.py: one, two",
        "✓ wrkflw.toml",
        "! wrkflw.toml: [workflow.tow]: there is no workflow 'tow'",
        "! wrkflw.toml: [all] on_failure: there is no workflow 'rapport' to start",
    ]


def test_check_names_what_is_wrong_with_the_settings(call: Call, folder: Path) -> None:
    (folder / "good.py").write_text(GOOD)
    (folder / "wrkflw.toml").write_text("[all]\nkeep = 3\n")
    done = call("check")
    assert (done.returncode, done.stderr) == (1, "")
    assert "✗ wrkflw.toml: wrkflw.toml: all.keep: " not in done.stdout
    assert done.stdout.splitlines()[1].startswith("✗ wrkflw.toml: all.keep: ")


def test_settings_alone_are_no_automations(call: Call, folder: Path) -> None:
    (folder / "wrkflw.toml").write_text("")
    done = call("check")
    assert done.returncode == 1
    assert done.stdout == f"no automations in {folder}\n✓ wrkflw.toml\n"
    assert "no automations" in call("list").stderr


def test_check_without_automations_says_where_it_looked(call: Call, tmp_path: Path) -> None:
    done = call("check", "--folder", str(tmp_path / "elsewhere"))
    assert done.returncode == 1
    assert done.stdout == f"no automations in {tmp_path / 'elsewhere'}\n"


def test_check_leaves_no_record_behind(call: Call, folder: Path) -> None:
    (folder / "good.py").write_text(GOOD)
    assert call("check").returncode == 0
    assert not (folder / ".wrkflw").exists()


def test_places_may_stand_before_or_behind_the_command(call: Call, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "good.py").write_text(GOOD)
    assert call("--folder", "other", "check").stdout == "✓ good.py: one, two\n"
    assert call("check", "--folder", "other").stdout == "✓ good.py: one, two\n"


def test_the_app_needs_a_terminal(call: Call) -> None:
    done = call()
    assert done.returncode == 2
    assert done.stdout == ""
    assert "needs a terminal" in done.stderr
    assert "wrkflw-tui worker" in done.stderr
    assert "wrkflw-tui run ID" in done.stderr
    assert "wrkflw-tui --help" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "there is no command 'nonsense'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["check", "--max-runs", "2"], "unrecognized arguments: --max-runs"),
        (["worker", "--max-runs", "0"], "must be at least 1, not 0"),
        (["worker", "--max-runs", "many"], "--max-runs: invalid"),
        (["--folder"], "--folder: expected one argument"),
    ],
)
def test_a_wrong_call_is_named(call: Call, arguments: list[str], said: str) -> None:
    done = call(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_the_commands(call: Call) -> None:
    done = call("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("worker", "check", "graph", "--folder", "--database"):
        assert word in done.stdout
    assert "--for-app" not in call("worker", "--help").stdout


@pytest.mark.parametrize("command", [[], ["check"], ["worker"]], ids=["app", "check", "worker"])
def test_a_broken_configuration_names_its_file(
    call: Call, tmp_path: Path, command: list[str]
) -> None:
    path = tmp_path / "config" / "wrkflw-tui" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("folder = \n")
    done = call(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"wrkflw-tui: cannot read {path}: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_record_that_cannot_be_opened_is_named(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    done = call("worker", "--database", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_record_of_a_newer_version_is_refused(call: Call, tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    path = tmp_path / "newer.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1000")
    done = call("worker", "--database", str(path))
    assert done.returncode == 1
    assert "newer version" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_worker_prints_its_unit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", "--systemd", "--folder", str(folder), "--max-runs", "2"]) == 0
    said = capsys.readouterr().out
    assert f'"--folder" "{folder}"' in said
    assert '"--max-runs" "2"' in said
    assert list(folder.iterdir()) == []
