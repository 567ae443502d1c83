"""Logs: stretches of lines, in order, told apart by stream and step."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.store.claims import enqueue
from wrkflw_tui.store.file import connect, prepare
from wrkflw_tui.store.logs import Stretch, append, read_log

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    prepare(file)
    connection = connect(file)
    for run_id in ("r", "other"):
        enqueue(connection, "flow", "1", "app", run_id=run_id)
    yield connection
    connection.close()


def test_stretches_are_read_back_in_order(connection: sqlite3.Connection) -> None:
    append(connection, 1, [Stretch("stdout", "a", 1_000_000, ("one", "two"))])
    append(
        connection,
        1,
        [Stretch("stderr", "", 2_000_000, ("ünïcode ✓",)), Stretch("stdout", "b", 3, ("", ""))],
    )
    append(connection, 2, [Stretch("stdout", "a", 5, ("not this run's",))])
    first, second, third = read_log(connection, "r")
    assert (first.n, first.stream, first.path, first.lines) == (1, "stdout", "a", ("one", "two"))
    assert first.at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert (second.n, second.stream, second.path, second.lines) == (2, "stderr", "", ("ünïcode ✓",))
    assert (third.n, third.lines) == (3, ("", ""))
    assert [s.n for s in read_log(connection, "other")] == [1]


def test_the_log_is_paged_by_number(connection: sqlite3.Connection) -> None:
    append(connection, 1, [Stretch("stdout", "", n, (str(n),)) for n in range(10)])
    pages: list[list[str]] = []
    after = 0
    while page := read_log(connection, "r", after, limit=4):
        pages.append([line for stretch in page for line in stretch.lines])
        after = page[-1].n
    assert pages == [["0", "1", "2", "3"], ["4", "5", "6", "7"], ["8", "9"]]


def test_an_unknown_run_has_no_log(connection: sqlite3.Connection) -> None:
    assert read_log(connection, "nothing") == []


def test_nothing_is_appended_to_a_run_that_is_not_on_record(
    connection: sqlite3.Connection,
) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"):
        append(connection, 99, [Stretch("stdout", "", 1, ("lost",))])
