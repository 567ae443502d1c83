"""A schedule in words, said from the parsed sets and so never at odds with when it fires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.schedules.spec import ALL_HOURS, ALL_MINUTES, LAST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wrkflw_tui.schedules.spec import CronSpec

_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_PLACES = {LAST: "last", 1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}

_MOST_TIMES = 6
"""More times of day than this are told as a rhythm, not one by one."""


def describe(spec: CronSpec) -> str:
    """Say in words when a schedule fires."""
    days = _say_days(spec)
    times = _say_times(spec)
    if times is None:
        rhythm = _say_rhythm(spec)
        return f"{rhythm}, {days}" if days else rhythm
    if not days:
        return f"every day at {times}"
    if days in _WEEKDAYS:
        return f"every {days} at {times}"
    return f"At {times}, {days}"


def _say_times(spec: CronSpec) -> str | None:
    """List the times of day, if they are few and no plain rhythm."""
    quarters = len(spec.minutes) > 3 and _rhythm(spec.minutes, 60) is not None
    many = len(spec.hours) * len(spec.minutes) > _MOST_TIMES
    if many or quarters or _is_hourly_rhythm(spec):
        return None
    return _join([_clock(hour, minute) for hour in spec.hours for minute in spec.minutes])


def _is_hourly_rhythm(spec: CronSpec) -> bool:
    return len(spec.minutes) == 1 and len(spec.hours) > 3 and _rhythm(spec.hours, 24) is not None


def _say_rhythm(spec: CronSpec) -> str:
    if spec.hours == ALL_HOURS:
        return _say_minutes(spec.minutes)
    if _is_hourly_rhythm(spec):
        rhythm = f"every {_rhythm(spec.hours, 24)} hours"
        return rhythm if spec.minutes == (0,) else f"{rhythm}, at minute {spec.minutes[0]}"
    first, last = spec.hours[0], spec.hours[-1]
    if _is_run(spec.hours) and (len(spec.minutes) == 1 or _rhythm(spec.minutes, 60)):
        start, end = _clock(first, spec.minutes[0]), _clock(last, spec.minutes[-1])
        every = "hour" if len(spec.minutes) == 1 else _say_every_minutes(spec.minutes)
        return f"every {every} from {start} to {end}"
    hours = f"hour{_plural(spec.hours)} {_say_list(spec.hours, str)}"
    if _rhythm(spec.minutes, 60):
        return f"every {_say_every_minutes(spec.minutes)} in {hours}"
    return f"At minute{_plural(spec.minutes)} {_say_list(spec.minutes, str)} of {hours}"


def _say_minutes(minutes: Sequence[int]) -> str:
    """Say the minutes of a schedule that takes every hour."""
    if minutes == (0,):
        return "every hour"
    if _rhythm(minutes, 60):
        return f"every {_say_every_minutes(minutes)}"
    return f"every hour at minute{_plural(minutes)} {_say_list(minutes, str)}"


def _say_every_minutes(minutes: Sequence[int]) -> str:
    return "minute" if minutes == ALL_MINUTES else f"{_rhythm(minutes, 60)} minutes"


def _say_days(spec: CronSpec) -> str:
    """Say which days are meant; nothing if every day is."""
    months = _say_months(spec)
    if spec.every_day_of_month and spec.every_weekday:
        return f"every day {months}" if months else ""
    if spec.every_day_of_month:
        days = _say_places(spec) if spec.nth else _say_weekdays(spec, "and")
    else:
        days = f"on {_say_days_of_month(spec)}"
        if spec.every_weekday and len(spec.months) == 1:
            return f"{days} of {_MONTHS[spec.months[0] - 1]}"
        if not months:
            days += " of the month"
        if spec.day_or:
            days += f", and also every {_say_weekdays(spec, 'and')}"
        elif not spec.every_weekday:
            days += f", if that is {_say_weekdays(spec, 'or')}"
    return f"{days}, {months}" if months else days


def _say_days_of_month(spec: CronSpec) -> str:
    last = ["the last day"] if spec.last_day else []
    if not spec.days:
        return last[0]
    return " and ".join([_say_list(spec.days, lambda day: f"the {_ordinal(day)}"), *last])


def _say_weekdays(spec: CronSpec, conjunction: str) -> str:
    # The week is told from Monday, which puts the two days of its end together.
    week = sorted((day or 7) for day in spec.weekdays)
    return _say_list(week, lambda day: _WEEKDAYS[day % 7], conjunction)


def _say_places(spec: CronSpec) -> str:
    places = [f"the {_PLACES[place]} {_WEEKDAYS[day]}" for day, place in spec.nth]
    return f"on {_join(places)} of the month"


def _say_months(spec: CronSpec) -> str:
    if spec.every_month:
        return ""
    names = [_MONTHS[month - 1] for month in spec.months]
    if len(names) > 2 and _is_run(spec.months):
        return f"from {names[0]} to {names[-1]}"
    return f"in {_join(names)}"


def _rhythm(values: Sequence[int], length: int) -> int | None:
    """Return n if the values are every n-th of a field and meet the next round without a break."""
    step = length // len(values)
    even = length % len(values) == 0 and tuple(values) == tuple(range(0, length, step))
    return step if even and step < length else None


def _is_run(values: Sequence[int]) -> bool:
    return values[-1] - values[0] == len(values) - 1


def _say_list(values: Sequence[int], name: Callable[[int], str], conjunction: str = "and") -> str:
    """Name the values, a long even spacing by its start and a stretch by its ends."""
    step = values[1] - values[0] if len(values) > 4 else 1
    if step > 1 and list(values) == list(range(values[0], values[-1] + 1, step)):
        return f"{name(values[0])}, {name(values[1])} and so on to {name(values[-1])}"
    stretches: list[list[int]] = []
    for value in values:
        if stretches and stretches[-1][-1] == value - 1:
            stretches[-1].append(value)
        else:
            stretches.append([value])
    parts: list[str] = []
    for stretch in stretches:
        if len(stretch) > 2:
            parts.append(f"{name(stretch[0])} to {name(stretch[-1])}")
        else:
            parts += [name(value) for value in stretch]
    return _join(parts, conjunction)


def _join(parts: Sequence[str], conjunction: str = "and") -> str:
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} {conjunction} {parts[-1]}"


def _clock(hour: int, minute: int) -> str:
    return f"{hour:02}:{minute:02}"


def _ordinal(number: int) -> str:
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _plural(values: Sequence[int]) -> str:
    return "" if len(values) == 1 else "s"
