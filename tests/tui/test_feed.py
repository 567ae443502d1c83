from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tui import record

from wrkflw_tui.config import Config
from wrkflw_tui.store import claims
from wrkflw_tui.store.file import closing_connection, transaction
from wrkflw_tui.tui.app import WrkflwApp
from wrkflw_tui.tui.feed import Feed
from wrkflw_tui.tui.widgets.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from wrkflw_tui.tui.known import Change

PATIENCE = 20.0


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Change] = []
        self._news = threading.Condition()

    def __call__(self, change: Change) -> None:
        with self._news:
            self.told.append(change)
            self._news.notify_all()

    def wait_for(self, condition: Callable[[Change], bool]) -> Change:
        with self._news:
            assert self._news.wait_for(lambda: any(map(condition, self.told)), PATIENCE)
        return next(change for change in self.told if condition(change))


@pytest.fixture
def feed(database: Path) -> Generator[Feed]:
    made = Feed(database)
    yield made
    made.stop()


def enqueue(database: Path) -> str:
    with closing_connection(database) as connection, transaction(connection):
        return claims.enqueue(connection, "backup-photos", "1", "app")


def test_looks_before_anybody_listens(feed: Feed, database: Path, ids: dict[str, str]) -> None:
    feed.start()
    change = feed.first(PATIENCE)
    assert change is not None
    assert {run.run_id for run in change.runs} >= set(ids.values())
    run_id = enqueue(database)
    listener = Listener()
    feed.listen(listener)
    news = listener.wait_for(lambda change: bool(change.runs))
    assert [run.run_id for run in news.runs] == [run_id]


def test_waits_no_longer_than_it_is_told_to(feed: Feed) -> None:
    assert feed.first(0) is None


def test_tells_a_late_listener_everything(feed: Feed, ids: dict[str, str]) -> None:
    feed.start()
    listener = Listener()
    feed.listen(listener)
    change = listener.wait_for(lambda change: change.catalog is not None)
    assert len(change.runs) >= len(ids)
    assert feed.first(0) is None


def test_leaves_a_problem_to_the_listener(feed: Feed, database: Path) -> None:
    database.write_text("this is no database, and far longer than its header would be" * 20)
    feed.start()
    listener = Listener()
    assert feed.first(PATIENCE) is None
    feed.listen(listener)
    assert "not a database" in str(listener.wait_for(lambda c: bool(c.problem)).problem)


async def test_an_app_that_has_the_record_shows_it_at_once(
    feed: Feed, database: Path, ids: dict[str, str]
) -> None:
    feed.start()
    config = Config(database.parent, database)
    app = WrkflwApp(config, clock=lambda: record.NOW, feed=feed)
    assert app.known.loaded
    async with app.run_test():
        assert app.screen.query_one(Rows).keys
