"""The terms of a schedule, as the record keeps them. Standard library only: screens import it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

Overlap: TypeAlias = Literal["skip", "queue_one", "queue_all", "cancel_previous", "allow"]
"""What becomes of a fire while a run of the same schedule is still going."""

CatchUp: TypeAlias = Literal["none", "latest", "all"]
"""Which of the missed fires are made up for."""

AUTO, UNLIMITED = "auto", "unlimited"
"""The two late limits that are no length of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTerms:
    """All that is agreed of a schedule, checked and in plain values."""

    timing: str
    """A cron expression, `every 15m` or `once 2026-12-01T08:00`."""
    timezone: str = "local"
    """`local` or an IANA name."""
    overlap: Overlap = "skip"
    catch_up: CatchUp = "latest"
    late_limit: str = AUTO
    """`auto`, `unlimited` or a length of time such as `36h`."""
    jitter: int = 0
    """Seconds by which a fire is put off at most."""
    pause_after_failures: int = 0
    """How many failed runs in a row pause it; 0 for never."""
    expect_within: int | None = None
    """Seconds after which a fire without a success is late."""
    max_runs: int | None = None
    start_at: str | None = None
    """The first instant allowed, in ISO form; without an offset it is in the schedule's zone."""
    end_at: str | None = None
    """The last instant allowed."""
    exclude: tuple[str, ...] = ()
    """Dates in the schedule's zone on which it does not fire, in ISO form."""
    note: str = ""


@runtime_checkable
class Timetable(Protocol):
    """What a workflow takes as one of its schedules."""

    @property
    def id(self) -> str | None:
        """Its id within the workflow."""
        ...

    @property
    def input_data(self) -> object:
        """What its runs are given."""
        ...

    @property
    def terms(self) -> ScheduleTerms:
        """Everything else."""
        ...


@dataclass(frozen=True, slots=True)
class PlannedSchedule:
    """A schedule of a committed workflow."""

    name: str
    """Its id within the workflow: the one given, else its position from 1."""
    terms: ScheduleTerms
    input: str
    """JSON text, of the workflow's input type."""
