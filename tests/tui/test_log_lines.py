"""A log as numbered lines: whatever comes and goes, each is the one that is on record."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wrkflw_tui.store import claims, logs
from wrkflw_tui.store.file import closing_connection, connect, place_of, prepare
from wrkflw_tui.store.logs import Stretch
from wrkflw_tui.tui.log_lines import LABEL, LogLines

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 400
PATHS = ("", "a", "a/b", "items[3]/x", "ab")


@cache
def record() -> sqlite3.Connection:
    """A record with one run, made once: every test undoes what it has written."""
    place = place_of(":memory:")
    connection = connect(place)
    prepare(place)
    claims.enqueue(connection, "job", "1", "cli", run_id="run")
    return connection


@contextmanager
def undone() -> Iterator[sqlite3.Connection]:
    connection = record()
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        connection.execute("ROLLBACK")


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with undone() as connection:
        yield connection


def append(connection: sqlite3.Connection, path: str, *lines: str) -> None:
    logs.append(connection, 1, [Stretch("stdout", path, 1, lines)], LIMIT)


def look(connection: sqlite3.Connection, log: LogLines, tail: int = 0) -> bool:
    news = log.look(connection, tail)
    was_cut = log.take(news)
    log.hold(news.tail)
    return was_cut


def all_lines(connection: sqlite3.Connection, log: LogLines) -> list[str]:
    """Every line, by its number, read where it is not held."""
    found: list[str] = []
    for number in range(len(log)):
        if log.line(number) is None:
            lacking = log.missing(number, number)
            assert lacking is not None
            log.hold(log.read(connection, lacking))
        line = log.line(number)
        assert line is not None
        found.append(line.whole)
    return found


STRETCHES = st.lists(
    st.tuples(st.sampled_from(PATHS), st.lists(st.text("xyz", max_size=9), min_size=1, max_size=9)),
    max_size=30,
)


@settings(max_examples=60)
@given(STRETCHES, st.sampled_from(("", "a", "items")), st.integers(1, 6), st.integers(0, 4))
def test_every_line_is_the_one_on_record(
    said: list[tuple[str, list[str]]], path: str, often: int, tail: int
) -> None:
    with undone() as connection:
        log = LogLines("run", path)
        for number, (where, lines) in enumerate(said):
            append(connection, where, *lines)
            if number % often == 0:
                look(connection, log, tail)
        look(connection, log, tail)
        assert all_lines(connection, log) == list(log.whole(connection))
        for number in range(len(log)):
            assert log.number(log.place(number)) == number


@settings(max_examples=60)
@given(STRETCHES, st.text("xyz", min_size=1, max_size=2))
def test_a_search_finds_every_line_with_the_text(
    said: list[tuple[str, list[str]]], wanted: str
) -> None:
    with undone() as connection:
        for where, lines in said:
            append(connection, where, *lines)
        log = LogLines("run")
        look(connection, log)
        found, _, is_done = log.search(connection, wanted, 0)
        assert is_done
        shown = [line[LABEL + 1 :] for line in all_lines(connection, log)]
        expected = [n for n, line in enumerate(shown) if wanted in line]
        assert [log.number(place) for place in found] == expected


def test_lines_are_searched_as_they_are_shown(connection: sqlite3.Connection) -> None:
    append(connection, "a", "\x1b[31mfo\x1b[0mo", "10%\r20% Foo", "f\x1b[1mo", "fo")
    log = LogLines("run")
    look(connection, log)
    found, _, _ = log.search(connection, "foo", 0)
    assert [log.number(place) for place in found] == [0, 1]


def test_a_search_goes_on_with_what_came_since(connection: sqlite3.Connection) -> None:
    append(connection, "a", "one", "two")
    log = LogLines("run")
    look(connection, log)
    found, last, _ = log.search(connection, "o", 0)
    append(connection, "a", "another", "thing")
    look(connection, log)
    more, _, _ = log.search(connection, "o", last)
    assert [log.number(place) for place in found + more] == [0, 1, 2]


def test_a_cut_is_told_and_what_is_left_keeps_its_place(connection: sqlite3.Connection) -> None:
    for n in range(20):
        append(connection, "a", f"line {n} {'x' * 10}")
    log = LogLines("run")
    look(connection, log)
    kept, gone = log.place(len(log) - 1), log.place(len(log) // 2 + 2)
    for n in range(20, 25):
        append(connection, "a", f"line {n} {'x' * 10}")
    assert look(connection, log)
    assert log.holds(kept)
    assert not log.holds(gone)
    assert all_lines(connection, log)[log.number(kept)].endswith(f"line 19 {'x' * 10}")
    assert any("not kept here" in line for line in all_lines(connection, log))


def test_a_run_that_said_nothing_has_no_lines(connection: sqlite3.Connection) -> None:
    log = LogLines("run")
    assert not look(connection, log, 5)
    assert len(log) == 0
    assert log.missing(0, 10) is None
    assert not logs.has_any(connection, "run")
    append(connection, "a", "")
    assert logs.has_any(connection, "run")
    look(connection, log)
    assert len(log) == 1


def test_lines_tell_step_and_stream_apart(database: Path, ids: dict[str, str]) -> None:
    def lines(path: str) -> list[str]:
        with closing_connection(database) as connection:
            return list(LogLines(ids["live"], path).whole(connection))

    whole = lines("")
    assert whole[0] == "list-new       │ looking in /home/ada/photos"
    assert whole[3] == "copy           │ copied [/b]"
    assert whole[4] == "copy           ! warning: slow link"
    assert lines("list-new")[1] == "│ 3 new photos"
    assert any("copying a.jpg" in line for line in lines("copy-all"))
    assert lines("copy-a") == []
