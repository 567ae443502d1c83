"""The terms of a schedule as texts."""

from __future__ import annotations

import pytest

from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.forms.schedule_terms import as_texts, problems, read_terms
from wrkflw_tui.schedules.schedule import ScheduleError


@pytest.mark.parametrize(
    "terms",
    [
        ScheduleTerms(timing="@daily"),
        ScheduleTerms(
            timing="every 15m",
            timezone="Asia/Tokyo",
            overlap="queue_all",
            catch_up="none",
            late_limit="unlimited",
            jitter=90,
            pause_after_failures=2,
            expect_within=3600,
            max_runs=7,
            start_at="2026-12-01T08:00",
            end_at="2027-12-01T08:00",
            exclude=("2026-12-24", "2026-12-25"),
            note=" as it is ",
        ),
    ],
    ids=["bare", "full"],
)
def test_what_is_written_is_read_back(terms: ScheduleTerms) -> None:
    assert read_terms(as_texts(terms)) == terms


def test_nothing_and_none_take_a_setting_away() -> None:
    names = ("jitter", "expect_within", "max_runs", "start_at", "end_at", "exclude")
    for nothing in ("", "none", " None "):
        assert read_terms({"timing": "@daily", **dict.fromkeys(names, nothing)}) == ScheduleTerms(
            timing="@daily"
        )


def test_every_problem_is_named_not_only_the_first() -> None:
    wrong = {"timing": "x", "jitter": "y", "max_runs": "z", "exclude": "1", "overlap": "maybe"}
    assert problems(wrong).keys() == wrong.keys()
    found = problems({"timing": "@daily", "start_at": "2026-02-01", "end_at": "2026-01-01"})
    assert found == {"end_at": "2026-01-01T00:00 is before start_at"}
    assert problems({"timing": "@daily"}) == {}


def test_a_wrong_number_says_what_is_allowed() -> None:
    with pytest.raises(ScheduleError, match=r"max_runs: a whole number, 1 at least, not '1\.5'"):
        read_terms({"timing": "@daily", "max_runs": "1.5"})
