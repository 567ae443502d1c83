"""`wrkflw-tui list`, `runs`, `show` and `logs`: what is on record, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands.shell import Shell, Terminal


@pytest.fixture(scope="module")
def ids(desk: Shell) -> dict[str, str]:
    """Runs that have ended, or ask."""
    made = {
        "twice": desk.id("twice", "--input", "1"),
        "fails": desk.id("fails", "--input", "2"),
        "many": desk.id("many", "--input", "3"),
        "buy": desk.id("buy", "--input", "name=tea", "tags=needle-in-hay"),
    }
    for run_id in made.values():
        desk.bench.wait(run_id, "success", "failed", "suspended")
    return made


# -- list


def test_list_shows_each_workflow_with_its_last_run(desk: Shell, ids: dict[str, str]) -> None:
    said = desk("list")
    lines = {line.split()[0]: line for line in said.out.splitlines()}
    assert said.code == 0
    assert next(iter(lines)) == "WORKFLOW"
    assert "✓ done" in lines["twice"]
    assert "✗ failed" in lines["fails"]
    assert "never run" in lines["hangs"]
    assert lines["buy"].endswith("Buys something.")
    assert "\x1b" not in said.out


def test_list_names_what_is_broken_and_exits_with_0(shell: Shell) -> None:
    shell.bench.write("broken.py", "\nimport nothing_like_it\n")
    said = shell("list")
    assert said.code == 0
    assert "✗ broken.py: line 2: ModuleNotFoundError" in said.err
    assert "wrkflw-tui check" in said.err
    found = cast("dict[str, Any]", shell("list", "--json").json)
    assert [(file["file"], file["line"]) for file in found["broken"]] == [("broken.py", 2)]
    assert "nothing_like_it" in found["broken"][0]["error"]


def test_list_as_json(desk: Shell, ids: dict[str, str]) -> None:
    found = cast("dict[str, Any]", desk("list", "--json").json)
    twice = next(each for each in found["workflows"] if each["workflow_id"] == "twice")
    assert set(found) == {"folder", "workflows", "broken"}
    assert twice["last_run"]["run_id"] == ids["twice"]
    assert (twice["file"], twice["next_run_at"]) == ("shop.py", None)
    assert twice["input_schema"]["type"] == "integer"


def test_an_empty_folder_says_how_to_begin(shell: Shell) -> None:
    (shell.bench.folder / "shop.py").unlink()
    said = shell("list")
    assert (said.code, said.out) == (0, "")
    assert "wrkflw-tui init" in said.err


def test_a_look_leaves_no_record(shell: Shell) -> None:
    for path in shell.place.glob("wrkflw.db*"):
        path.unlink()
    for command in (["list"], ["runs"], ["schedules"], ["list", "--json"]):
        assert shell(*command).code == 0
    assert shell("show", "@latest").code == 2
    assert not list(shell.place.glob("wrkflw.db*"))
    shell.bench.worker()  # which makes one for the end of the test
    shell.bench.until(lambda: shell.bench.database.exists(), "there is a record")
    shell.bench.until(lambda: shell("runs").code == 0, "it can be read")


# -- runs


def test_runs_are_listed_newest_first(desk: Shell, ids: dict[str, str]) -> None:
    said = desk("runs")
    found = [line.split()[0] for line in said.out.splitlines()]
    assert said.code == 0
    assert found == ["RUN", *reversed(ids.values())]
    assert "RuntimeError: it broke at 4" in said.out


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--workflow", "many"], ["many"]),
        (["--status", "failed"], ["fails"]),
        (["--status", "suspended"], ["buy"]),
        (["--text", "NEEDLE-in"], ["buy"]),
        (["--text", "it broke"], ["fails"]),
        (["--since", "1h"], ["buy", "many", "fails", "twice"]),
        (["--since", "2001-01-01", "--limit", "2"], ["buy", "many"]),
        (["--since", "2999-01-01"], []),
        (["--workflow", "nothing"], []),
    ],
    ids=str,
)
def test_runs_are_filtered(
    desk: Shell, ids: dict[str, str], flags: list[str], expected: list[str]
) -> None:
    said = desk("runs", "--json", *flags)
    found = cast("list[dict[str, Any]]", said.json)
    assert [run["workflow_id"] for run in found] == expected
    if not expected:
        assert desk("runs", *flags).err == "no such runs\n"


def test_a_run_as_json_has_these_fields(desk: Shell, ids: dict[str, str]) -> None:
    run = cast("list[dict[str, Any]]", desk("runs", "--json", "--workflow", "twice").json)[0]
    assert run.pop("seconds") >= 0
    times = [run.pop(f"{name}_at") for name in ("created", "started", "finished", "updated")]
    assert all(time.endswith("+00:00") for time in times)
    assert run == {
        "run_id": ids["twice"],
        "workflow_id": "twice",
        "status": "success",
        "trigger": "cli",
        "steps_done": 1,
        "steps_total": 1,
        "at_work": [],
        "wake_at": None,
        "cancel_requested": False,
        "error": None,
        "forked_from": None,
        "follows": None,
    }


def test_on_a_terminal_a_list_fits_its_width(
    desk: Shell, ids: dict[str, str], terminal: Callable[..., Terminal]
) -> None:
    listed = terminal(desk, "runs")
    assert listed.end() == 0
    import re

    lines = re.sub(r"\x1b\[[0-9;]*m", "", listed.text).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split()[0] == ids["buy"][-6:]
    assert desk("show", lines[1].split()[0]).code == 0


# -- show


def test_show_tells_what_happened(desk: Shell, ids: dict[str, str]) -> None:
    said = desk("show", ids["fails"])
    assert (said.code, said.err) == (0, "")
    for part in (
        "fails  ✗ failed ",
        "1 of 2 steps",
        f"run       {ids['fails']}",
        "by the command line",
        "input     2",
        "  ✓ double  ",
        "  ✗ fail  failed ",
        "error in fail",
        "RuntimeError: it broke",
        'raise RuntimeError(f"it broke\\nat {number}")',
        "shop.py",
    ):
        assert part in said.out
    assert "wrkflw_tui/engine" not in said.out


def test_show_gathers_items_and_lists_them_all_where_asked(
    desk: Shell, ids: dict[str, str]
) -> None:
    said = desk("show", ids["many"]).out
    assert "✓ foreach-1  3/3" in said
    assert "double[2]" not in said
    assert "result    6" in said
    assert "✓ double[2]" in desk("show", ids["many"], "--all").out


def test_show_asks_what_the_run_asks(desk: Shell, ids: dict[str, str]) -> None:
    said = desk("show", ids["buy"]).out
    assert "buy  ? asking" in said
    assert "ask asks: Buy tea?" in said
    assert f"wrkflw-tui answer {ids['buy']} JSON" in said


def test_show_as_json(desk: Shell, ids: dict[str, str]) -> None:
    run = cast("dict[str, Any]", desk("show", ids["buy"], "--json").json)
    (question,) = run["questions"]
    assert (question["path"], question["kind"], question["reason"]) == ("ask", "answer", "Buy tea?")
    assert question["schema"]["required"] == ["approved"]
    assert question["payload"]["name"] == "tea"
    step = run["steps"][0]
    assert set(step) == {
        *("path", "step_id", "kind", "status", "attempt", "started_at", "finished_at", "wake_at"),
        *("seconds", "progress", "input", "output", "error", "question"),
    }
    assert run["earlier_attempts"] == []


def test_show_tells_what_follows_a_run(shell: Shell) -> None:
    bench = shell.bench
    (bench.folder / "wrkflw.toml").write_text(
        '[workflow.twice]\non_success = [{ command = ["sh", "-c", "echo told; exit $CODE"] },'
        ' { workflow = "order" }, { workflow = "fails" }, { webhook = "http://127.0.0.1:9/x" }]\n'
    )
    run_id = shell("run", "twice", "--input", "4", "--detach").last_line
    bench.wait(run_id)

    def settled() -> bool:
        found = cast("dict[str, Any]", shell("show", run_id, "--json").json)["follow_ups"]
        return [(f["status"], f["attempts"]) for f in found] == [
            *(("delivered", 1), ("failed", 1), ("delivered", 1), ("pending", 1)),
        ] and not any(f["begun_at"] for f in found)

    bench.until(settled, "all were attempted")
    command, order, fails, webhook = cast("dict[str, Any]", shell("show", run_id, "--json").json)[
        "follow_ups"
    ]
    assert set(command) == {
        *("delivery_id", "event", "kind", "target", "status", "attempts", "created_at"),
        *("begun_at", "next_at", "ended_at", "error", "output", "started_run"),
    }
    assert (command["target"][:2], command["output"]) == (["sh", "-c"], "told\n")
    assert (order["event"], order["kind"], order["target"]) == ("success", "workflow", "order")
    assert (webhook["next_at"] or "").endswith("+00:00")
    said = shell("show", run_id).out
    for part in (
        "follow-ups\n",
        "  ✓ on success  command sh -c 'echo told; exit $CODE'",
        "      │ told",
        "  ✗ on success  workflow order",
        "      not delivered, given up after 1 attempt",
        "      neither the result nor the end fits its input: ",
        f", started run {fails['started_run']}",
        "  ○ on success  webhook http://127.0.0.1:9/x",
        "      attempt 1 of 5 was in vain, the next comes 2",
        "      ConnectError: ",
    ):
        assert part in said
    follower = shell("show", fails["started_run"]).out
    assert "by a follow-up" in follower
    assert f"follows   {run_id}" in follower


@pytest.mark.parametrize("shorthand", ["@latest", "@latest:buy"])
def test_the_latest_run_has_a_name(desk: Shell, ids: dict[str, str], shorthand: str) -> None:
    run = cast("dict[str, Any]", desk("show", shorthand, "--json").json)
    assert run["run_id"] == ids["buy"]


def test_a_part_of_an_id_is_enough_and_an_unknown_one_is_named(
    desk: Shell, ids: dict[str, str]
) -> None:
    run = cast("dict[str, Any]", desk("show", ids["twice"][-7:], "--json").json)
    assert run["run_id"] == ids["twice"]
    said = desk("show", ids["twice"][:4])
    assert said.code == 2
    assert f"{ids['twice']} (twice)" in said.err
    said = desk("show", "nonsense")
    assert (said.code, said.err) == (2, "wrkflw-tui: no run 'nonsense' is on record\n")
    assert desk("show", "@latest:hangs").code == 2


# -- logs


def test_logs_carry_the_step_and_the_stream(desk: Shell, ids: dict[str, str]) -> None:
    said = desk("logs", ids["buy"])
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "look-up        │ looked up tea",
        "look-up        ! not cheap",
    ]
    assert desk("logs", ids["buy"], "--stream", "stderr").out == "look-up        ! not cheap\n"


def test_logs_of_a_step_hold_what_is_below_it(desk: Shell, ids: dict[str, str]) -> None:
    said = desk("logs", ids["many"], "--step", "double")
    assert sorted(said.out.splitlines()) == [f"double[{n}] │ doubling {n}" for n in range(3)]
    assert desk("logs", ids["many"], "--step", "double[1]").out == "│ doubling 1\n"
    said = desk("logs", ids["many"], "--step", "nowhere")
    assert said.code == 2
    assert "it came to: numbers" in said.err


def test_logs_keep_the_last_lines_alone(desk: Shell, ids: dict[str, str]) -> None:
    assert len(desk("logs", ids["many"], "--tail", "2").out.splitlines()) == 2
    assert len(desk("logs", ids["many"], "--tail", "99").out.splitlines()) == 3


def test_logs_as_json_are_a_line_each(desk: Shell, ids: dict[str, str]) -> None:
    lines = [json.loads(line) for line in desk("logs", ids["buy"], "--json").out.splitlines()]
    assert [(line["step"], line["stream"], line["line"]) for line in lines] == [
        ("look-up", "stdout", "looked up tea"),
        ("look-up", "stderr", "\x1b[31mnot cheap\x1b[0m\x1b[2J"),
    ]
    assert lines[0]["at"].endswith("+00:00")


def test_colours_stay_on_a_terminal_and_nothing_else_does(
    desk: Shell, ids: dict[str, str], terminal: Callable[..., Terminal]
) -> None:
    shown = terminal(desk, "logs", ids["buy"])
    assert shown.end() == 0
    assert "\x1b[31mnot cheap\x1b[0m" in shown.text
    assert "\x1b[2J" not in shown.text


def test_logs_follow_a_run_to_its_end(desk: Shell) -> None:
    run_id = desk.id("hangs", "--input", "1")
    following = desk.start("logs", run_id, "-f")
    assert following.stdout is not None
    assert following.stdout.readline() == "hang           │ hanging\n"
    assert desk("cancel", run_id).code == 0
    assert following.wait(20) == 0
    following.communicate()


def test_a_run_that_printed_nothing_says_so(desk: Shell, ids: dict[str, str]) -> None:
    desk.bench.automation(
        "still",
        """
        @step
        def work(value: int) -> int:
            return value
        """,
    )
    desk("run", "still", "--input", "1")
    said = desk("logs", "@latest")
    assert (said.code, said.out, said.err) == (0, "", "it has printed nothing\n")


def test_a_reader_that_goes_away_is_no_error(desk: Shell, ids: dict[str, str]) -> None:
    listing = desk.start("list", "--json")
    assert listing.stdout is not None
    assert listing.stderr is not None
    listing.stdout.close()
    assert listing.stderr.read() == ""
    assert listing.wait(20) == 141
    listing.stderr.close()
