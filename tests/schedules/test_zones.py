"""The tables of changes against the time zone files themselves."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from wrkflw_tui.schedules.zones import (
    LOOK,
    Change,
    UnknownZone,
    ZoneTable,
    instant_of,
    wall_time,
    zone_table,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SHIPPED = files("tzdata")


def shipped_names() -> list[str]:
    return SHIPPED.joinpath("zones").read_text(encoding="utf-8").split()


def shipped_bytes(name: str) -> bytes:
    return SHIPPED.joinpath("zoneinfo", *name.split("/")).read_bytes()


def changes_in_file(data: bytes) -> list[Change]:
    """Read the second, 64-bit block of a TZif file (RFC 9636)."""

    def counts(start: int) -> tuple[int, ...]:
        return struct.unpack(">6l", data[start + 20 : start + 44])

    utc, std, leaps, times, types, letters = counts(0)
    start = 44 + times * 5 + types * 6 + letters + leaps * 8 + std + utc
    _, _, _, times, types, _ = counts(start)
    start += 44
    instants = struct.unpack(f">{times}q", data[start : start + times * 8])
    kinds = data[start + times * 8 : start + times * 9]
    start += times * 9
    offsets = [
        timedelta(seconds=struct.unpack(">l", data[start + 6 * n : start + 6 * n + 4])[0])
        for n in range(types)
    ]
    found: list[Change] = []
    before = offsets[0]
    for instant, kind in zip(instants, kinds, strict=True):
        after = offsets[kind]
        if after != before:
            found.append(Change(EPOCH + timedelta(seconds=instant), before, after))
        before = after
    return found


def test_every_change_of_every_zone_is_found() -> None:
    start, end = EPOCH, datetime(2037, 1, 1, tzinfo=UTC)
    seen: set[bytes] = set()
    gaps: list[timedelta] = []
    failures: list[str] = []
    for name in shipped_names():
        data = shipped_bytes(name)
        if data in seen:
            continue
        seen.add(data)
        # From the file and not by name: the machine may have zones of another year.
        table = ZoneTable(ZoneInfo.from_file(io.BytesIO(data), key=name))
        in_file = [change for change in changes_in_file(data) if start < change.at <= end]
        gaps += (later.at - earlier.at for earlier, later in pairwise(in_file))
        # A rule in the last line takes over where the list ends, and that may be well before 2037.
        has_rule = b"," in data.splitlines()[-1]
        until = end if not has_rule else in_file[-1].at if in_file else start
        if table.changes(start, until) != in_file:
            failures.append(name)
    assert len(seen) > 300
    assert failures == []
    assert min(gaps) > LOOK


def test_changes_go_on_past_the_end_of_the_file() -> None:
    table = zone_table("Europe/Berlin")
    found = table.changes(datetime(2090, 1, 1, tzinfo=UTC), datetime(2091, 1, 1, tzinfo=UTC))
    assert [change.at for change in found] == [
        datetime(2090, 3, 26, 1, tzinfo=UTC),
        datetime(2090, 10, 29, 1, tzinfo=UTC),
    ]


def test_a_stretch_is_open_at_its_start_and_closed_at_its_end() -> None:
    table = zone_table("Europe/Berlin")
    spring = datetime(2025, 3, 30, 1, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert table.changes(spring, spring + second) == []
    assert len(table.changes(spring - second, spring)) == 1
    assert table.first_change(spring, spring + timedelta(days=100)) is None
    found = table.first_change(spring - second, spring)
    assert found == Change(spring, timedelta(hours=1), timedelta(hours=2))
    assert found is not None
    assert found.wall_before == datetime(2025, 3, 30, 2)
    assert found.wall_after == datetime(2025, 3, 30, 3)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", None),
        ("Pacific/Apia", datetime(2012, 3, 31, 14, tzinfo=UTC)),
        ("Asia/Gaza", datetime(2012, 3, 29, 22, tzinfo=UTC)),
    ],
)
def test_the_first_change_may_lie_in_a_later_year(zone: str, expected: datetime | None) -> None:
    table = zone_table(zone)
    after, until = datetime(2011, 12, 31, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    change = table.first_change(after, until)
    assert (change and change.at) == expected


@pytest.mark.parametrize("instant", [datetime(2000, 1, 1), datetime(2000, 12, 31, 23, 59, 59)])
def test_a_change_at_the_turn_of_a_year_belongs_to_one_year(instant: datetime) -> None:
    at = instant.replace(tzinfo=UTC)
    data = two_offsets(int((at - EPOCH).total_seconds()))
    table = ZoneTable(ZoneInfo.from_file(io.BytesIO(data)))
    found = table.changes(at - timedelta(days=800), at + timedelta(days=800))
    assert found == [Change(at, timedelta(0), timedelta(hours=1))]


def two_offsets(instant: int) -> bytes:
    """Write a TZif file with one change, from UTC to an hour ahead of it."""
    body = struct.pack(">qB", instant, 1) + struct.pack(">lbBlbB", 0, 0, 0, 3600, 0, 4)
    names = b"AAA\0BBB\0"
    empty = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + bytes(6) + b"AAA\0"
    head = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 1, 2, len(names))
    return empty + head + body + names + b"\nBBB-1\n"


@pytest.mark.parametrize(
    ("minutes", "correction"),
    [(60, False), (-60, False), (179, False), (180, True), (-180, False), (-181, True)],
)
def test_how_wide_a_correction_is(minutes: int, correction: bool) -> None:
    change = Change(EPOCH, timedelta(0), timedelta(minutes=minutes))
    assert change.is_correction is correction


def test_wall_and_instant_are_each_other_s_inverse() -> None:
    offset = timedelta(hours=-3, minutes=-30)
    instant = datetime(2024, 3, 10, 3, 31, tzinfo=UTC)
    assert wall_time(instant, offset) == datetime(2024, 3, 10, 0, 1)
    assert instant_of(wall_time(instant, offset), offset) == instant


def test_a_table_is_made_once() -> None:
    assert zone_table("Europe/Berlin") is zone_table("Europe/Berlin")
    with pytest.raises(UnknownZone, match="'Nowhere' is not a time zone"):
        zone_table("Nowhere")
