from __future__ import annotations

import time
from textwrap import dedent

import pytest
from drawing.graphs import (
    RICH,
    branch,
    foreach,
    loop,
    mapped,
    nodes,
    parallel,
    recover,
    sleep,
    step,
    wait,
    workflow,
)
from rich.cells import cell_len

from wrkflw_tui.drawing.state import State
from wrkflw_tui.drawing.text import draw

A, B, C, D = map(step, "abcd")

DRAWN = {
    "steps": (
        (step("fetch"), mapped("to-mail"), step("send")),
        """
        ○ fetch
        │
        ○ to-mail  map
        │
        ○ send
        """,
    ),
    "nested workflows": (
        (step("fetch"), workflow("digest", A, workflow("mail", B)), step("send")),
        """
            ○ fetch
            │
        ┌───○ digest ─┐
        │   ○ a       │
        │   │         │
        │ ┌─○ mail ─┐ │
        │ │ ○ b     │ │
        │ └─────────┘ │
        └───┬─────────┘
            │
            ○ send
        """,
    ),
    "parallel": (
        (step("fetch"), parallel("parallel-1", A, workflow("long", B, C), D), step("send")),
        """
        ○ fetch
        │
        ○ parallel-1  all at once
        ├───────┬───────────┐
        ○ a   ┌─○ long ─┐   ○ d
        │     │ ○ b     │   │
        │     │ │       │   │
        │     │ ○ c     │   │
        │     └─┬───────┘   │
        ├───────┴───────────┘
        │
        ○ send
        """,
    ),
    "parallel at the end": (
        (parallel("parallel-1", A, B, limit=2, on_error="collect"),),
        """
        ○ parallel-1  2 at a time, failures are collected
        ├─────┐
        ○ a   ○ b
        └─────┘
        """,
    ),
    "branch": (
        (branch("branch-1", ("is_big", A), ("is_small", B), otherwise=C), D),
        """
        ○ branch-1  the first arm that holds
        ├──────────┬────────────┐
        │ is_big   │ is_small   │ otherwise
        ○ a        ○ b          ○ c
        ├──────────┴────────────┘
        │
        ○ d
        """,
    ),
    "branch of one arm": (
        (branch("branch-1", ("is_big", workflow("flow", A))), D),
        """
          ○ branch-1  the first arm that holds
          │ is_big
        ┌─○ flow ─┐
        │ ○ a     │
        └─┬───────┘
          │
          ○ d
        """,
    ),
    "foreach": (
        (A, foreach("foreach-1", step("copy"), 4, "collect"), D),
        """
          ○ a
          │
        ┌─○ foreach-1  each item, 4 at a time, failures are collected ─┐
        │ ○ copy                                                       │
        └─┬────────────────────────────────────────────────────────────┘
          │
          ○ d
        """,
    ),
    "loop": (
        (loop("loop-1", workflow("poll", A, B), "is_paid", most=10),),
        """
        ┌───○ loop-1  until is_paid, at most 10 times ─┐
        │ ┌─○ poll ─┐                                  │
        │ │ ○ a     │                                  │
        │ │ │       │                                  │
        │ │ ○ b     │                                  │
        │ └─────────┘                                  │
        └──────────────────────────────────────────────┘
        """,
    ),
    "loop while": (
        (loop("loop-1", A, "goes_on", until=False, most=1),),
        """
        ┌─○ loop-1  while goes_on, at most 1 time ─┐
        │ ○ a                                      │
        └──────────────────────────────────────────┘
        """,
    ),
    "sleeps": (
        (
            sleep("sleep-1", 5400.0),
            sleep("sleep-2", until="2026-08-03T09:00:00+02:00"),
            sleep("sleep-3", function="next_morning"),
        ),
        """
        ○ sleep-1  sleep 1h 30m
        │
        ○ sleep-2  sleep until 2026-08-03 07:00 UTC
        │
        ○ sleep-3  sleep as next_morning says
        """,
    ),
    "waits": (
        (wait("wait-for-1", "invoice-paid", 259_200), wait("wait-for-2", "go")),
        """
        ○ wait-for-1  wait for invoice-paid, at most 3d
        │
        ○ wait-for-2  wait for go
        """,
    ),
    "handler of a step": (
        (recover(step("charge"), step("refund")), D),
        """
        ○ charge
        ├╌╌┐ if it fails
        │  ○ refund
        ├╌╌┘
        │
        ○ d
        """,
    ),
    "handler of a workflow": (
        (recover(workflow("charge", A, B), workflow("undo", C)),),
        """
        ┌─○ charge ─┐
        │ ○ a       │
        │ │         │
        │ ○ b       │
        └─┬─────────┘
          ├╌╌╌╌┐ if it fails
          │  ┌─○ undo ─┐
          │  │ ○ c     │
          │  └─┬───────┘
          └╌╌╌╌┘
        """,
    ),
    "a kind that nobody knows yet": (({"kind": "race", "id": "race-1"},), "○ race-1  race"),
}


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize(("items", "wanted"), DRAWN.values(), ids=DRAWN)
def test_each_kind_is_drawn(items: tuple[dict[str, object], ...], wanted: str) -> None:
    assert str(draw(nodes(*items), 80)) == dedent(wanted).strip("\n")


def test_arms_that_do_not_fit_beside_one_another_are_below() -> None:
    wide = branch("branch-1", ("is_big_enough", A), ("is_small", workflow("long", B, C)))
    assert str(draw(nodes(wide, D), 24)) == dedent("""\
        ○ branch-1  the first a…
        ├──┐ is_big_enough
        │  ○ a
        ├──┘
        ├────┐ is_small
        │  ┌─○ long ─┐
        │  │ ○ b     │
        │  │ │       │
        │  │ ○ c     │
        │  └─┬───────┘
        ├────┘
        │
        ○ d""")


def test_where_no_frame_fits_all_stays_on_the_spine() -> None:
    inner = workflow("digest", branch("branch-1", ("is_big", A), otherwise=B))
    long = recover(step("a-step-with-a-long-name"), step("undo"))
    assert str(draw(nodes(long, foreach("foreach-1", inner)), 12)) == dedent("""\
        ○ a-step-wi…
        │
        ┄ if it fai…
        │
        ○ undo
        │
        ○ foreach-1
        │
        ○ digest
        │
        ┄ is_big
        │
        ○ a
        │
        ┄ otherwise
        │
        ○ b""").replace("○ digest\n", "○ digest\n│\n○ branch-1\n")


def test_labels_may_be_wide_and_may_hold_anything() -> None:
    odd = branch("branch-1", ("是大的吗", A), ("\x1b[31mred\n[/b]", B))
    assert str(draw(nodes(odd), 80)) == dedent("""\
        ○ branch-1  the first arm that holds
        ├────────────┐
        │ 是大的吗   │ red [/b]
        ○ a          ○ b
        └────────────┘""")


def test_nothing_has_no_drawing() -> None:
    assert draw((), 80).lines == ()
    assert nodes() == ()


def test_a_state_stands_beside_its_node() -> None:
    states = {
        "copy": State("running", "34/54 12 MB 35s"),
        "copy/each[*]": State("failed", "3 done, 1 failed"),
        "wait": State("waiting", "waiting 3m 04s"),
    }
    flow = nodes(workflow("copy", foreach("all", step("each"))), wait("wait", "paid", 60))
    assert str(draw(flow, 80, states)) == dedent("""\
        ┌───● copy  34/54 12 MB 35s ───────────┐
        │ ┌─○ all  each item, one at a time ─┐ │
        │ │ ✗ each  3 done, 1 failed         │ │
        │ └──────────────────────────────────┘ │
        └───┬──────────────────────────────────┘
            │
            ◔ wait  waiting 3m 04s  wait for paid, at most 1m""")


def test_a_span_is_where_its_node_is_written() -> None:
    drawing = draw(nodes(*RICH), 80)
    at = {span.path: span for span in drawing.spans}
    for path, text in {
        "rates": "○ rates",
        "invoice[*]/poll[*]/look": "○ look",
        "foreach-1": "○ foreach-1  each item, one at a time",
        "undo": "○ undo",
    }.items():
        span = at.get(path) or at[f"merge/{path}"]
        line = drawing.lines[span.row]
        assert cell_len(text) == span.width
        assert line[span.col : span.col + span.width] == text
