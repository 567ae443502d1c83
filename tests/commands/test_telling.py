"""`wrkflw-tui answer`, `send`, `cancel` and `fork`: what a run is told, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from worker.harness import is_gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands.shell import Shell, Terminal

TWO = """
@step
def first(value: int, context: StepContext) -> int:
    return context.suspend(int, reason="How many?")

@step
def second(value: int, context: StepContext) -> int:
    return context.suspend(int, reason="How much?")
"""


@pytest.fixture
def asked(desk: Shell) -> str:
    """The id of a run that asks."""
    run_id = desk.id("buy", "--input", "name=tea")
    desk.bench.wait(run_id, "suspended")
    return run_id


def test_an_answer_and_an_event_bring_a_run_to_its_end(desk: Shell, asked: str) -> None:
    said = desk("answer", asked, "approved=yes", "--wait")
    assert (said.code, said.out) == (3, "")
    assert "waits for the event 'paid'" in said.err
    assert f"wrkflw-tui send {asked} paid JSON" in said.err
    said = desk("send", asked, "paid", '{"cents": 5}', "--wait")
    assert (said.code, said.out) == (0, '"paid 5"\n')


def test_without_waiting_it_says_how_to_follow(desk: Shell, asked: str) -> None:
    said = desk("answer", asked, '{"approved": false, "note": "too dear"}')
    assert (said.code, said.out) == (0, "")
    assert f"wrkflw-tui show {asked} -f" in said.err
    assert desk.bench.wait(asked, "failed").error is not None


def test_an_answer_that_does_not_fit_names_the_fields(desk: Shell, asked: str) -> None:
    said = desk("answer", asked, "aproved=yes", "note=fine")
    assert (said.code, said.out) == (2, "")
    assert "aproved   is not asked for; there are approved, note" in said.err
    assert "approved  is needed" in said.err
    assert "the answer to ask does not fit, nothing was changed" in said.err
    assert desk.bench.snapshot(asked).run.status == "suspended"


def test_without_an_answer_the_question_is_shown(
    desk: Shell, asked: str, terminal: Callable[..., Terminal]
) -> None:
    said = desk("answer", asked)
    assert (said.code, said.out) == (2, "")
    assert "ask asks: Buy tea?" in said.err
    shown = terminal(desk, "answer", asked)
    assert shown.end() == 0
    assert "ask asks: Buy tea?" in shown.text
    assert "approved  bool" in shown.text


def test_a_wrong_path_names_the_open_ones(desk: Shell, asked: str) -> None:
    said = desk("answer", asked, "true", "--path", "nowhere")
    assert said.code == 2
    assert "open are: ask" in said.err


def test_what_asks_nothing_cannot_be_answered(desk: Shell) -> None:
    run_id = desk.id("twice", "--input", "1")
    desk.bench.wait(run_id)
    said = desk("answer", run_id, "1")
    assert (said.code, said.err) == (
        1,
        f"wrkflw-tui: run {run_id} has ended already: success\n",
    )


def test_several_questions_are_listed_and_told_apart(desk: Shell) -> None:
    made = "create_workflow(id='two', input_schema=int, output_schema=tuple[int, int])"
    desk.bench.write(
        "two.py",
        "from wrkflw_tui import StepContext, create_workflow, step\n"
        f"{TWO}\ntwo = {made}.parallel(first, second).commit()\n",
    )
    run_id = desk.id("two", "--input", "1")
    desk.bench.wait(run_id, "suspended")
    said = desk("answer", run_id, "1")
    assert said.code == 2
    assert "several questions are open: say which with --path" in said.err
    assert "first asks: How many?" in said.err
    assert f"wrkflw-tui answer {run_id} JSON --path second" in said.err
    assert desk("answer", run_id, "1", "--path", "first").code == 0
    assert desk("answer", run_id, "two", "--path", "second").code == 2
    said = desk("answer", run_id, "2", "--path", "second", "--wait", "--quiet")
    assert (said.code, said.err) == (0, "")
    assert said.json == [1, 2]


@pytest.mark.parametrize(
    ("event", "payload", "code", "said"),
    [
        ("payd", ['{"cents": 1}'], 1, "never waits for an event 'payd'; it waits for 'paid'"),
        ("paid", ["cents=much"], 2, "cents  must be a whole number"),
        ("paid", [], 2, "cents  is needed"),
        ("paid", ["{"], 2, "is not JSON"),
    ],
)
def test_an_event_that_does_not_fit_is_refused(
    desk: Shell, asked: str, event: str, payload: list[str], code: int, said: str
) -> None:
    call = desk("send", asked, event, *payload)
    assert (call.code, call.out) == (code, "")
    assert said in call.err


def test_an_early_event_is_kept(desk: Shell, asked: str) -> None:
    assert desk("send", asked, "paid", "cents=9").code == 0
    said = desk("answer", asked, "approved=true", "--wait", "-q")
    assert (said.code, said.out) == (0, '"paid 9"\n')


def test_an_answer_starts_a_worker_where_there_is_none(shell: Shell) -> None:
    assert shell("run", "buy", "--input", "name=tea").code == 3
    shell.bench.until(lambda: shell.lease() is None, "the first worker has ended")
    assert shell("answer", "@latest", "approved=yes", "--wait").code == 3
    lease = shell.lease()
    if lease is not None:
        shell.bench.until(lambda: is_gone(lease.pid), "it does not stay for a run that asks")


# -- cancel


def test_a_run_that_rests_is_cancelled_at_once(desk: Shell, asked: str) -> None:
    said = desk("cancel", asked)
    assert (said.code, said.err) == (0, f"{asked}: cancelled\n")
    said = desk("cancel", asked)
    assert (said.code, said.err) == (
        1,
        f"wrkflw-tui: run {asked} has ended already: cancelled\n",
    )


def test_a_run_at_work_is_asked_to_end(desk: Shell) -> None:
    run_id = desk.id("hangs", "--input", "1")
    desk.bench.wait(run_id, "running")
    said = desk("cancel", run_id)
    assert said.code == 0
    assert "asked to cancel" in said.err
    desk.bench.wait(run_id, "cancelled")


def test_one_wrong_id_cancels_nothing(desk: Shell, asked: str) -> None:
    assert desk("cancel", asked, "nonsense").code == 2
    assert desk.bench.snapshot(asked).run.status == "suspended"


# -- fork


def test_a_fork_goes_on_from_its_step_over_what_came_before(desk: Shell) -> None:
    run_id = desk.id("fails", "--input", "4")
    desk.bench.wait(run_id, "failed")
    said = desk("fork", run_id, "fail", "--json", "-q")
    fork = cast("dict[str, Any]", said.json)
    assert said.code == 1
    assert fork["forked_from"] == {"run_id": run_id, "path": "fail"}
    assert fork["trigger"] == "cli"
    assert "it broke\nat 8" in fork["error"]["message"]
    fork = cast("dict[str, Any]", desk("fork", run_id, "fail", "-i", "1", "-q", "--json").json)
    assert "it broke\nat 1" in fork["error"]["message"]
    assert [step["path"] for step in fork["steps"]] == ["double", "fail"]


def test_a_fork_inside_items_keeps_the_others(desk: Shell) -> None:
    run_id = desk.id("many", "--input", "3")
    desk.bench.wait(run_id)
    said = desk("fork", run_id, "double[1]", "--input", "50", "--quiet")
    assert (said.code, said.out) == (0, "104\n")
    fork_id = desk("fork", run_id, "double[1]", "--detach").out.strip()
    assert desk.bench.wait(fork_id).result == 6
    said = desk("logs", fork_id, "--follow")
    assert (said.code, said.out) == (0, "double[1]      │ doubling 1\n")


@pytest.mark.parametrize(
    ("step", "given", "said"),
    [
        ("nowhere", [], "never came to 'nowhere'; it came to: numbers, "),
        ("nowhere", ["1"], "never came to 'nowhere'"),
        ("double[0]", ["x"], "must be a whole number"),
        ("foreach-1", ["1"], "'foreach-1' takes no input of its own"),
    ],
)
def test_a_fork_that_cannot_be_is_refused(
    desk: Shell, step: str, given: list[str], said: str
) -> None:
    run_id = desk.id("many", "--input", "1")
    desk.bench.wait(run_id)
    call = desk("fork", run_id, step, *(["--input", *given] if given else []))
    assert (call.code, call.out) == (2, "")
    assert said in call.err


def test_a_run_at_work_cannot_be_forked(desk: Shell) -> None:
    run_id = desk.id("hangs", "--input", "1")
    desk.bench.wait(run_id, "running")
    desk.bench.until(lambda: desk.bench.lines(run_id) == ["hanging"], "the step is at work")
    said = desk("fork", run_id, "hang")
    assert said.code == 1
    assert "fork it once it rests" in said.err
    assert desk("cancel", run_id).code == 0


def test_no_automation_is_imported_by_the_command_itself(desk: Shell) -> None:
    run_id = desk.id("twice", "--input", "1")
    desk.bench.wait(run_id)
    path = desk.bench.folder / "shop.py"
    before = path.read_text()
    stat = path.stat()
    trap = "import os\nif 'fork' in __import__('sys').argv: os._exit(9)\n"
    path.write_text(trap + before)
    try:
        said = desk("fork", run_id, "double", "-i", "5", "-q")
        assert (said.code, said.out) == (0, "10\n")
    finally:
        path.write_text(before)
    assert stat.st_size == path.stat().st_size
