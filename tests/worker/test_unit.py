"""The worker as a unit of systemd's: it says what it should, whatever the paths are named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wrkflw_tui.config import Config
from wrkflw_tui.worker.unit import unit


def line_of(text: str, name: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(f"{name}=")]
    return found.partition("=")[2]


def test_it_serves_the_folder_and_the_file() -> None:
    text = unit(Config(Path("/home/me/automations"), Path("/home/me/runs.db")), 3)
    assert line_of(text, "ExecStart") == (
        f'"{sys.executable}" "-m" "wrkflw_tui" "worker" "--folder" "/home/me/automations"'
        ' "--database" "/home/me/runs.db" "--max-runs" "3"'
    )
    assert line_of(text, "WantedBy") == "default.target"


def test_what_systemd_would_read_otherwise_is_escaped() -> None:
    text = unit(Config(Path('/a b/100%/$HOME/"q"'), Path("/x.db")))
    assert '"/a b/100%%/$$HOME/\\"q\\""' in line_of(text, "ExecStart")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
@pytest.mark.parametrize("folder", ["/tmp", '/tmp/a b/100%n/$HOME/"q"'])
def test_systemd_takes_it(tmp_path: Path, folder: str) -> None:
    file = tmp_path / "wrkflw-tui.service"
    file.write_text(unit(Config(Path(folder), tmp_path / "x.db")))
    result = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    if "Failed to initialize" in result.stderr:
        pytest.skip("systemd-analyze cannot work here")
    assert (result.returncode, result.stderr) == (0, "")
