from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

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


def test_logs_tell_step_and_stream_apart(database: Path, ids: dict[str, str]) -> None:
    record = RunRecord(ids["live"])
    with closing_connection(database) as connection:
        record.take(record.look(connection))
    whole = run_text.pane(record, "", "Logs", NOW).splitlines()
    assert whole[0] == "list-new       │ looking in /home/ada/photos"
    assert whole[3] == "copy           │ copied [/b]"
    assert whole[4] == "copy           ! warning: slow link"
    assert run_text.pane(record, "list-new", "Logs", NOW).splitlines()[1] == "│ 3 new photos"
    assert "copying a.jpg" in run_text.pane(record, "copy-all", "Logs", NOW)
