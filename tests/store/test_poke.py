"""A poke: whoever gives the worker something to do wakes it, once that is on record."""

from __future__ import annotations

import select
import sqlite3
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui import WorkflowStorage
from wrkflw_tui.store import claims
from wrkflw_tui.store.file import closing_connection, prepare, transaction
from wrkflw_tui.store.poke import Pokes, poke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Ears:
    def __init__(self, file: Path) -> None:
        self.pokes = Pokes(file)
        pipe = self.pokes.open()
        assert pipe is not None
        self.pipe = pipe

    def was_poked(self) -> bool:
        heard = bool(select.select([self.pipe], [], [], 0)[0])
        self.pokes.take()
        return heard


@pytest.fixture
def ears(file: Path) -> Iterator[Ears]:
    prepare(file)
    ears = Ears(file)
    yield ears
    ears.pokes.close(remove=True)


def test_a_queued_run_pokes_once_it_is_on_record(file: Path, ears: Ears) -> None:
    with closing_connection(file) as connection:
        with transaction(connection):
            claims.enqueue(connection, "flow", "1", "app")
            assert not ears.was_poked()
        assert ears.was_poked()
        with transaction(connection):
            connection.execute("UPDATE wrkflw_revision SET revision = 7")
        assert not ears.was_poked()


def queue_all(connection: sqlite3.Connection, *run_ids: str) -> None:
    for run_id in run_ids:
        claims.enqueue(connection, "flow", "1", "app", run_id=run_id)


def test_what_was_undone_does_not_poke(file: Path, ears: Ears) -> None:
    with closing_connection(file) as connection:
        with transaction(connection):
            claims.enqueue(connection, "flow", "1", "app", run_id="twice")
        assert ears.was_poked()
        with pytest.raises(sqlite3.IntegrityError), transaction(connection):
            queue_all(connection, "other", "twice")
        with transaction(connection):
            connection.execute("UPDATE wrkflw_revision SET revision = 7")
    assert not ears.was_poked()


async def test_a_write_through_the_storage_pokes(file: Path, ears: Ears) -> None:
    storage = WorkflowStorage(file)
    await storage.database.write(lambda c: claims.enqueue(c, "flow", "1", "app"))
    await storage.close()
    assert ears.was_poked()


def test_only_its_owner_may_poke(file: Path, ears: Ears) -> None:
    place = file.with_name(f"{file.name}-poke")
    assert place.stat().st_mode & 0o777 == 0o600
    ears.pokes.close(remove=True)
    assert not place.exists()


def test_without_a_worker_nothing_happens(file: Path) -> None:
    prepare(file)
    poke(file)
    ears = Ears(file)
    ears.pokes.close(remove=False)  # as one that was killed leaves it
    poke(file)
    assert not Ears(file).was_poked()


def test_a_worker_that_does_not_listen_holds_nobody_up(file: Path, ears: Ears) -> None:
    for _ in range(100_000):
        poke(file)
        if not select.select([], [ears.pipe], [], 0)[1]:
            break
    poke(file)
    assert ears.was_poked()


def test_a_plain_file_in_its_place_is_left_as_it_is(file: Path) -> None:
    prepare(file)
    place = file.with_name(f"{file.name}-poke")
    place.write_text("mine")
    poke(file)
    pokes = Pokes(file)
    assert pokes.open() is None
    pokes.close(remove=True)
    assert place.read_text() == "mine"
