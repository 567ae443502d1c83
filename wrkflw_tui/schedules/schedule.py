"""`Schedule`: when a workflow is started, as an author or a person says it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack, get_args

from wrkflw_tui.engine.errors import DefinitionError
from wrkflw_tui.engine.terms import AUTO, UNLIMITED, CatchUp, Overlap, ScheduleTerms
from wrkflw_tui.schedules.duration import format_duration, parse_duration
from wrkflw_tui.schedules.when import (
    Every,
    Once,
    format_instant,
    format_timing,
    parse_instant,
    parse_timing,
    resolve,
)
from wrkflw_tui.schedules.zones import zone_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wrkflw_tui.schedules.when import Timing

T = TypeVar("T")
S = TypeVar("S")

MOST_EXCLUDED = 1000
"""How many dates may be excluded: each is looked at when the next fire is sought."""


class ScheduleError(DefinitionError, ValueError):
    """A schedule that cannot be; says which of its settings is wrong and what is allowed."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"schedule: {setting}: {problem}")
        self.setting = setting
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a workflow is started: exactly one of `cron`, `every` and `once` is given.

    Lengths of time are a `timedelta` or a text such as `15m`; instants a `datetime` or ISO text,
    without an offset in the schedule's zone. Raises `ScheduleError` for what is not allowed.
    """

    cron: str | None = None
    _: KW_ONLY
    every: timedelta | str | None = None
    """An interval, counted from `start_at` or from when the schedule was first seen."""
    once: datetime | str | None = None
    timezone: str = "local"
    """`local` for the machine's own zone, or an IANA name."""
    input_data: object = None
    overlap: Overlap = "skip"
    """What to do while a run of this schedule still goes: leave the fire out, queue one or all of
    them, cancel the run, or start another beside it."""
    catch_up: CatchUp = "latest"
    """Which fires are made up for that were missed while nothing ran: at most 100."""
    late_limit: timedelta | str = AUTO
    """How late a missed fire may still be made up for: a length, `unlimited`, or `auto`, which is
    the greater of 24 hours and half the time to the next fire."""
    jitter: timedelta | str = timedelta(0)
    """A fire is put off by up to this, always by the same amount for the same instant."""
    pause_after_failures: int = 0
    """How many failed runs in a row pause the schedule; 0 for never."""
    expect_within: timedelta | str | None = None
    """How long after its instant a fire has to have succeeded, or else be marked late."""
    max_runs: int | None = None
    """How often it fires at most."""
    start_at: datetime | str | None = None
    end_at: datetime | str | None = None
    exclude: Iterable[date | str] = ()
    """Dates in the schedule's zone on which it does not fire."""
    note: str = ""
    id: str | None = None
    """Its id within the workflow; without one it goes by its position."""
    terms: ScheduleTerms = field(init=False, repr=False, compare=False)
    """All of this in plain values, as it is recorded."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "exclude", tuple(self.exclude))
        object.__setattr__(self, "terms", _terms(self))


class Settings(TypedDict, total=False):
    """The settings of a `Schedule` beside when it fires."""

    timezone: str
    overlap: Overlap
    catch_up: CatchUp
    late_limit: timedelta | str
    jitter: timedelta | str
    pause_after_failures: int
    expect_within: timedelta | str | None
    max_runs: int | None
    start_at: datetime | str | None
    end_at: datetime | str | None
    exclude: Iterable[date | str]
    note: str


def terms_of(timing: str, **settings: Unpack[Settings]) -> ScheduleTerms:
    """Return the terms of a schedule whose timing is one text, as a person types it.

    Raises `ScheduleError`; its `setting` is `timing` where that text is wrong.
    """
    try:
        parsed = parse_timing(timing)
    except ValueError as error:
        raise ScheduleError("timing", str(error)) from error
    if isinstance(parsed, Every):
        return Schedule(every=parsed.length, **settings).terms
    if isinstance(parsed, Once):
        return Schedule(once=parsed.at, **settings).terms
    return Schedule(timing, **settings).terms


def _terms(given: Schedule) -> ScheduleTerms:
    zone = _zone(given.timezone)
    start, end = _instant("start_at", given.start_at), _instant("end_at", given.end_at)
    if start is not None and end is not None and resolve(start, zone) > resolve(end, zone):
        raise ScheduleError("end_at", f"{format_instant(end)} is before start_at")
    if given.id is not None and not given.id:
        raise ScheduleError("id", "is empty")
    limit = given.late_limit
    named = isinstance(limit, str) and limit in (AUTO, UNLIMITED)
    return ScheduleTerms(
        timing=format_timing(_timing(given)),
        timezone=given.timezone,
        overlap=_one_of("overlap", given.overlap, get_args(Overlap)),
        catch_up=_one_of("catch_up", given.catch_up, get_args(CatchUp)),
        late_limit=str(limit) if named else format_duration(_length("late_limit", limit)),
        jitter=0 if given.jitter == timedelta(0) else _seconds("jitter", given.jitter),
        pause_after_failures=_number("pause_after_failures", given.pause_after_failures, 0),
        expect_within=_maybe(given.expect_within, lambda it: _seconds("expect_within", it)),
        max_runs=_maybe(given.max_runs, lambda it: _number("max_runs", it, 1)),
        start_at=_maybe(start, format_instant),
        end_at=_maybe(end, format_instant),
        exclude=_dates(given.exclude),
        note=given.note,
    )


def _timing(given: Schedule) -> Timing:
    said = [name for name in ("cron", "every", "once") if getattr(given, name) is not None]
    if len(said) != 1:
        problem = "not " + " and ".join(said) if said else "none is"
        raise ScheduleError("when", f"exactly one of cron, every and once is given, {problem}")
    if given.every is not None:
        return Every(_length("every", given.every))
    if given.once is not None:
        once = _instant("once", given.once)
        assert once is not None
        return Once(once)
    try:
        found = parse_timing(str(given.cron))
    except ValueError as error:
        raise ScheduleError("cron", str(error)) from error
    if isinstance(found, Every | Once):
        word = str(given.cron).split()[0]
        raise ScheduleError("cron", f"{given.cron!r} is no cron expression: give it as {word}=")
    return found


def _zone(timezone: str) -> str:
    """Return the zone to check instants in: any does where the machine's own is meant."""
    if timezone == "local":
        return "UTC"
    try:
        zone_table(timezone)
    except ValueError as error:
        raise ScheduleError("timezone", str(error)) from error
    return timezone


def _instant(setting: str, value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return parse_instant(_text(value.isoformat() if isinstance(value, datetime) else value))
    except ValueError as error:
        raise ScheduleError(setting, str(error)) from error


def _length(setting: str, value: timedelta | str) -> timedelta:
    if isinstance(value, timedelta):
        if value < timedelta(seconds=1) or value.microseconds:
            raise ScheduleError(setting, f"whole seconds, 1 at least, not {value}")
        return value
    try:
        return parse_duration(_text(value))
    except ValueError as error:
        raise ScheduleError(setting, str(error)) from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is of a type that is not allowed")
    return value


def _seconds(setting: str, value: timedelta | str) -> int:
    return round(_length(setting, value).total_seconds())


def _number(setting: str, value: int, least: int) -> int:
    if type(value) is not int or value < least:
        raise ScheduleError(setting, f"a whole number, {least} at least, not {value!r}")
    return value


def _one_of(setting: str, value: T, allowed: tuple[T, ...]) -> T:
    if value not in allowed:
        known = ", ".join(map(str, allowed))
        raise ScheduleError(setting, f"{value!r} is not known; allowed: {known}")
    return value


def _dates(values: Iterable[date | str]) -> tuple[str, ...]:
    found: set[date] = set()
    for value in values:
        try:
            day = date.fromisoformat(value) if isinstance(value, str) else value
            found.add(date(day.year, day.month, day.day))
        except (ValueError, AttributeError):
            problem = f"{value!r} is no date; written like 2026-12-24"
            raise ScheduleError("exclude", problem) from None
    if len(found) > MOST_EXCLUDED:
        raise ScheduleError("exclude", f"{MOST_EXCLUDED} dates at most, not {len(found)}")
    return tuple(day.isoformat() for day in sorted(found))


def _maybe(value: T | None, then: Callable[[T], S]) -> S | None:
    return None if value is None else then(value)
