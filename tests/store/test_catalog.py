"""The catalogue: what the last look at the folder found."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from wrkflw_tui.store import catalog
from wrkflw_tui.store.catalog import AutomationFile, CatalogEntry
from wrkflw_tui.store.claims import enqueue
from wrkflw_tui.store.file import connect, prepare
from wrkflw_tui.store.runs import read_snapshot

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    prepare(file)
    connection = connect(file)
    yield connection
    connection.close()


def found(name: str, **more: Any) -> AutomationFile:
    return AutomationFile(name, 10, 1, "ok", **more)


def entry(workflow_id: str, file: str, last_input: str | None = None) -> CatalogEntry:
    return CatalogEntry(
        workflow_id, file, "said", ("b", "a"), "{}", "{}", "[]", 3, "hash", last_input
    )


def test_what_was_found_is_read_back(connection: sqlite3.Connection) -> None:
    broken = AutomationFile("bad.py", 5, 9, "broken", "SyntaxError: no", 3, "Traceback")
    catalog.record_file(connection, found("good.py"), [entry("two", "good.py")])
    catalog.record_file(connection, broken, [])
    assert catalog.list_files(connection) == [broken, found("good.py")]
    assert catalog.list_workflows(connection) == [entry("two", "good.py")]
    assert catalog.find_workflow(connection, "two") == entry("two", "good.py")
    assert catalog.find_workflow(connection, "three") is None


def test_a_new_look_replaces_what_the_file_held(connection: sqlite3.Connection) -> None:
    catalog.record_file(connection, found("a.py"), [entry("one", "a.py"), entry("two", "a.py")])
    catalog.record_file(connection, found("b.py"), [entry("other", "b.py")])
    catalog.record_file(connection, found("a.py"), [entry("two", "a.py"), entry("new", "a.py")])
    assert [w.workflow_id for w in catalog.list_workflows(connection)] == ["new", "other", "two"]


def test_a_file_that_is_gone_is_forgotten_with_its_workflows(
    connection: sqlite3.Connection,
) -> None:
    catalog.record_file(connection, found("a.py"), [entry("one", "a.py")])
    catalog.record_file(connection, found("b.py"), [entry("two", "b.py")])
    enqueue(connection, "one", "1", "app", run_id="r")
    catalog.forget_file(connection, "a.py")
    assert [f.file for f in catalog.list_files(connection)] == ["b.py"]
    assert [w.workflow_id for w in catalog.list_workflows(connection)] == ["two"]
    assert read_snapshot(connection, "r").workflow_id == "one"


def test_the_last_input_outlives_new_looks(connection: sqlite3.Connection) -> None:
    catalog.record_file(connection, found("a.py"), [entry("one", "a.py")])
    catalog.keep_input(connection, "one", '{"n": 1}')
    catalog.record_file(connection, found("a.py"), [entry("one", "a.py")])
    kept = catalog.find_workflow(connection, "one")
    assert kept is not None
    assert kept.last_input == '{"n": 1}'


def test_a_queued_run_takes_the_definition_from_the_catalogue(
    connection: sqlite3.Connection,
) -> None:
    catalog.record_file(connection, found("a.py"), [entry("one", "a.py")])
    enqueue(connection, "one", "1", "app", run_id="r")
    snapshot = read_snapshot(connection, "r")
    assert (snapshot.graph_json, snapshot.run.steps_total) == ("[]", 3)


def test_the_revision_differs_after_every_change(connection: sqlite3.Connection) -> None:
    seen = [catalog.catalog_revision(connection)]

    def changed() -> None:
        seen.append(catalog.catalog_revision(connection))

    catalog.record_file(connection, found("a.py"), [entry("one", "a.py")])
    changed()
    catalog.record_file(connection, found("b.py"), [])
    changed()
    catalog.keep_input(connection, "one", "1")
    changed()
    catalog.forget_file(connection, "b.py")
    changed()
    catalog.record_file(connection, found("a.py"), [])
    changed()
    catalog.forget_file(connection, "a.py")
    changed()
    assert all(a != b for a, b in itertools.pairwise(seen))
    unchanged = catalog.catalog_revision(connection)
    assert unchanged == seen[-1]
