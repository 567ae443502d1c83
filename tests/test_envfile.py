"""`.env` as it is read: values, what is wrong with it, and who else can read it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.envfile import MOST, NO_FILE, EnvFileError, read_env_file

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, text: str | bytes, mode: int = 0o600) -> None:
    path = folder / ".env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)


def test_values_are_read_as_dotenv_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SET_BEFORE", "from the environment")
    text = """\
# a comment
A=1
export B = 'two words'   # said so
C="with\\nlines"
D="over
lines"
E=${A}-${SET_BEFORE}
F=
G
SET_BEFORE=from the file
"""
    write(tmp_path, text)
    found = read_env_file(tmp_path)
    assert found.values == {
        "A": "1",
        "B": "two words",
        "C": "with\nlines",
        "D": "over\nlines",
        "E": "1-from the environment",
        "F": "",
        "SET_BEFORE": "from the environment",
    }
    assert found.warning == ""
    assert "two words" not in repr(found)
    assert "B" not in os.environ


def test_no_file_and_a_folder_of_that_name_are_nothing(tmp_path: Path) -> None:
    assert read_env_file(tmp_path) is NO_FILE
    (tmp_path / ".env").mkdir()
    assert read_env_file(tmp_path) is NO_FILE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\n\n\nthis is nothing\nB=2\n", "line 4: it is not NAME=value"),
        ("A='open\nB=2\n", "line 1: it is not NAME=value"),
        (b"A=1\nB=\xff\n", "line 2: it is not UTF-8"),
        ("A=a\0b\n", "'A' holds a NUL"),
        ("A=" + "x" * MOST, "it has more than 24 KB"),
    ],
    ids=["nothing", "open", "bytes", "nul", "long"],
)
def test_what_is_wrong_names_the_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    write(tmp_path, text)
    with pytest.raises(EnvFileError) as raised:
        read_env_file(tmp_path)
    where, said_of_it = str(raised.value).split(".env", 1)
    assert where == f"{tmp_path}/"
    assert said in said_of_it
    assert "open" not in said_of_it


def test_a_named_pipe_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    with pytest.raises(EnvFileError, match="no plain file"):
        read_env_file(tmp_path)


@pytest.mark.parametrize(("mode", "warns"), [(0o600, False), (0o400, False), (0o640, True)])
def test_it_warns_where_others_can_read_it(tmp_path: Path, mode: int, warns: bool) -> None:
    write(tmp_path, "A=1\n", mode)
    found = read_env_file(tmp_path)
    assert found.values == {"A": "1"}
    assert ("chmod 600" in found.warning) is warns
