"""What `wrkflw.toml` beside the automations says of them: what is kept, what follows a run.

    [all]
    keep_for = "90d"
    on_failure = [{ notify = true }]

    [workflow.backup-photos]
    keep_runs = 30
    on_failure = [{ command = ["./call-me.sh"] }, { webhook = "http://127.0.0.1:8000/failed" }]
    on_success = [{ workflow = "check-backup" }]

What a workflow says stands in place of what is said for all, setting by setting.
"""

from __future__ import annotations

import tomllib
from datetime import timedelta  # noqa: TC003 - Pydantic reads it
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from wrkflw_tui.config import SETTINGS_FILE
from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.schedules.duration import parse_duration

if TYPE_CHECKING:
    from pathlib import Path

FILE = SETTINGS_FILE


class SettingsError(WrkflwError):
    """`wrkflw.toml` cannot be read; says where and what is wrong."""


def _length(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FollowUp(_Strict):
    """One thing that follows: exactly one of its fields is given."""

    notify: Literal[True] | None = None
    """A notification on the desktop."""
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """A program and its arguments, run in the automations' folder."""
    webhook: Annotated[str, Field(pattern=r"^https?://[^\s]+$")] | None = None
    """An address that the end is posted to, as JSON."""
    workflow: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    """A workflow that is started."""

    @model_validator(mode="after")
    def _is_one(self) -> FollowUp:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("give one of notify, command, webhook, workflow")
        return self


class WorkflowSettings(_Strict):
    """What holds for a workflow's runs; `None` where nothing is said."""

    keep_runs: Annotated[int, Field(ge=1)] | None = None
    """How many ended runs are kept, the newest."""
    keep_for: Annotated[timedelta, BeforeValidator(_length)] | None = None
    """How long after its end a run is kept."""
    on_failure: tuple[FollowUp, ...] | None = None
    on_success: tuple[FollowUp, ...] | None = None
    on_question: tuple[FollowUp, ...] | None = None


class Settings(_Strict):
    """All that the file says."""

    all: WorkflowSettings = WorkflowSettings()
    workflow: dict[str, WorkflowSettings] = Field(default_factory=dict)

    def of(self, workflow_id: str) -> WorkflowSettings:
        """Return what holds for a workflow: what is said of it, else what is said of all."""
        own = self.workflow.get(workflow_id, WorkflowSettings())
        given = {name: getattr(own, name) for name in own.model_fields_set}
        return self.all.model_copy(update=given)


def load_settings(folder: Path) -> Settings:
    """Read the folder's settings; without a file there are none. Raises `SettingsError`."""
    path = folder / FILE
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{FILE} cannot be read: {error}") from error
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{FILE}: {'; '.join(_told(error))}") from error


def _told(error: ValidationError) -> list[str]:
    lines: list[str] = []
    for one in error.errors():
        where = ".".join(map(str, one["loc"]))
        said = one["msg"]
        if one["type"] == "extra_forbidden":
            said = f"is no setting (known are {', '.join(_known(one['loc']))})"
        lines.append(f"{where}: {said}")
    return lines


def _known(where: tuple[int | str, ...]) -> list[str]:
    if len(where) == 1:
        return list(Settings.model_fields)
    in_follow_up = any(isinstance(part, int) for part in where)
    return list((FollowUp if in_follow_up else WorkflowSettings).model_fields)
