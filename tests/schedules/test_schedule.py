"""`Schedule`, as an author writes it: what is wrong is said where it is written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from wrkflw_tui import DefinitionError, Schedule, ScheduleError, create_workflow, step
from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.schedules.schedule import terms_of


def test_the_least_that_can_be_said() -> None:
    assert Schedule("0 8 * * 1-5").terms == ScheduleTerms(timing="0 8 * * 1-5")
    assert Schedule(every="15m").terms == ScheduleTerms(timing="every 15m")
    assert Schedule(every=timedelta(minutes=15)).terms == ScheduleTerms(timing="every 15m")
    naive = datetime(2026, 12, 1, 8)
    assert Schedule(once=naive).terms == ScheduleTerms(timing="once 2026-12-01T08:00")
    aware = Schedule(once="2026-12-01 08:00+01:00").terms
    assert aware == ScheduleTerms(timing="once 2026-12-01T08:00+01:00")


def test_all_that_can_be_said() -> None:
    said = Schedule(
        "@daily",
        timezone="Europe/Berlin",
        overlap="queue_one",
        catch_up="all",
        late_limit="36h",
        jitter=timedelta(minutes=5),
        pause_after_failures=3,
        expect_within="1h30m",
        max_runs=10,
        start_at=datetime(2026, 1, 1),
        end_at=datetime(2026, 6, 1, tzinfo=UTC),
        exclude=["2026-12-24", date(2026, 4, 3), datetime(2026, 4, 3, 12)],
        note="tidies up",
    )
    assert said.terms == ScheduleTerms(
        timing="@daily",
        timezone="Europe/Berlin",
        overlap="queue_one",
        catch_up="all",
        late_limit="1d12h",
        jitter=300,
        pause_after_failures=3,
        expect_within=5400,
        max_runs=10,
        start_at="2026-01-01T00:00",
        end_at="2026-06-01T00:00+00:00",
        exclude=("2026-04-03", "2026-12-24"),
        note="tidies up",
    )
    assert Schedule("@daily", late_limit="unlimited").terms.late_limit == "unlimited"


@pytest.mark.parametrize(
    ("given", "setting", "said"),
    [
        ({}, "when", "exactly one of cron, every and once is given, none is"),
        ({"cron": "@daily", "every": "5m"}, "when", "not cron and every"),
        ({"cron": "* * * *"}, "cron", "has 4 fields"),
        ({"cron": "0 25 * * *"}, "cron", "hour: '25' is out of range; allowed: 0 to 23"),
        ({"cron": "every 5m"}, "cron", "give it as every="),
        ({"every": "soon"}, "every", "'soon' cannot be read"),
        ({"every": timedelta(0)}, "every", "whole seconds, 1 at least"),
        ({"every": timedelta(milliseconds=1500)}, "every", "whole seconds"),
        ({"every": 5}, "every", "5 is of a type that is not allowed"),
        ({"once": "tomorrow"}, "once", "'tomorrow' is no instant; written like"),
        ({"once": 5}, "once", "not allowed"),
        ({"once": "9999-12-31T23:59"}, "once", "allowed: the years 1970 to 9000"),
        ({"cron": "@daily", "timezone": "Mars/Olympus"}, "timezone", "is not a time zone"),
        ({"cron": "@daily", "overlap": "maybe"}, "overlap", "allowed: skip, queue_one, queue_all"),
        ({"cron": "@daily", "catch_up": "some"}, "catch_up", "allowed: none, latest, all"),
        ({"cron": "@daily", "late_limit": "never"}, "late_limit", "'never' cannot be read"),
        ({"cron": "@daily", "jitter": "-1m"}, "jitter", "cannot be read"),
        ({"cron": "@daily", "jitter": timedelta(-1)}, "jitter", "1 at least"),
        ({"cron": "@daily", "pause_after_failures": -1}, "pause_after_failures", "0 at least"),
        ({"cron": "@daily", "pause_after_failures": 1.5}, "pause_after_failures", "a whole number"),
        ({"cron": "@daily", "max_runs": 0}, "max_runs", "1 at least, not 0"),
        ({"cron": "@daily", "max_runs": True}, "max_runs", "a whole number"),
        ({"cron": "@daily", "expect_within": 3}, "expect_within", "not allowed"),
        ({"cron": "@daily", "start_at": "x"}, "start_at", "is no instant"),
        (
            {"cron": "@daily", "start_at": "2026-02-01", "end_at": "2026-01-01"},
            "end_at",
            "2026-01-01T00:00 is before start_at",
        ),
        ({"cron": "@daily", "exclude": ["x"]}, "exclude", "'x' is no date"),
        ({"cron": "@daily", "exclude": "2026-12-24"}, "exclude", "'2' is no date"),
        ({"cron": "@daily", "exclude": [5]}, "exclude", "5 is no date"),
        (
            {"cron": "@daily", "exclude": [date(2026, 1, 1) + timedelta(n) for n in range(1001)]},
            "exclude",
            "1000 dates at most, not 1001",
        ),
        ({"cron": "@daily", "id": ""}, "id", "is empty"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_value_is_named(given: dict[str, Any], setting: str, said: str) -> None:
    with pytest.raises(ScheduleError) as raised:
        Schedule(**given)
    assert raised.value.setting == setting
    assert said in str(raised.value)
    assert isinstance(raised.value, DefinitionError)


def test_a_timing_that_a_person_types() -> None:
    assert terms_of("every 15m", overlap="allow").timing == "every 15m"
    assert terms_of("ONCE 2026-12-01 08:00").timing == "once 2026-12-01T08:00"
    assert terms_of("*/5 * * * *", timezone="UTC").timezone == "UTC"
    for text in ("every", "every day", "once", "once upon", "nonsense", ""):
        with pytest.raises(ScheduleError) as raised:
            terms_of(text)
        assert raised.value.setting == "timing"


class TestInAWorkflow:
    def make(self, *schedules: Any, input_schema: Any = int) -> Any:
        @step
        def work(value: int) -> int:
            return value

        @step
        def idle(value: None) -> None: ...

        made: Any = create_workflow(
            id="flow",
            input_schema=input_schema,
            output_schema=input_schema,
            schedules=schedules,
        )
        return made.then(work if input_schema is int else idle).commit()

    def test_they_are_named_by_position_or_id(self) -> None:
        flow = self.make(
            Schedule("@daily", input_data=1), Schedule(every="1h", input_data="2", id="often")
        )
        assert [(one.name, one.input) for one in flow.schedules] == [("1", "1"), ("often", "2")]
        assert self.make(Schedule("@daily"), input_schema=None).schedules[0].input == "null"

    def test_what_its_runs_are_given_is_checked(self) -> None:
        with pytest.raises(DefinitionError, match="schedule 2 of workflow 'flow': its input_data"):
            self.make(Schedule("@daily", input_data=1), Schedule("@daily"))
        with pytest.raises(DefinitionError, match="valid integer"):
            self.make(Schedule("@daily", input_data="x"))

    def test_what_is_no_schedule_is_refused(self) -> None:
        with pytest.raises(DefinitionError, match=r"is no Schedule\(...\) but '@daily'"):
            self.make("@daily")

    def test_ids_are_valid_and_differ(self) -> None:
        twin = Schedule("@daily", input_data=1, id="a")
        with pytest.raises(DefinitionError, match="has the id 'a', and so has one before it"):
            self.make(twin, twin)
        with pytest.raises(DefinitionError, match="no valid id"):
            self.make(Schedule("@daily", input_data=1, id="a b"))
