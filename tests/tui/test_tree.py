from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from drawing.graphs import branch, loop, parallel, recover, sleep, step, wait, workflow
from tui.record import BACKUP_GRAPH, NOW

from wrkflw_tui.engine.models import ErrorInfo, Progress, StepResult
from wrkflw_tui.store.file import closing_connection
from wrkflw_tui.tui import run_text
from wrkflw_tui.tui.graph import chain, nodes_of
from wrkflw_tui.tui.run_record import RunRecord
from wrkflw_tui.tui.tree import live_path, progress_words, tree

if TYPE_CHECKING:
    from pathlib import Path


def result(path: str, status: Any, order: int, **more: Any) -> StepResult:
    id = path.rsplit("/", 1)[-1]
    return StepResult(path, id, "step", status, 1, order, NOW - timedelta(seconds=9), **more)


def test_a_definition_is_drawn_as_a_chain() -> None:
    drawn = chain(BACKUP_GRAPH).replace("\u00a0", " ")
    assert drawn == "list-new ─▶ copy-all ⟨connect ─▶ copy⟩ ─▶ map-1 ─▶ verify ─▶ notify"
    assert chain(None) == chain("{") == ""


COMPOSED = """[
 {"kind": "parallel", "id": "parallel-1", "arms": [
   {"kind": "step", "id": "a"}, {"kind": "step", "id": "b"}]},
 {"kind": "branch", "id": "branch-1", "arms": [{"kind": "step", "id": "c"}],
  "otherwise": {"kind": "step", "id": "d"}},
 {"kind": "foreach", "id": "foreach-1", "body": {"kind": "workflow", "id": "digest",
   "nodes": [{"kind": "step", "id": "send"}]}},
 {"kind": "step", "id": "end"}]"""


def test_arms_and_items_are_drawn() -> None:
    drawn = chain(COMPOSED).replace("\u00a0", " ")
    assert drawn == "⟨a ∥ b⟩ ─▶ ⟨c | d⟩ ─▶ ⟨foreach⟩ digest ⟨send⟩ ─▶ end"
    results = {
        path: result(path, "success", order)
        for order, path in enumerate(
            ["a", "foreach-1", "digest[0]", "digest[0]/send", "digest[1]"], start=1
        )
    }
    lines = [(line.label, line.depth) for line in tree(nodes_of(COMPOSED), results)]
    assert lines == [
        ("parallel-1", 0),
        ("a", 1),
        ("b", 1),
        ("branch-1", 0),
        ("c", 1),
        ("d", 1),
        ("foreach-1", 0),
        ("digest[0]", 1),
        ("send", 2),
        ("digest[1]", 1),
        ("end", 0),
    ]


def test_steps_not_started_are_in_the_tree() -> None:
    results = {
        "copy-all": result("copy-all", "running", 2),
        "copy-all/copy": result("copy-all/copy", "running", 3),
        "gone": result("gone", "success", 1),
    }
    lines = tree(nodes_of(BACKUP_GRAPH), results)
    shown = [(line.path, line.depth, line.status) for line in lines]
    assert shown == [
        ("list-new", 0, ""),
        ("copy-all", 0, "running"),
        ("copy-all/connect", 1, ""),
        ("copy-all/copy", 1, "running"),
        ("map-1", 0, ""),
        ("verify", 0, ""),
        ("notify", 0, ""),
        ("gone", 0, "success"),
    ]
    assert live_path(lines) == "copy-all/copy"


WAITING = json.dumps(
    [
        branch("branch-1", ("is_big", workflow("big", step("cut"))), otherwise=step("keep")),
        recover(step("charge"), step("refund")),
        parallel("both", step("a"), recover(step("b"), step("undo"))),
        loop("loop-1", recover(step("look"), step("call")), "is_paid"),
        sleep("sleep-1", 3600),
        wait("wait-for-1", "invoice-paid", 60),
    ]
)


def test_what_waits_and_what_handles_is_in_the_chain() -> None:
    drawn = chain(WAITING).replace("\u00a0", " ")
    assert drawn == (
        "⟨big ⟨cut⟩ | keep⟩ ─▶ charge (if it fails: refund)"
        " ─▶ ⟨a ∥ b (if it fails: undo)⟩ ─▶ ⟨loop⟩ look (if it fails: call)"
        " ─▶ sleep 1h ─▶ wait invoice-paid"
    )


def test_notes_stand_beside_what_an_id_does_not_tell() -> None:
    results = {
        "branch-1": result("branch-1", "success", 1, output_json='["keep"]'),
        "a": result("a", "success", 2),
        "b": result("b", "failed", 3),
        "undo": result("undo", "success", 4),
        "look[0]": result("look[0]", "failed", 5),
        "call[0]": result("call[0]", "success", 6),
        "loop-1[0]": replace(
            result("loop-1[0]", "success", 7, output_json="false"), kind="decision"
        ),
        "look[1]": result("look[1]", "running", 8),
    }
    lines = tree(nodes_of(WAITING), results)
    assert [(line.path, line.depth, line.status, line.note) for line in lines] == [
        ("branch-1", 0, "success", ""),
        ("big", 1, "skipped", "is_big"),
        ("big/cut", 2, "skipped", ""),
        ("keep", 1, "", "otherwise"),
        ("charge", 0, "", ""),
        ("refund", 0, "", "if it fails"),
        ("both", 0, "success", ""),
        ("a", 1, "success", ""),
        ("b", 1, "failed", ""),
        ("undo", 1, "success", "if it fails"),
        ("loop-1", 0, "", ""),
        ("look[0]", 1, "failed", ""),
        ("call[0]", 1, "success", ""),
        ("loop-1[0]", 1, "success", "until is_paid: no"),
        ("look[1]", 1, "running", ""),
        ("sleep-1", 0, "", "sleep 1h"),
        ("wait-for-1", 0, "", "wait invoice-paid"),
    ]


def test_what_is_followed_is_at_work_else_asks_else_waits() -> None:
    flow = json.dumps([workflow("outer", step("ask"), sleep("nap", 9), step("work"), step("last"))])
    nodes = nodes_of(flow)

    def followed(**statuses: Any) -> str | None:
        results = {
            path: result(path, status, order)
            for order, (path, status) in enumerate(
                [("outer", "waiting"), *((f"outer/{id}", s) for id, s in statuses.items())]
            )
        }
        return live_path(tree(nodes, results))

    assert followed(ask="suspended", nap="waiting", work="running") == "outer/work"
    assert followed(ask="suspended", nap="waiting", work="success") == "outer/ask"
    assert followed(ask="bailed", nap="waiting") == "outer/nap"
    assert followed() == "outer"


def test_a_question_says_why_about_what_and_how_to_answer() -> None:
    asked = {
        "key": "send",
        "reason": "Send to 40 people?\x1b[31m",
        "payload": {"count": 40},
        "schema": {"type": "boolean"},
    }
    assert run_text.question_text(json.dumps(asked)).splitlines() == [
        "? Send to 40 people?",
        "",
        "question",
        "send",
        "",
        "about",
        "{",
        '  "count": 40',
        "}",
        "",
        "answer",
        "{",
        '  "type": "boolean"',
        "}",
    ]
    assert run_text.question_text('{"reason": null}') == "? It waits for an answer."
    assert run_text.question_text("no json") == "no json"


def test_progress_with_and_without_a_total() -> None:
    known = result("a", "running", 1, progress=Progress(1, 2, "half\nway"))
    unknown = result("a", "running", 1, progress=Progress(1200, None, "rows"))
    done = result("a", "success", 1, progress=Progress(2, 2))
    assert progress_words(known) == "━━━━────  50% half way"
    assert progress_words(unknown) == "1,200 rows"
    assert progress_words(done) == ""


def test_an_error_is_told_with_its_causes() -> None:
    error = ErrorInfo("A", "first", "trace\x1b[31m", ErrorInfo("B", "second"), "copy")
    said = run_text.error_text(error)
    assert said == "A: first\nin step copy\ncaused by B: second\n\ntrace"


def test_a_run_is_read_bit_by_bit(database: Path, ids: dict[str, str]) -> None:
    record = RunRecord(ids["failed"])
    with closing_connection(database) as connection:
        record.take(record.look(connection))
        again = record.look(connection)
    assert [attempt.attempt for attempt in record.attempts_at("push")] == [1, 2]
    assert again.steps == []
    assert again.whole is None
    details = run_text.pane(record, "push", "Details", NOW)
    assert "attempts    2" in details
    assert run_text.pane(record, "pull", "Output", NOW) == '{\n  "notes": 12\n}'
