"""Lives of a process over one run of a tree, and the person who answers what it asks."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from engine.model.build import World, workflow_of
from engine.model.tree import answer_to, payload_of

from wrkflw_tui import (
    NotSuspended,
    RunEnded,
    RunNotFound,
    WorkflowFailed,
    WorkflowStorage,
    WorkflowSuspended,
)
from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.store import claims, database
from wrkflw_tui.store.claims import Claim

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Generator
    from pathlib import Path

    from engine.model.tree import Flow

    from wrkflw_tui import WorkflowSnapshot
    from wrkflw_tui.engine.events import Event

RUN = "run-1"
MOST_TURNS = 300
"""Of what a person does for one run."""


@dataclass
class QuickClock:
    """Whoever sleeps is woken at once, and the hands are moved on to then."""

    instant: datetime = field(default_factory=lambda: datetime(2030, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        return self.instant

    async def sleep(self, duration: timedelta) -> None:
        due = self.instant + duration
        await asyncio.sleep(0)
        self.instant = max(self.instant, due)


@dataclass
class Life:
    """One process over the file: what it saw and did."""

    file: Path
    tree: Flow
    rng: random.Random
    clock: QuickClock

    def __post_init__(self) -> None:
        self.storage = WorkflowStorage(self.file, clock=self.clock)
        self.world = World(self.clock)
        self.run: Any = None
        self.somebody_answers = False

    async def snapshot(self, run_id: str = RUN) -> WorkflowSnapshot | None:
        try:
            return await self.storage.load_snapshot(run_id)
        except RunNotFound:
            return None

    async def live(self, value: int, *, ended_as: str = "crashed") -> WorkflowSnapshot:
        """Take the run from where it is on record to its end."""
        before = await self.snapshot()
        self.world = World.over(before, self.clock)
        flow = workflow_of(self.tree, self.world)
        if before is None:
            self.run = flow.create_run(RUN, storage=self.storage)
            await self._until_it_ends(lambda: self.run.start(value))
        elif before.status not in ENDED:
            if ended_as == "interrupted":
                await self.storage.database.write(_hand_over)
            self.run = await flow.get_run(RUN, storage=self.storage)
            await self._until_it_ends(self.run.recover)
        return await self._ended()

    async def cancel(self) -> WorkflowSnapshot:
        """Cancel the run that another process has left."""
        flow = workflow_of(self.tree, self.world)
        self.run = await flow.get_run(RUN, storage=self.storage)
        await self.run.cancel()
        with pytest.raises(RunEnded):
            await self.run.recover()
        return await self._ended()

    async def again(self) -> WorkflowSnapshot:
        """Let a run that failed go on once more, to its next end."""
        self.world = World.over(await self.snapshot(), self.clock)
        flow = workflow_of(self.tree, self.world)
        self.run = await flow.get_run(RUN, storage=self.storage)
        await self._until_it_ends(self.run.recover)
        return await self._ended()

    async def fork(self, at: str) -> tuple[WorkflowSnapshot, WorkflowSnapshot]:
        """Fork the run, and take the fork to its end; return it as it was put, and then."""
        flow = workflow_of(self.tree, self.world)
        old = await flow.get_run(RUN, storage=self.storage)
        self.run = await old.fork(at)
        begun = await self.run.snapshot()
        self.world = World.over(begun, self.clock)
        flow = workflow_of(self.tree, self.world)
        self.run = await flow.get_run(begun.run_id, storage=self.storage)
        await self._until_it_ends(self.run.recover)
        return begun, await self._ended()

    async def events(self, since: int = 0) -> list[Event]:
        """Return what the run's stream yields, once it has ended."""
        return [event async for event in self.run.stream(since)]

    async def follow(self) -> list[Event]:
        """Follow the run from when it is on record to its end."""
        while await self.snapshot() is None:  # noqa: ASYNC110 - nobody says when it is there
            await asyncio.sleep(0.001)
        return [event async for event in self.storage.events(RUN, 0)]

    async def _ended(self) -> WorkflowSnapshot:
        assert self.world.wrong == []
        if self.run is None:
            found = await self.snapshot()
            assert found is not None
            return found
        return await self.run.snapshot()

    async def _until_it_ends(self, go: Callable[[], Awaitable[object]]) -> None:
        for _ in range(MOST_TURNS):
            try:
                await go()
                return
            except WorkflowFailed:
                return
            except NotSuspended:
                assert self.somebody_answers
                go = self.run.recover
            except WorkflowSuspended as suspended:
                go = await self._told(suspended)
        raise AssertionError("the run does not end")

    async def answer_at_any_moment(self) -> None:
        """Answer whatever is open, also while the run is walked; until it is told to end."""
        self.somebody_answers = True
        while True:
            snapshot = await self.snapshot()
            for question in snapshot.questions if snapshot is not None else ():
                with suppress(NotSuspended, RunEnded):
                    if question.kind == "answer":
                        answer = str(answer_to(question.path, question.key))
                        await self.storage.answer(RUN, question.path, question.key, answer)
                    elif question.key == "go":
                        await self.storage.send_event(RUN, "go", str(payload_of("go")))
            await asyncio.sleep(self.rng.choice([0, 0, 0.001, 0.003]))

    async def _told(self, suspended: WorkflowSuspended) -> Callable[[], Awaitable[object]]:
        """Do one of what a person, or time, may do now; return how the run is walked on."""
        snapshot = await self.run.snapshot()
        if not self.somebody_answers:
            assert tuple(suspended.questions) == snapshot.questions
        options: list[Any] = [q for q in snapshot.questions if q.kind == "answer"]
        options += [q for q in snapshot.questions if q.kind == "event" and q.key == "go"]
        options += [snapshot.wake_at] if snapshot.wake_at is not None else []
        if self.somebody_answers:
            await asyncio.sleep(0.002)
            options.append(self.clock.instant)
        assert options, "nothing can be done for the run"
        chosen = self.rng.choice(options)
        if isinstance(chosen, datetime):
            self.clock.instant = max(self.clock.instant, chosen)
            return self.run.recover
        if chosen.kind == "event":
            return self._send_event
        answer = answer_to(chosen.path, chosen.key)
        if self.rng.random() < 0.3:  # somebody else answers, and a process finds that
            with suppress(NotSuspended):
                await self.storage.answer(self.run.run_id, chosen.path, chosen.key, str(answer))
            return self.run.recover
        return lambda: self.run.resume(answer, path=chosen.path, key=chosen.key)

    async def _send_event(self) -> None:
        await self.run.send_event("go", payload_of("go"))
        await self.run.recover()

    async def close(self) -> None:
        await self.storage.close()


def _hand_over(connection: sqlite3.Connection) -> None:
    """Release the run as a process does that is stopped gently."""
    row = connection.execute(
        "SELECT id, run_id, workflow_id, epoch FROM wrkflw_workflow_runs WHERE run_id = ?", (RUN,)
    ).fetchone()
    claims.release(connection, Claim(*row), "interrupted")


class Files:
    """Where the records of one example are: each begins as a copy."""

    def __init__(self, folder: Path, template: Path) -> None:
        self._folder = folder
        self._template = template
        self._made = 0

    def new(self, image: bytes | None = None) -> Path:
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        file = folder / "wrkflw.db"
        if image is None:
            shutil.copy(self._template, file)
        else:
            file.write_bytes(image)
            with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                connection.execute("DELETE FROM wrkflw_leases")  # that process is gone
        return file

    def close(self) -> None:
        shutil.rmtree(self._folder)


@contextmanager
def images_after_each_commit() -> Generator[list[bytes]]:
    """Give what is on disk after each commit: the record as a process leaves it that dies there."""
    images: list[bytes] = []
    real = database.transaction

    @contextmanager
    def transaction(connection: sqlite3.Connection) -> Generator[None]:
        with real(connection):
            yield
        images.append(connection.serialize())

    with mock.patch.object(database, "transaction", transaction):
        yield images
