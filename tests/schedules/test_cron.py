"""next_fire against the corpus, and at its edges."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from wrkflw_tui.schedules.cron import CronSpec, UnknownZone, next_fire, parse_cron

CORPUS = Path(__file__).parent / "corpus"


def read(name: str) -> list[dict[str, Any]]:
    lines = (CORPUS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def upcoming(spec: CronSpec, zone: str, after: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    while len(found) < count:
        fire = next_fire(spec, zone, found[-1] if found else after)
        if fire is None:
            break
        found.append(fire)
    return found


def as_text(fires: list[datetime]) -> list[str]:
    return [fire.strftime("%Y-%m-%dT%H:%M:%SZ") for fire in fires]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_corpus_of_clock_changes() -> None:
    failures: list[str] = []
    cases = read("cron-corpus")
    for case in cases:
        spec = parse_cron(case["expr"])
        expected = case["expected"]
        got = as_text(upcoming(spec, case["tz"], at(case["start"]), len(expected)))
        if got != expected or spec.wildcard != (case["job"] == "wildcard"):
            failures.append(f"{case['id']} {case['expr']} {case['tz']}: {got}, not {expected}")
    assert len(cases) == 540
    assert not failures, "\n".join(failures)


def test_corpus_of_valid_expressions() -> None:
    failures: list[str] = []
    cases = read("cron-valid")
    for case in cases:
        expected = case["expected_utc"]
        spec = parse_cron(case["expr"])
        got = as_text(upcoming(spec, "UTC", at(case["start_utc"]), len(expected)))
        if got != expected:
            failures.append(f"{case['expr']!r}: {got}, not {expected}")
    assert len(cases) == 80
    assert not failures, "\n".join(failures)


def test_the_instant_given_may_be_of_any_zone() -> None:
    spec = parse_cron("0 18 * * *")
    after = datetime(2024, 6, 1, 9, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert next_fire(spec, "Europe/Berlin", after) == datetime(2024, 6, 1, 16, tzinfo=UTC)


def test_a_fire_is_in_utc() -> None:
    fire = next_fire(parse_cron("@daily"), "Asia/Tokyo", datetime(2024, 6, 1, tzinfo=UTC))
    assert fire is not None
    assert fire.tzinfo is UTC


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        next_fire(parse_cron("@daily"), "UTC", datetime(2024, 6, 1))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "America", "../UTC", "a" * 5000, "\0", "é"])
def test_an_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(UnknownZone, match="not a time zone"):
        next_fire(parse_cron("@daily"), zone, datetime(2024, 6, 1, tzinfo=UTC))


def test_three_hours_back_are_held_back_and_three_hours_forward_are_not_made_up_for() -> None:
    spec = parse_cron("30 2 * * *")
    casey = "Antarctica/Casey"
    back = upcoming(spec, casey, at("2018-03-10T12:00Z"), 2)
    assert as_text(back) == ["2018-03-10T15:30:00Z", "2018-03-11T18:30:00Z"]
    # The clock went from 00:01 to 03:01.
    forward = upcoming(spec, casey, at("2020-10-03T12:00Z"), 2)
    assert as_text(forward) == ["2020-10-04T15:30:00Z", "2020-10-05T15:30:00Z"]


def test_a_day_lived_twice_is_a_correction_and_fires_twice() -> None:
    # Kwajalein crossed the date line: the clock went from midnight back to one in the morning.
    spec = parse_cron("0 12 * * *")
    noons = ["1969-09-30T01:00:00Z", "1969-10-01T00:00:00Z", "1969-10-02T00:00:00Z"]
    fires = upcoming(spec, "Pacific/Kwajalein", at("1969-09-29T12:00Z"), 3)
    assert as_text(fires) == noons
    within = upcoming(spec, "Pacific/Kwajalein", at("1969-09-30T14:00Z"), 2)
    assert as_text(within) == noons[1:]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", "2024-10-27T01:05:00Z"),
        ("4 * * * *", "2024-10-27T02:04:00Z"),
        ("4 1-3 * * *", "2024-10-27T02:04:00Z"),
        ("4 2 * * *", "2024-10-28T01:04:00Z"),
        ("30 2 * * *", "2024-10-28T01:30:00Z"),
    ],
)
def test_within_the_second_pass_of_a_repeated_hour(expression: str, expected: str) -> None:
    after = at("2024-10-27T01:04:00Z")
    assert as_text(upcoming(parse_cron(expression), "Europe/Berlin", after, 1)) == [expected]


def test_offsets_of_seconds_keep_to_whole_minutes_of_the_wall() -> None:
    # Liberia's clock was 44 minutes and 30 seconds behind until 7 January 1972.
    spec = parse_cron("* * * * *")
    fires = upcoming(spec, "Africa/Monrovia", at("1972-01-07T00:43:00Z"), 3)
    assert as_text(fires) == [
        "1972-01-07T00:43:30Z",
        "1972-01-07T00:45:00Z",
        "1972-01-07T00:46:00Z",
    ]


@pytest.mark.parametrize("year", [1, 2, 3, 1000, 1883, 1900])
def test_early_years_do_not_fail(year: int) -> None:
    for zone in ("UTC", "America/New_York", "Pacific/Kiritimati"):
        after = datetime(year, 1, 1, tzinfo=UTC)
        fire = next_fire(parse_cron("0 0 29 2 */7"), zone, after)
        assert fire is not None
        assert fire > after


@pytest.mark.parametrize(
    "after", [datetime.max, datetime(9997, 12, 31, 23, 59), datetime(9998, 1, 1)]
)
def test_the_end_of_the_calendar_has_no_fires(after: datetime) -> None:
    for zone in ("UTC", "America/New_York", "Pacific/Kiritimati"):
        for hours in (-14, 0, 14):
            aware = after.replace(tzinfo=timezone(timedelta(hours=hours)))
            for expression in ("0 0 29 2 */7", "0 0 1 6 *"):
                assert next_fire(parse_cron(expression), zone, aware) is None


def test_a_date_that_a_correction_left_out_comes_a_year_later() -> None:
    spec = parse_cron("* * 30 12 *")
    fires = upcoming(spec, "Pacific/Apia", at("2010-12-31T12:00Z"), 1)
    assert as_text(fires) == ["2012-12-29T10:00:00Z"]


def test_threads_may_share_a_spec() -> None:
    spec = parse_cron("*/7 1-5 * * *")
    starts = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=7 * n) for n in range(64)]

    def run(after: datetime) -> list[datetime]:
        return upcoming(spec, "Europe/Berlin", after, 20)

    alone = [run(after) for after in starts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(run, starts))
    assert together == alone
    assert all(a < b for fires in alone for a, b in pairwise(fires))


def test_reading_and_describing_do_not_import_croniter() -> None:
    code = (
        "import sys; from wrkflw_tui.schedules.cron import describe, parse_cron;"
        "describe(parse_cron('0 9 * * mon-fri')); sys.exit('croniter' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
