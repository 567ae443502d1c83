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


def fill(connection: sqlite3.Connection, numbers: range, limit: int) -> None:
    for number in numbers:
        append(connection, 1, [Stretch("stdout", "a", number, (f"line {number:05}",))], limit)


def test_beyond_its_limit_a_log_loses_its_middle_and_says_how_much(
    connection: sqlite3.Connection,
) -> None:
    fill(connection, range(100), limit=400)
    lines = [line for stretch in read_log(connection, "r") for line in stretch.lines]
    gap = next(line for line in lines if line.startswith("…"))
    head, tail = lines[: lines.index(gap)], lines[lines.index(gap) + 1 :]
    assert head == [f"line {n:05}" for n in range(len(head))]
    assert tail == [f"line {n:05}" for n in range(100 - len(tail), 100)]
    assert (len(head), len(tail)) == (21, 19)
    assert gap.startswith("… 60 lines (0.0 MB) not kept")
    assert "max_log_mb" in gap


def test_a_log_that_was_read_while_it_lost_its_middle_goes_on_where_it_was(
    connection: sqlite3.Connection,
) -> None:
    seen: list[str] = []
    after = 0
    for start in range(0, 200, 5):
        fill(connection, range(start, start + 5), limit=400)
        for stretch in read_log(connection, "r", after):
            after = stretch.n
            seen += stretch.lines
    assert seen == [f"line {n:05}" for n in range(200)]


def test_one_stretch_above_the_limit_stays(connection: sqlite3.Connection) -> None:
    append(connection, 1, [Stretch("stdout", "", 1, ("x" * 1000,))], 100)
    append(connection, 1, [Stretch("stdout", "", 2, ("y" * 1000,))], 100)
    assert [stretch.lines[0][0] for stretch in read_log(connection, "r")] == ["x", "y"]
