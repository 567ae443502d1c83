"""What may not be what was meant, though it is valid."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wrkflw_tui.schedules.lint import lint
from wrkflw_tui.schedules.when import parse_timing

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def warnings(text: str, zone: str = "Europe/Berlin", now: datetime = NOW) -> list[str]:
    return lint(parse_timing(text), zone, now)


@pytest.mark.parametrize(
    "text",
    [
        *("@daily", "0 8 * * 1-5", "*/5 * * * *", "0 */6 * * *", "0 9 L * *", "0 9 * * fri#2"),
        *("0 9 1,15 * *", "* * * * *", "5/15 * * * *", "0 9 */1 * *", "30 4 * * *"),
        *("every 7m", "once 2026-03-29T02:30"),
    ],
)
def test_plain_ones_give_no_cause(text: str) -> None:
    assert warnings(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*/35 * * * *", "*/35: 35 does not divide the 60 values of minute"),
        ("0 */5 * * *", "*/5: 5 does not divide the 24 values of hour"),
        ("0 9 */2 * *", "*/2: counted from the 1st anew each month"),
        ("0 9 * */5 *", "*/5: 5 does not divide the 12 values of month"),
        ("0 9 13 * fri", "it fires when either holds"),
        ("0 9 */1,13 * 1", ""),
        ("0 9 */2 * 1", "both have to hold"),
        ("* 9 * * *", "in every minute of the hour, 60 times"),
        ("* 9-17 * * *", "in every minute of each of these hours"),
        ("0 9 31 * *", "day 31: shorter months are left out; L is the last day of each"),
        ("0 9 29,30 * *", "day 29 and 30: shorter months"),
    ],
)
def test_what_may_surprise_is_said(text: str, said: str) -> None:
    assert any(said in warning for warning in warnings(text)) == bool(said)


class TestClockChange:
    def test_a_fire_in_a_skipped_hour(self) -> None:
        assert warnings("30 2 * * *") == [
            "on Sun 29 Mar 2026 the clock of Europe/Berlin goes from 02:00 to 03:00:"
            " 02:30 fires at 03:00"
        ]
        assert "what falls in between is left out" in warnings("*/5 2 * * *")[0]

    def test_a_fire_in_a_repeated_hour(self) -> None:
        summer = datetime(2026, 6, 1, tzinfo=UTC)
        assert warnings("30 2 * * *", now=summer) == [
            "on Sun 25 Oct 2026 the clock of Europe/Berlin goes from 03:00 to 02:00:"
            " 02:30 fires the first time only"
        ]
        assert "it fires in both" in warnings("*/5 2 * * *", now=summer)[0]

    def test_only_where_it_touches_the_schedule(self) -> None:
        assert warnings("30 2 * * 1") == []  # no clock changes on a Monday
        assert warnings("30 2 * * *", "Asia/Tokyo") == []
        assert (
            "America/Havana goes from 00:00 to 01:00" in warnings("0 0 * * *", "America/Havana")[0]
        )
