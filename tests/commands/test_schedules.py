"""`wrkflw-tui schedules`: made, changed, foretold and triggered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from commands.shell import Shell


@pytest.fixture
def schedule(desk: Shell) -> Generator[str]:
    said = desk("schedules", "add", "twice", "0 18 * * 1-5", "--zone", "Europe/Berlin", "-i", "4")
    assert said.code == 0, said
    yield said.out.strip()
    desk("schedules", "remove", said.out.strip())


def test_a_schedule_is_put_on_record_and_told_in_words(desk: Shell) -> None:
    said = desk("schedules", "add", "twice", "@daily", "--zone", "Europe/Berlin", "--input", "4")
    assert said.code == 0
    assert "twice is scheduled: every day at 00:00 (Europe/Berlin)" in said.err
    assert said.err.count(" 00:00 CE") == 3
    assert "no worker is there" not in said.err
    (found,) = cast("list[dict[str, Any]]", desk("schedules", "--json").json)
    assert datetime.fromisoformat(found.pop("next_at")).tzinfo is not None
    assert found == {
        "schedule_id": said.out.strip(),
        "workflow_id": "twice",
        "cron": "@daily",
        "words": "every day at 00:00",
        "timezone": "Europe/Berlin",
        "zone": "Europe/Berlin",
        "input": 4,
        "overlap": "skip",
        "catch_up": "latest",
        "paused": False,
    }
    assert desk("schedules", "remove", said.out.strip()).code == 0
    assert desk("schedules", "list").err.startswith("no schedules")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["twice", "60 * * * *", "-i", "1"], "minute: '60' is out of range; allowed: 0 to 59"),
        (["twice", "* * * *", "-i", "1"], "has 4 fields; allowed: five fields"),
        (["twice", "@daily", "-i", "1", "--zone", "Mars/Olympus"], "is not a time zone"),
        (["twice", "@daily"], "is needed"),
        (["twize", "@daily"], "there is no workflow 'twize'; near it are twice"),
        (["twice", "@daily", "-i", "1", "--overlap", "maybe"], "known: skip, allow"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[1],
)
def test_a_wrong_schedule_is_refused_with_what_is_allowed(
    desk: Shell, arguments: list[str], said: str
) -> None:
    call = desk("schedules", "add", *arguments)
    assert (call.code, call.out) == (2, "")
    assert said in call.err
    assert desk("schedules", "--json").json == []


def test_without_a_worker_it_says_that_nobody_fires(shell: Shell) -> None:
    said = shell("schedules", "add", "twice", "@daily", "-i", "1")
    assert said.code == 0
    assert "no worker is there now" in said.err


@pytest.mark.parametrize("name", ["id", "beginning", "workflow"])
def test_it_is_paused_and_resumed_by_each_of_its_names(
    desk: Shell, schedule: str, name: str
) -> None:
    named = {"id": schedule, "beginning": schedule[:5], "workflow": "twice"}[name]
    assert desk("schedules", "pause", named).code == 0
    (found,) = cast("list[dict[str, Any]]", desk("schedules", "--json").json)
    assert (found["paused"], found["next_at"]) == (True, None)
    assert "paused" in desk("schedules").out
    assert desk("schedules", "resume", named).code == 0
    (found,) = cast("list[dict[str, Any]]", desk("schedules", "--json").json)
    assert found["paused"] is False
    assert found["next_at"] is not None


def test_what_names_none_or_several_is_refused(desk: Shell, schedule: str) -> None:
    said = desk("schedules", "pause", "nothing")
    assert said.code == 2
    assert f"there is no schedule 'nothing'; there are: {schedule} (twice, " in said.err
    other = desk("schedules", "add", "twice", "@hourly", "-i", "1").out.strip()
    said = desk("schedules", "pause", "twice")
    assert said.code == 2
    assert "'twice' has 2 schedules, say which" in said.err
    assert desk("schedules", "remove", other).code == 0


def test_the_next_fires_are_foretold(desk: Shell, schedule: str) -> None:
    said = desk("schedules", "next", "3")
    lines = said.out.splitlines()
    assert (said.code, len(lines)) == (0, 3)
    assert all(" 18:00 CE" in line and line.endswith("  twice") for line in lines)
    found = cast("list[dict[str, Any]]", desk("schedules", "next", "2", "--json").json)
    times = [datetime.fromisoformat(fire["at"]) for fire in found]
    assert times[1] - times[0] >= timedelta(hours=23)
    assert found[0]["schedule_id"] == schedule


def test_an_expression_can_be_tried_out(desk: Shell) -> None:
    said = desk("schedules", "next", "4", "--cron", "30 9 * * mon", "--zone", "Asia/Tokyo")
    assert (said.code, len(said.out.splitlines())) == (0, 4)
    assert all(line.startswith("Mon ") and " 09:30 JST" in line for line in said.out.splitlines())
    assert "every Monday at 09:30 (Asia/Tokyo)" in said.err
    said = desk("schedules", "next", "--cron", "0 0 30 2 *")
    assert said.code == 2
    assert "never comes in the months given" in said.err


def test_a_trigger_starts_a_run_with_the_input_of_the_schedule(desk: Shell, schedule: str) -> None:
    said = desk("schedules", "trigger", schedule)
    assert (said.code, said.out) == (0, "8\n")
    said = desk("schedules", "trigger", schedule, "--detach")
    assert desk.bench.wait(said.out.strip()).result == 8
    of_schedule = "SELECT count(*) FROM wrkflw_workflow_runs WHERE schedule_id = ?"
    assert desk.bench.rows(of_schedule, schedule) == [(2,)]
