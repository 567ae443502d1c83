"""Where things are: the folder of automations and the file of the record.

What is given on the command line comes first, then the environment, then the configuration file,
then the default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from wrkflw_tui.engine.errors import WrkflwError

FOLDER_VARIABLE = "WRKFLW_FOLDER"
DATABASE_VARIABLE = "WRKFLW_DATABASE"
MAX_RESULT_VARIABLE = "WRKFLW_MAX_RESULT_MB"
MAX_RUNS_VARIABLE = "WRKFLW_MAX_RUNS"
DEFAULT_MAX_RUNS = max(4, os.cpu_count() or 1)
MAX_LOG_VARIABLE = "WRKFLW_MAX_LOG_MB"
SETTINGS_FILE = "wrkflw.toml"
"""Lies beside the automations and says how their runs are dealt with: `settings.py` reads it."""
MAX_MEMORY_VARIABLE = "WRKFLW_MAX_MEMORY_MB"
LEAST_MEMORY_MB = 64
"""Less would not do for the threads of a run and what an automation imports."""
MOST_MB = 900
"""SQLite keeps no text of more than a billion bytes."""


class ConfigError(WrkflwError):
    """The configuration cannot be read; says which file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Config:
    """The places that everything else is told."""

    folder: Path
    """Holds the automations, one Python file each."""
    database: Path
    """The SQLite file with every run and schedule."""
    max_result_bytes: int = 64 * 1024 * 1024
    """How long the JSON of a step's result may be."""
    max_log_bytes: int = 64 * 1024 * 1024
    """How much of what a run prints is kept; beyond that its middle goes."""
    max_runs: int = DEFAULT_MAX_RUNS
    """How many runs a worker has going at once."""
    max_memory_bytes: int | None = None
    """How much memory an automation may take in its process, and in each that it starts."""


def load_config(folder: str | None = None, database: str | None = None) -> Config:
    """Find the folder and the file. Raises `ConfigError` for a broken configuration file."""
    settings = _read_file(config_file())
    chosen = folder or os.environ.get(FOLDER_VARIABLE) or settings.get("folder")
    where = _absolute(chosen) if chosen else _default_folder()
    file = database or os.environ.get(DATABASE_VARIABLE) or settings.get("database")
    database_file = _absolute(file) if file else where / ".wrkflw" / "wrkflw.db"
    return Config(
        where,
        database_file,
        _bytes(settings, "max_result_mb", MAX_RESULT_VARIABLE),
        _bytes(settings, "max_log_mb", MAX_LOG_VARIABLE),
        _max_runs(settings),
        _max_memory(settings),
    )


def _max_runs(settings: dict[str, str]) -> int:
    text = os.environ.get(MAX_RUNS_VARIABLE) or settings.get("max_runs")
    if text is None:
        return DEFAULT_MAX_RUNS
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(
            f"max_runs ({MAX_RUNS_VARIABLE}) is a whole number of 1 or more, not {text!r}"
        )
    return int(text)


def _max_memory(settings: dict[str, str]) -> int | None:
    text = os.environ.get(MAX_MEMORY_VARIABLE) or settings.get("max_memory_mb")
    if text is None:
        return None
    if not text.isdecimal() or int(text) < LEAST_MEMORY_MB:
        raise ConfigError(
            f"max_memory_mb ({MAX_MEMORY_VARIABLE}) is a whole number of megabytes from"
            f" {LEAST_MEMORY_MB} on, not {text!r}"
        )
    return int(text) * 1024 * 1024


def _bytes(settings: dict[str, str], name: str, variable: str) -> int:
    given = os.environ.get(variable)
    text = settings.get(name, "64") if given is None else given
    try:
        megabytes = float(text)
    except ValueError:
        megabytes = 0.0
    if not 0 < megabytes <= MOST_MB:
        raise ConfigError(
            f"{name} ({variable}) is a number of megabytes above 0 and up to {MOST_MB},"
            f" not {text!r}"
        )
    return round(megabytes * 1024 * 1024)


def config_file() -> Path:
    """Return the path of the configuration file, whether it is there or not."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return _absolute(home) / "wrkflw-tui" / "config.toml"


def _default_folder() -> Path:
    here = Path.cwd() / "automations"
    return here if here.is_dir() else Path.home() / "automations"


def _absolute(path: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(path)))


def _read_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    import tomllib  # most have no such file, and need not wait for it

    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    known: dict[str, tuple[tuple[type, ...], str]] = {
        "folder": ((str,), "a text"),
        "database": ((str,), "a text"),
        "max_result_mb": ((int, float), "a number"),
        "max_runs": ((int,), "a whole number"),
        "max_log_mb": ((int, float), "a number"),
        "max_memory_mb": ((int,), "a whole number"),
    }
    for name, value in content.items():
        if name not in known:
            raise ConfigError(f"{path}: {name!r} is no setting; known are {', '.join(known)}")
        types, words = known[name]
        if not isinstance(value, types) or isinstance(value, bool):
            raise ConfigError(f"{path}: {name} must be {words}, not {value!r}")
    return {name: str(value) for name, value in content.items()}
