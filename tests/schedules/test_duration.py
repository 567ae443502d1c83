"""Lengths of time as a person writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrkflw_tui.schedules.duration import DurationError, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("1h30m", 5400), (" 2d ", 172_800), ("1w1s", 604_801)],
)
def test_a_length_is_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "m", "0s", "-5m", "1.5h", "5m1h", "1h 30m", "5M", "٥m"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(DurationError, match="written like"):
        parse_duration(text)


def test_a_length_beyond_counting_is_refused() -> None:
    with pytest.raises(DurationError, match="longer than can be counted"):
        parse_duration("999999999w")


@given(st.integers(1, 10**9))
def test_what_is_written_is_read_back(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert parse_duration(format_duration(length)) == length
