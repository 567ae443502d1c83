"""The changes of a zone's clock, found by bisection and kept by year."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

FIRST_YEAR, LAST_YEAR = 3, 9997
"""Within these, adding an offset or looking a year ahead stays within what datetime can say."""

LOOK = timedelta(days=3)
"""How far apart a zone is looked at. The two closest changes of any zone, past or due, are 6.96
days apart (a summer time of one week, Recife in 2000), so no pair cancels out unseen."""

# Debian's cron compares minutes with `> 3 * 60` forward and `> -3 * 60` backward, one minute after
# the last it ran. Exactly three hours is therefore a correction forward, but not yet one backward.
_FORWARD_LIMIT = timedelta(hours=3)
_BACKWARD_LIMIT = timedelta(hours=-3)


class UnknownZone(ValueError):
    """A name that is no time zone."""


@dataclass(frozen=True, slots=True)
class Change:
    """One instant at which a zone's wall clock jumps."""

    at: datetime
    """The instant, in UTC."""
    before: timedelta
    """The offset from UTC up to the instant."""
    after: timedelta
    """The offset from UTC from the instant on."""

    @property
    def wall_before(self) -> datetime:
        """What the wall clock would have shown at the instant had it not jumped."""
        return wall_time(self.at, self.before)

    @property
    def wall_after(self) -> datetime:
        """What the wall clock shows at the instant."""
        return wall_time(self.at, self.after)

    @property
    def is_correction(self) -> bool:
        """Tell whether the jump is too wide to be daylight saving."""
        shift = self.after - self.before
        return shift >= _FORWARD_LIMIT or shift < _BACKWARD_LIMIT


class ZoneTable:
    """The changes of one zone, each year of them looked up once."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._years: dict[int, tuple[Change, ...]] = {}

    def offset(self, instant: datetime) -> timedelta:
        """Return the offset from UTC at an instant."""
        # A ZoneInfo answers None only for a datetime that is not its own.
        return instant.astimezone(self.zone).utcoffset() or timedelta(0)

    def changes(self, after: datetime, until: datetime) -> list[Change]:
        """Return the changes later than `after` and not later than `until`, in order."""
        return [
            change
            for year in range(after.year, until.year + 1)
            for change in self._year(year)
            if after < change.at <= until
        ]

    def first_change(self, after: datetime, until: datetime) -> Change | None:
        """Return the first change later than `after` and not later than `until`."""
        for year in range(after.year, until.year + 1):
            for change in self._year(year):
                if change.at > after:
                    return change if change.at <= until else None
        return None

    def _year(self, year: int) -> tuple[Change, ...]:
        found = self._years.get(year)
        if found is None:
            # Two threads may both look: they find the same, so neither has to wait.
            found = self._years[year] = tuple(self._find_changes(year))
        return found

    def _find_changes(self, year: int) -> list[Change]:
        """Find the changes of a year by looking every few days and narrowing down what differs."""
        # From the last second of the year before, so that a change at midnight is this year's.
        start = datetime(year, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
        end = datetime(year + 1, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
        looks = [*(start + LOOK * step for step in range((end - start) // LOOK + 1)), end]
        seen = [(look, self.offset(look)) for look in looks]
        return [
            self._bisect(low, high)
            for (low, before), (high, after) in pairwise(seen)
            if before != after
        ]

    def _bisect(self, low: datetime, high: datetime) -> Change:
        """Narrow a stretch whose two ends differ down to the second of the change."""
        before = self.offset(low)
        seconds = int((high - low).total_seconds())
        known_same, known_changed = 0, seconds
        while known_changed - known_same > 1:
            middle = (known_same + known_changed) // 2
            if self.offset(low + timedelta(seconds=middle)) == before:
                known_same = middle
            else:
                known_changed = middle
        at = low + timedelta(seconds=known_changed)
        return Change(at, before, self.offset(at))


@lru_cache(maxsize=64)
def zone_table(name: str) -> ZoneTable:
    """Return the table of a zone by its IANA name."""
    try:
        return ZoneTable(ZoneInfo(name))
    # A name that is a folder, too long or not a path at all fails as the file system has it.
    except (LookupError, ValueError, OSError) as error:
        raise UnknownZone(f"{name!r} is not a time zone that this machine knows") from error


def wall_time(instant: datetime, offset: timedelta) -> datetime:
    """Return what a clock at this offset from UTC shows: a naive datetime."""
    return (instant + offset).replace(tzinfo=None)


def instant_of(wall: datetime, offset: timedelta) -> datetime:
    """Return the instant in UTC at which a clock at this offset shows `wall`."""
    return (wall - offset).replace(tzinfo=UTC)


def zone_data(name: str) -> str:
    """Return what tells one edition of a zone's data from another; empty if there is none."""
    for place in TZPATH:
        with suppress(OSError):
            return sha256((Path(place) / name).read_bytes()).hexdigest()[:16]
    with suppress(OSError, ImportError):
        folder, _, last = f"tzdata/zoneinfo/{name}".replace("/", ".").rpartition(".")
        return sha256((files(folder) / last).read_bytes()).hexdigest()[:16]
    return ""


def forget_zones() -> None:
    """Read the zones' data anew when they are next asked for."""
    ZoneInfo.clear_cache()
    zone_table.cache_clear()
