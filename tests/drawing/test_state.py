from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from drawing.graphs import (
    branch,
    foreach,
    loop,
    nodes,
    parallel,
    recover,
    sleep,
    step,
    wait,
    workflow,
)

from wrkflw_tui.drawing.definition import place
from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.drawing.state import State, states
from wrkflw_tui.engine.models import Progress, StepResult

NOW = datetime(2026, 7, 31, 12, 0, 0, tzinfo=UTC)


def rows(*found: StepResult) -> dict[str, StepResult]:
    return {row.path: row for row in found}


def row(
    path: str,
    status: Any,
    began: float = 9,
    took: float | None = None,
    attempt: int = 1,
    **more: Any,
) -> StepResult:
    start = NOW - timedelta(seconds=began)
    end = None if took is None else start + timedelta(seconds=took)
    kind = more.pop("kind", "step")
    return StepResult(path, path, kind, status, attempt, 1, start, end, **more)


def test_a_step_tells_how_it_stands_and_how_long() -> None:
    flow = nodes(*map(step, ("a", "b", "c", "d", "e")))
    found = rows(
        row("a", "success", 9, 0.8),
        row("b", "failed", 9, 4, attempt=2),
        row("c", "running", 9, progress=Progress(34, 54, "12 MB\nof 20")),
        row("d", "suspended", 184),
    )
    assert states(flow, found, NOW) == {
        "a": State("success", "0.8s"),
        "b": State("failed", "failed 4.0s ×2"),
        "c": State("running", "34/54 12 MB of 20 9.0s"),
        "d": State("suspended", "asking 3m 04s"),
    }


def test_a_sleep_is_counted_down() -> None:
    flow = nodes(sleep("short", 60), sleep("computed", function="later"), wait("wait", "paid"))

    def until(path: str, seconds: float) -> StepResult:
        return replace(row(path, "waiting"), wake_at=NOW + timedelta(seconds=seconds))

    found = rows(until("short", 51), until("computed", 3600), row("wait", "waiting"))
    words = {path: state.words for path, state in states(flow, found, NOW).items()}
    assert words == {
        "short": "waiting for 51s more",
        "computed": "waiting for 1h 00m more",
        "wait": "waiting 9.0s",
    }
    assert states(flow, rows(until("short", -10)), NOW)["short"].words == ("waiting about to wake")
    slept = states(flow, rows(row("short", "success", 70, 60)), NOW)["short"]
    assert slept == State("success", "1m 00s")


def test_items_are_counted() -> None:
    flow = nodes(foreach("all", workflow("copy", step("upload"))))
    found = rows(
        row("all", "running", progress=Progress(2, 9, failed=1), kind="foreach"),
        *(row(f"copy[{n}]", s) for n, s in enumerate(["success", "success", "failed", "running"])),
        *(row(f"copy[{n}]/upload", "success") for n in range(3)),
    )
    assert states(flow, found, NOW) == {
        "all": State("running", "2/9, 1 failed in 9.0s"),
        "copy[*]": State("running", "2 done, 1 failed, 1 running"),
        "copy[*]/upload": State("success", "3 done"),
    }


def test_a_loop_tells_its_iteration() -> None:
    flow = nodes(loop("loop-1", step("look"), "is_paid"))
    decisions = [row(f"loop-1[{n}]", "success", kind="decision") for n in range(2)]
    looks = [row(f"look[{n}]", "success") for n in range(3)]
    at_work = rows(row("loop-1", "running", kind="loop"), *decisions, *looks)
    assert states(flow, at_work, NOW)["loop-1"].words == "iteration 3 9.0s"
    over = rows(row("loop-1", "success", took=2, kind="loop"), *decisions, *looks)
    assert states(flow, over, NOW)["loop-1"].words == "2 times 2.0s"


def test_arms_that_a_branch_leaves_out_are_not_taken() -> None:
    left = workflow("small", step("deep"))
    guarded = recover(step("guarded"), step("handler"))
    flow = nodes(branch("which", ("is_big", step("big")), ("is_small", left), otherwise=guarded))
    assert states(flow, rows(row("which", "running", kind="branch")), NOW).keys() == {"which"}
    decided = row("which", "success", kind="branch", output_json=json.dumps(["big"]))
    found = states(flow, rows(decided, row("big", "running")), NOW)
    assert found["big"] == State("running", "9.0s")
    assert found["small"] == found["guarded"] == State("skipped", "not taken")
    assert found["small/deep"] == State("skipped")
    assert found["handler"].status == "skipped"


def test_parallel_stands_as_its_arms_do() -> None:
    flow = nodes(parallel("both", recover(step("a"), step("undo")), step("b")))

    def both(*found: StepResult) -> State | None:
        return states(flow, rows(*found), NOW).get("both")

    assert both() == State("")
    assert both(row("a", "success")) == State("")
    assert both(row("a", "success"), row("b", "running")) == State("running")
    assert both(row("a", "success"), row("b", "failed")) == State("failed", "failed")
    assert both(row("a", "failed"), row("undo", "success"), row("b", "success")) == State("success")
    assert both(row("a", "suspended"), row("b", "success")) == State("suspended", "asking")


def test_a_path_in_a_run_has_a_place_in_the_definition() -> None:
    assert place("digest[2]/mail[13]/send") == "digest[*]/mail[*]/send"
    flow = nodes(foreach("all", recover(step("copy"), step("undo"))))
    found = states(flow, rows(row("copy[0]", "failed"), row("undo[0]", "success")), NOW)
    assert found.keys() == {"copy[*]", "undo[*]"}


def test_statuses_differ_by_more_than_colour() -> None:
    shown: list[Any] = [
        "", "running", "success", "failed", "interrupted", "suspended", "waiting", "bailed",
        "skipped", "cancelled",
    ]  # fmt: skip
    glyphs = {mark(status)[0] for status in shown}
    words = {mark(status)[1] for status in [*shown, "crashed", "sleeping", "queued"]}
    assert (len(glyphs), len(words)) == (len(shown), len(shown) + 3)
