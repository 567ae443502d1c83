"""`wrkflw-tui run`: what goes in, what comes out, and the exit code."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any, cast

import pytest
from worker.harness import all_gone, is_gone, runners_of

if TYPE_CHECKING:
    from pathlib import Path

    from commands.shell import Shell


def test_the_result_is_all_that_is_on_standard_output(desk: Shell) -> None:
    said = desk("run", "twice", "--input", "21")
    assert (said.code, said.out) == (0, "42\n")
    lines = said.err.splitlines()
    assert lines[0].startswith("run ")
    assert any(line.startswith("  ✓ double  ") for line in lines)
    assert lines[-1].startswith("twice  ✓ done ")
    assert "\x1b" not in said.err


def test_quiet_tells_nothing_of_what_goes_well(desk: Shell) -> None:
    said = desk("run", "twice", "--input", "21", "-q")
    assert (said.code, said.out, said.err) == (0, "42\n", "")


def test_a_run_that_fails_exits_with_1_and_says_where_to_look(desk: Shell) -> None:
    said = desk("run", "fails", "--input", "3")
    assert (said.code, said.out) == (1, "")
    assert "failed in fail: RuntimeError: it broke at 6" in said.err
    assert "wrkflw-tui show " in said.err
    assert "wrkflw-tui logs " in said.err


def test_a_run_that_asks_exits_with_3_and_shows_the_question(desk: Shell) -> None:
    said = desk("run", "buy", "--input", "name=tea")
    assert (said.code, said.out) == (3, "")
    assert "ask asks: Buy tea?" in said.err
    assert "approved  bool" in said.err
    assert "wrkflw-tui answer " in said.err


def test_a_run_that_is_cancelled_exits_with_4(desk: Shell) -> None:
    following = desk.start("run", "hangs", "--input", "1")
    assert following.stderr is not None
    run_id = following.stderr.readline().split()[1]
    desk.bench.until(lambda: desk.bench.lines(run_id) == ["hanging"], "the step is at work")
    assert desk("cancel", run_id).code == 0
    out, _ = following.communicate(timeout=20)
    assert (following.returncode, out) == (4, "")


def test_a_timeout_ends_the_following_and_not_the_run(desk: Shell) -> None:
    said = desk("run", "hangs", "--input", "1", "--timeout", "0.5s")
    assert (said.code, said.out) == (124, "")
    run_id = said.err.splitlines()[0].split()[1]
    assert f"wrkflw-tui show {run_id} -f" in said.err
    assert f"wrkflw-tui cancel {run_id}" in said.err
    assert desk.bench.snapshot(run_id).run.status in ("queued", "running")
    assert desk("cancel", run_id).code == 0


def test_a_terminated_command_exits_with_143_and_leaves_the_run(desk: Shell) -> None:
    following = desk.start("run", "hangs", "--input", "1")
    assert following.stderr is not None
    run_id = following.stderr.readline().split()[1]
    desk.bench.until(lambda: desk.bench.lines(run_id) == ["hanging"], "the step is at work")
    following.send_signal(signal.SIGTERM)
    _, err = following.communicate(timeout=20)
    assert following.returncode == 143
    assert "goes on" in err
    assert desk.bench.snapshot(run_id).run.status == "running"
    assert desk("cancel", run_id).code == 0


def test_json_prints_the_whole_run_whatever_came_of_it(desk: Shell) -> None:
    said = desk("run", "fails", "--input", "3", "--json", "--quiet")
    run = cast("dict[str, Any]", said.json)
    assert said.code == 1
    assert (run["workflow_id"], run["status"], run["trigger"]) == ("fails", "failed", "cli")
    assert (run["input"], run["result"]) == (3, None)
    assert run["error"]["path"] == "fail"
    assert [(step["path"], step["status"], step["output"]) for step in run["steps"]] == [
        ("double", "success", 6),
        ("fail", "failed", None),
    ]


def test_detached_it_prints_nothing_but_the_id(desk: Shell) -> None:
    said = desk("run", "twice", "--input", "4", "--detach")
    assert (said.code, said.err) == (0, "")
    assert desk.bench.wait(said.out.strip()).result == 8
    said = desk("run", "twice", "--input", "4", "-d", "--json")
    assert cast("dict[str, Any]", said.json)["workflow_id"] == "twice"


# -- what goes in


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["name=tea"], {"name": "tea"}),
        (["name=tea", "amount=2"], {"name": "tea", "amount": 2}),
        (["name=5"], {"name": "5"}),
        (["name=a=b c"], {"name": "a=b c"}),
        (["name="], {"name": ""}),
        (["name=tea", "tags=a,b", "tags=c"], {"name": "tea", "tags": ["a", "b", "c"]}),
        (["name=tea", "express=yes"], {"name": "tea", "express": True}),
        (["name=tea", "target=~/x"], {"name": "tea", "target": "HOME/x"}),
        (["name=tea", "target=sub/../x"], {"name": "tea", "target": "HOME/x"}),
        (["name=tea", "target="], {"name": "tea", "target": None}),
        (['{"name": "tea", "amount": 3}'], {"name": "tea", "amount": 3}),
        (['{"name": "tea", "amount": 3}', "amount=4"], {"name": "tea", "amount": 4}),
        (["@order.json"], {"name": "file"}),
        (["@-"], {"name": "stdin"}),
    ],
    ids=str,
)
def test_an_input_is_read_by_its_schema(
    desk: Shell, given: list[str], expected: dict[str, object]
) -> None:
    (desk.place / "order.json").write_text('{"name": "file"}')
    said = desk("run", "order", "--input", *given, "--detach", stdin='{"name": "stdin"}')
    assert (said.code, said.err) == (0, "")
    found = json.dumps(desk.bench.snapshot(said.out.strip()).input_data)
    assert json.loads(found.replace(str(desk.place), "HOME")) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], ["name  is needed", "name     str  What to buy.", "amount   int = 1"]),
        (["name=tea", "amount=zero"], ["amount  must be a whole number"]),
        (["name=tea", "amount=0"], ["amount  must be at least 1"]),
        (["name=tea", "amount=1", "amount=2"], ["amount  is given twice"]),
        (["name=tea", "express=maybe"], ["express  must be true or false"]),
        (["nam=tea"], ["nam   is not asked for; there are name, amount", "name  is needed"]),
        (['{"name": 5}'], ["name  must be a text"]),
        (["[1]"], ["must be an object"]),
        (["{name: tea}"], ["is not JSON", "key=value"]),
        (["@nowhere.json"], ["cannot read nowhere.json: No such file"]),
        (["name=tea", "7"], ["'7' is neither key=value nor a JSON object"]),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named_before_anything_is_written(
    desk: Shell, given: list[str], said: list[str]
) -> None:
    before = desk.bench.rows("SELECT count(*) FROM wrkflw_workflow_runs")
    call = desk("run", "order", *(["--input", *given] if given else []))
    assert (call.code, call.out) == (2, "")
    for part in said:
        assert part in call.err
    assert desk.bench.rows("SELECT count(*) FROM wrkflw_workflow_runs") == before


def test_an_input_that_is_no_object_is_read_as_it_is(desk: Shell) -> None:
    assert "must be a whole number" in desk("run", "twice", "--input", "two").err
    assert "is needed" in desk("run", "twice").err
    assert "one value, not 2" in desk("run", "twice", "--input", "1", "2").err


def test_an_unknown_workflow_names_what_is_near(desk: Shell) -> None:
    said = desk("run", "twize", "--input", "1")
    assert (said.code, said.out) == (2, "")
    assert said.err == "wrkflw-tui: there is no workflow 'twize'; near it are twice\n"


def test_a_file_that_is_new_is_found_at_once(desk: Shell) -> None:
    desk.bench.automation(
        "fresh",
        """
        @step
        def work(value: int) -> int:
            return value + 1
        """,
    )
    assert desk("run", "fresh", "--input", "1").out == "2\n"


# -- without a worker


def test_a_worker_is_started_and_ends_when_nothing_is_left_to_do(shell: Shell) -> None:
    said = shell("run", "twice", "--input", "2")
    assert (said.code, said.out) == (0, "4\n")
    assert "starting a worker in the background" in said.err
    shell.bench.until(lambda: shell.lease() is None, "the worker gives up its lease")


def test_a_detached_run_is_done_by_a_worker_of_its_own(shell: Shell) -> None:
    run_id = shell.id("naps", "--input", "2")
    shell.bench.wait(run_id, "sleeping")
    lease = shell.lease()
    assert lease is not None
    assert not is_gone(lease.pid)
    shell.bench.wait(run_id)
    shell.bench.until(lambda: is_gone(lease.pid), "the worker ends after the sleep")


def test_a_worker_that_dies_is_replaced_while_the_run_is_followed(shell: Shell) -> None:
    following = shell.start("run", "hangs", "--input", "1")
    assert following.stderr is not None
    said = [following.stderr.readline() for _ in range(2)]
    run_id = said[1].split()[1]
    shell.bench.until(lambda: shell.bench.lines(run_id) == ["hanging"], "the step is at work")
    first = shell.lease()
    assert first is not None
    gone = [first.pid, *runners_of(first.pid)]
    os.kill(first.pid, signal.SIGKILL)
    shell.bench.until(lambda: all_gone(gone), "the step does not go on")
    shell.bench.touch("go")
    out, err = following.communicate(timeout=30)
    assert (following.returncode, out) == (0, "1\n")
    assert "starting a worker in the background" in err


def test_a_worker_that_cannot_begin_is_told_of(shell: Shell, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import os, sys\nif 'worker' in sys.orig_argv: os._exit(7)\n"
    )
    path = shell.environment.get("PYTHONPATH", "")
    shell.environment["PYTHONPATH"] = f"{broken}:{path}"
    said = shell("run", "twice", "--input", "2")
    assert (said.code, said.out) == (1, "")
    assert "no worker could begin, the run is queued: see " in said.err
    assert "worker.log" in said.err
