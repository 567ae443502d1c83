"""Where things are: flags, then the environment, then the file, then the default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wrkflw_tui.config import ConfigError, config_file, load_config


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("WRKFLW_FOLDER", "WRKFLW_DATABASE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path


def write(text: str) -> Path:
    path = config_file()
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    return path


def test_the_default_is_in_the_home(home: Path) -> None:
    config = load_config()
    assert config.folder == home / "automations"
    assert config.database == home / "automations" / ".wrkflw" / "wrkflw.db"


def test_a_folder_here_comes_before_the_one_in_the_home(home: Path) -> None:
    here = home / "work" / "automations"
    here.mkdir()
    assert load_config().folder == here


def test_the_file_comes_before_the_default(home: Path) -> None:
    write('folder = "/from/file"\ndatabase = "/from/file.db"\n')
    config = load_config()
    assert (config.folder, config.database) == (Path("/from/file"), Path("/from/file.db"))


def test_the_environment_comes_before_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write('folder = "/from/file"\ndatabase = "/from/file.db"\n')
    monkeypatch.setenv("WRKFLW_FOLDER", "/from/env")
    monkeypatch.setenv("WRKFLW_DATABASE", "/from/env.db")
    config = load_config()
    assert (config.folder, config.database) == (Path("/from/env"), Path("/from/env.db"))


def test_flags_come_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write('folder = "/from/file"\ndatabase = "/from/file.db"\n')
    monkeypatch.setenv("WRKFLW_FOLDER", "/from/env")
    monkeypatch.setenv("WRKFLW_DATABASE", "/from/env.db")
    config = load_config("/from/flag", "/from/flag.db")
    assert (config.folder, config.database) == (Path("/from/flag"), Path("/from/flag.db"))


def test_each_setting_is_looked_for_by_itself(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write('folder = "/from/file"\n')
    monkeypatch.setenv("WRKFLW_DATABASE", "/from/env.db")
    config = load_config()
    assert (config.folder, config.database) == (Path("/from/file"), Path("/from/env.db"))


def test_the_record_lies_in_the_folder_that_was_chosen(home: Path) -> None:
    assert load_config("/from/flag").database == Path("/from/flag/.wrkflw/wrkflw.db")


def test_an_empty_variable_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRKFLW_FOLDER", "")
    assert load_config().folder == home / "automations"


def test_paths_are_made_absolute(home: Path) -> None:
    config = load_config("~/mine", "here/../runs.db")
    assert config.folder == home / "mine"
    assert config.database == home / "work" / "runs.db"


def test_the_file_may_lie_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_file() == home / ".config" / "wrkflw-tui" / "config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "elsewhere"))
    assert config_file() == home / "elsewhere" / "wrkflw-tui" / "config.toml"


def test_the_log_limit_is_a_number_of_megabytes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_config().max_log_bytes == 64 * 1024 * 1024
    write("max_log_mb = 1.5\n")
    assert load_config().max_log_bytes == 1024 * 1536
    monkeypatch.setenv("WRKFLW_MAX_LOG_MB", "2")
    assert load_config().max_log_bytes == 2 * 1024 * 1024
    monkeypatch.setenv("WRKFLW_MAX_LOG_MB", "0")
    with pytest.raises(ConfigError, match="max_log_mb"):
        load_config()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("folder = \n", "Invalid value"),
        (
            'foldr = "/x"\n',
            "'foldr' is no setting; known are folder, database, max_result_mb, max_runs,",
        ),
        ("folder = 7\n", "folder must be a text, not 7"),
        ('max_runs = "4"\n', "max_runs must be a whole number, not '4'"),
        ('[folder]\npath = "/x"\n', "folder must be a text"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(home: Path, text: str, said: str) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_a_file_that_is_no_utf8_is_named(home: Path) -> None:
    path = write("")
    path.write_bytes(b'folder = "\xff"\n')
    with pytest.raises(ConfigError, match="cannot read"):
        load_config()


def test_a_bad_file_is_an_error_even_with_flags(home: Path) -> None:
    write("folder = 7\n")
    with pytest.raises(ConfigError):
        load_config("/from/flag", "/from/flag.db")


def test_how_many_runs_go_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_config().max_runs == max(4, os.cpu_count() or 1)
    write("max_runs = 9\n")
    assert load_config().max_runs == 9
    monkeypatch.setenv("WRKFLW_MAX_RUNS", "2")
    assert load_config().max_runs == 2
    monkeypatch.setenv("WRKFLW_MAX_RUNS", "-2")
    with pytest.raises(ConfigError, match="WRKFLW_MAX_RUNS"):
        load_config()


def test_how_much_memory_a_run_may_take(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_config().max_memory_bytes is None
    write("max_memory_mb = 512\n")
    assert load_config().max_memory_bytes == 512 * 1024 * 1024
    monkeypatch.setenv("WRKFLW_MAX_MEMORY_MB", "2048")
    assert load_config().max_memory_bytes == 2048 * 1024 * 1024
    monkeypatch.setenv("WRKFLW_MAX_MEMORY_MB", "9")
    with pytest.raises(ConfigError, match="from 64 on, not '9'"):
        load_config()
