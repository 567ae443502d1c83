"""`wrkflw-tui schedules`: made, changed, foretold and triggered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from commands.test_completion import complete
from worker.harness import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from commands.shell import Shell, Terminal

NIGHTLY = """
from wrkflw_tui import Schedule, create_workflow, step


@step
def nothing(given: None) -> None: ...


nightly = create_workflow(
    id="nightly", input_schema=type(None), output_schema=type(None),
    schedules=[Schedule("0 3 * * *", note="at night")],
).then(nothing).commit()
"""


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
    assert datetime.fromisoformat(found["next_at"]).tzinfo is not None
    assert found.pop("next_at") == found.pop("fire_at")
    assert found == {
        "schedule_id": said.out.strip(),
        "workflow_id": "twice",
        "source": "app",
        "file": None,
        "timing": "@daily",
        "words": "every day at 00:00",
        "timezone": "Europe/Berlin",
        "zone": "Europe/Berlin",
        "input": 4,
        "overlap": "skip",
        "catch_up": "latest",
        "late_limit": "auto",
        "jitter": 0,
        "pause_after_failures": 0,
        "expect_within": None,
        "max_runs": None,
        "start_at": None,
        "end_at": None,
        "exclude": [],
        "note": "",
        "paused": False,
        "paused_until": None,
        "late_since": None,
        "runs_started": 0,
        "failures": 0,
        "last": None,
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
        (["twice", "-i", "1"], "say when: CRON, --every or --once"),
        (["twice", "@daily", "--every", "5m"], "one of CRON, --every and --once"),
        (["twice", "--every", "5x", "-i", "1"], "--every: '5x' cannot be read"),
        (["twice", "--once", "2020-01-01", "-i", "1"], "never fires"),
        (["twice", "@daily", "-i", "1", "--late-limit", "x"], "--late-limit: 'x' cannot be read"),
        (["twice", "@daily", "-i", "1", "--max-runs", "0"], "--max-runs: a whole number, 1"),
        (["twice", "@daily", "-i", "1", "--max-runs", "x"], "--max-runs: a whole number, 1"),
        (["twice", "@daily", "-i", "1", "--start", "soon"], "--start: 'soon' is no instant"),
        (["twice", "@daily", "-i", "1", "--exclude", "x"], "--exclude: 'x' is no date"),
        (["twize", "@daily"], "there is no workflow 'twize'; near it are twice"),
        (["twice", "@daily", "-i", "1", "--overlap", "maybe"], "known: skip, queue_one, queue_all"),
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


def shown(desk: Shell, schedule: str) -> dict[str, Any]:
    found = cast("list[dict[str, Any]]", desk("schedules", "--json").json)
    return next(one for one in found if one["schedule_id"] == schedule)


def test_every_setting_is_given_and_taken_away(desk: Shell) -> None:
    flags = ["--zone=Asia/Tokyo", "--overlap=queue_all", "--catch-up=all", "--late-limit=36h"]
    flags += ["--jitter=5m", "--pause-after-failures=3", "--expect-within=1h", "--max-runs=9"]
    flags += ["--start=2026-12-01T08:00", "--end=2037-01-01T08:00"]
    flags += ["--exclude", "2026-12-24", "2026-12-25"]
    said = desk("schedules", "add", "twice", "--every", "15m", *flags, "--note", "a b", "-i", "1")
    assert said.code == 0, said
    made = said.out.strip()
    wanted = {
        "timing": "every 15m",
        "words": "every 15m",
        "timezone": "Asia/Tokyo",
        "overlap": "queue_all",
        "catch_up": "all",
        "late_limit": "1d12h",
        "jitter": 300,
        "pause_after_failures": 3,
        "expect_within": 3600,
        "max_runs": 9,
        "start_at": "2026-12-01T08:00",
        "end_at": "2037-01-01T08:00",
        "exclude": ["2026-12-24", "2026-12-25"],
        "note": "a b",
    }
    assert shown(desk, made).items() >= wanted.items()
    assert desk("schedules", "edit", made, "--max-runs", "8").code == 0
    assert shown(desk, made).items() >= {**wanted, "max_runs": 8}.items()
    away = [f"{flag}=none" for flag in ("--expect-within", "--max-runs", "--start", "--end")]
    away += ["--jitter", "0", "--exclude", "none", "--note"]
    said = desk("schedules", "edit", made, *away, "", "-i", "5", "--json")
    assert said.code == 0, said
    bare = {"jitter": 0, "expect_within": None, "max_runs": None, "start_at": None, "note": ""}
    bare |= {"end_at": None, "exclude": [], "input": 5, "overlap": "queue_all"}
    assert cast("dict[str, Any]", said.json).items() >= bare.items()
    assert desk("schedules", "remove", made).code == 0


def test_what_is_edited_wrong_stays_as_it_was(desk: Shell, schedule: str) -> None:
    before = shown(desk, schedule)
    for wrong in (["61 * * * *"], ["--jitter", "x"], ["-i", "word"], []):
        assert desk("schedules", "edit", schedule, *wrong).code == 2
    assert shown(desk, schedule) == before


def test_some_fields_of_an_input_are_changed(desk: Shell) -> None:
    said = desk("schedules", "add", "order", "@daily", "-i", "name=tea", "amount=3")
    made = said.out.strip()
    assert desk("schedules", "edit", made, "-i", "amount=4").code == 0
    assert shown(desk, made)["input"].items() >= {"name": "tea", "amount": 4}.items()
    assert desk("schedules", "remove", made).code == 0


def test_what_may_surprise_is_said(desk: Shell) -> None:
    said = desk("schedules", "next", "--cron", "*/35 * * * *")
    assert said.code == 0
    assert "note: */35: 35 does not divide the 60 values" in said.err
    said = desk("schedules", "next", "2", "--cron", "every 90m")
    assert (said.code, len(said.out.splitlines())) == (0, 2)


def test_it_is_paused_until_an_instant_with_a_note(desk: Shell, schedule: str) -> None:
    said = desk("schedules", "pause", schedule, "--until", "20d", "--note", "away [/b]", "--json")
    found = cast("dict[str, Any]", said.json)
    assert (said.code, found["note"], found["paused"]) == (0, "away [/b]", False)
    assert found["next_at"] >= found["paused_until"]
    assert "is paused until" in said.err
    said = desk("schedules", "pause", schedule, "--until", "2020-01-01")
    assert (said.code, "--until: '2020-01-01' is past" in said.err) == (2, True)
    found = cast("dict[str, Any]", desk("schedules", "resume", schedule, "--json").json)
    assert found["paused_until"] is None


def test_the_next_fire_is_left_out(desk: Shell, schedule: str) -> None:
    first, second = cast("list[dict[str, Any]]", desk("schedules", "next", "2", "--json").json)
    said = desk("schedules", "skip", schedule, "--json")
    found = cast("dict[str, Any]", said.json)
    assert (said.code, found["next_at"]) == (0, second["at"])
    assert (found["last"]["at"], found["last"]["outcome"]) == (first["at"], "skipped")
    assert "skipped" in desk("schedules").out


def test_a_range_is_filled_in_once_after_a_look(shell: Shell) -> None:
    assert shell("schedules", "add", "twice", "@daily", "--zone", "UTC", "-i", "3").code == 0
    days = ("2024-11-01", "2024-11-03")
    call = ("schedules", "backfill", "twice", *days)
    found = cast("dict[str, Any]", shell(*call, "--dry-run", "--json").json)
    assert [fire["state"] for fire in found["fires"]] == ["runs"] * 3
    said = shell(*call, "--dry-run")
    assert "Fri 2024-11-01 00:00 UTC  will run" in said.out
    assert "3 will run; nothing was started" in said.err
    assert shell.bench.rows("SELECT count(*) FROM wrkflw_workflow_runs") == [(0,)]
    said = shell(*call)
    assert (said.code, len(said.out.splitlines())) == (0, 3)
    done = "SELECT count(*) FROM wrkflw_workflow_runs WHERE status = 'success'"
    wait_until(lambda: shell.bench.rows(done) == [(3,)], "three runs", shell.bench)
    assert shell(*call).out == ""
    assert "3 ran already" in shell(*call, "--dry-run").err
    said = shell("schedules", "backfill", "twice", "2024-11-03", "2024-11-01")
    assert (said.code, "FROM is after UNTIL" in said.err) == (2, True)


def test_a_person_is_asked_before_a_range_is_filled_in(
    shell: Shell, terminal: Callable[..., Terminal]
) -> None:
    assert shell("schedules", "add", "twice", "@daily", "--zone", "UTC", "-i", "3").code == 0
    call = ("schedules", "backfill", "twice", "2024-11-01", "2024-11-03")
    asked = terminal(shell, *call)
    asked.read_until("Start 3 runs of twice? [y/N]")
    asked.type(b"n\n")
    assert asked.end() == 1
    assert shell.bench.rows("SELECT count(*) FROM wrkflw_workflow_runs") == [(0,)]
    asked = terminal(shell, *call)
    asked.read_until("[y/N]")
    asked.type(b"y\n")
    assert asked.end() == 0
    asked = terminal(shell, *call, "--yes")
    assert asked.end() == 0
    assert "[y/N]" not in asked.text


def test_a_schedule_in_code_is_changed_there(shell: Shell) -> None:
    shell.bench.folder.joinpath("nightly.py").write_text(NIGHTLY, "utf-8")
    worker = shell.bench.worker()
    shell.bench.wait_said(worker, "holds")
    wait_until(lambda: bool(shell("schedules", "--json").json), "its schedule", shell.bench)
    assert "(in nightly.py)" in shell("schedules").out
    for call in (("edit", "nightly", "@hourly"), ("remove", "nightly")):
        said = shell("schedules", *call)
        assert (said.code, "stands in nightly.py" in said.err) == (1, True)
    assert shell("schedules", "edit", "nightly", "--note", "mine").code == 0
    (found,) = cast("list[dict[str, Any]]", shell("schedules", "--json").json)
    assert (found["source"], found["file"], found["note"]) == ("code", "nightly.py", "mine")
    assert shell("schedules", "pause", "nightly").code == 0


def test_the_tab_key_completes_schedules(desk: Shell, schedule: str) -> None:
    for action in ("edit", "skip", "backfill"):
        assert schedule in complete(desk, f"wrkflw-tui schedules {action} ")
    assert "queue_one" in complete(desk, f"wrkflw-tui schedules edit {schedule} --overlap ")
