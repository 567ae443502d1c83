"""What becomes of due instants: decided from the terms and the clock alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from wrkflw_tui.engine.terms import AUTO, UNLIMITED, ScheduleTerms
from wrkflw_tui.schedules.duration import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AUTO_LIMIT = int(timedelta(hours=24).total_seconds())
"""Seconds that a missed instant may lie back, or half the time to the next if that is more."""
ON_TIME = 60
"""Seconds within which an instant is not missed."""
MADE_UP = 100
"""How many missed instants are made up for at most."""
QUEUE = 100
"""How many fires wait for the run before them at most."""

STANDS_FOR = "missed while no worker ran: the latest instant stands for them"
NO_CATCH_UP = "missed while no worker ran, and this schedule does not catch up"
TOO_LATE = "missed too long ago to be made up for"
TOO_MANY = f"missed while no worker ran: the newest {MADE_UP} are made up for"
SPENT = "the schedule has had all its runs"
STILL_GOING = "the run before it was still going"
ONE_WAITS = "a fire before it still waited for the run before that"
QUEUE_FULL = f"{QUEUE} fires before it still waited"
REPLACED = "a newer fire took its place"
STOPPED = "the schedule was stopped before it could start"
WAITS = "waits for the run before it"


@dataclass(frozen=True, slots=True)
class Instant:
    """A due instant, in seconds since the epoch."""

    due_at: int
    fire_at: int
    """The same, put off by its jitter."""
    nominal: str | None = None
    """The minute on the wall that it stands for and that comes only once."""
    zone: str = "UTC"
    stands_apart: bool = False
    """Whether an instant before it is on record already, so that no stretch reaches over both."""
    ends_gap: bool = False
    """Whether more instants lie before it than were looked at: it is left out as those are."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A stretch of instants that start no run."""

    first: Instant
    last: Instant
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about due instants."""

    start: tuple[Instant, ...]
    skip: tuple[Skip, ...]


def judge(
    terms: ScheduleTerms,
    due: Sequence[Instant],
    following: int | None,
    now: int,
    runs_started: int = 0,
) -> Verdict:
    """Decide which of the due instants start a run, oldest first, and why the others do not.

    `following` is the first instant that is not due yet.
    """
    if not due:
        return Verdict((), ())
    reasons = _reasons(terms, due, following, now)
    starts = [index for index, reason in enumerate(reasons) if not reason]
    for index in starts[: max(len(starts) - MADE_UP, 0)]:
        reasons[index] = TOO_MANY
    starts = starts[-MADE_UP:]
    if terms.max_runs is not None:
        left = max(terms.max_runs - runs_started, 0)
        for index in starts[left:]:
            reasons[index] = SPENT
        starts = starts[:left]
    for index in range(1, len(due)):
        if due[index].ends_gap and reasons[index] and reasons[index - 1]:
            reasons[index] = reasons[index - 1]
    return Verdict(tuple(due[index] for index in starts), tuple(_stretches(due, reasons)))


def _reasons(
    terms: ScheduleTerms, due: Sequence[Instant], following: int | None, now: int
) -> list[str]:
    """Say why each instant is left out; empty where it is not."""
    after = [*(instant.due_at for instant in due[1:]), following]
    if terms.catch_up == "all":
        return [_too_late(terms, one, later, now) for one, later in zip(due, after, strict=True)]
    last = _too_late(terms, due[-1], following, now)
    before = NO_CATCH_UP if terms.catch_up == "none" else last or STANDS_FOR
    return [*[before] * (len(due) - 1), last]


def _too_late(terms: ScheduleTerms, instant: Instant, following: int | None, now: int) -> str:
    late = now - instant.fire_at
    if terms.catch_up == "none" and late > ON_TIME:
        return NO_CATCH_UP
    limit = late_limit(terms, instant.due_at, following)
    return TOO_LATE if limit is not None and late > limit else ""


def late_limit(terms: ScheduleTerms, due_at: int, following: int | None) -> float | None:
    """Return how many seconds late an instant may still be fired; `None` without a limit."""
    if terms.late_limit == UNLIMITED:
        return None
    if terms.late_limit == AUTO:
        half = 0 if following is None else (following - due_at) / 2
        return max(AUTO_LIMIT, half)
    return parse_duration(terms.late_limit).total_seconds()


def _stretches(due: Sequence[Instant], reasons: Sequence[str]) -> Iterator[Skip]:
    """Put instants in a row that are left out for one reason together."""
    stretch: Skip | None = None
    for instant, reason in zip(due, reasons, strict=True):
        if stretch is not None and stretch.reason == reason and not instant.stands_apart:
            stretch = Skip(stretch.first, instant, stretch.count + 1, reason)
            continue
        if stretch is not None:
            yield stretch
        stretch = Skip(instant, instant, 1, reason) if reason else None
    if stretch is not None:
        yield stretch


Move = Literal["start", "wait", "skip", "replace"]


def beside(terms: ScheduleTerms, active: bool, waiting: int, in_line: bool) -> tuple[Move, str]:
    """Decide about a fire while a run of the same schedule may still go, and say why.

    `waiting` is how many fires wait already. Those that are made up for together, or filled in by
    a person, go one after the other (`in_line`), since one would only skip or cancel the next.
    """
    if terms.overlap == "allow" or not (active or waiting):
        return "start", ""
    if in_line:
        return "wait", WAITS
    if terms.overlap == "skip":
        return "skip", STILL_GOING
    if terms.overlap == "cancel_previous":
        return "replace", WAITS
    if terms.overlap == "queue_one":
        return ("skip", ONE_WAITS) if waiting else ("wait", WAITS)
    return ("skip", QUEUE_FULL) if waiting >= QUEUE else ("wait", WAITS)
