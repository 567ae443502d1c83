"""Delivers what follows runs, a few at a time; what fails is tried again later."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import StorageError
from wrkflw_tui.forms.values import check
from wrkflw_tui.store import catalog, deliveries, ends
from wrkflw_tui.worker import ways
from wrkflw_tui.worker.ways import NotDelivered, Undeliverable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from wrkflw_tui.config import Config
    from wrkflw_tui.forms.fields import Schema
    from wrkflw_tui.store.database import Database
    from wrkflw_tui.store.deliveries import Delivery
    from wrkflw_tui.store.ends import End

AT_ONCE = 4
"""How many deliveries are under way at once."""
GRACE = 3.0
"""Seconds that those under way have to finish when the worker ends."""
LONGEST_LOOK = 60.0
"""Seconds until the next look at the latest: the clock may have been set."""
TRY_AGAIN = 1.0
"""Seconds until the next try where the record cannot be written."""
LONGEST_CHAIN = 20
"""How many runs may follow one another, each started by the end of the one before."""


class Deliverer:
    """Delivers until it is stopped; what it was in the middle of is done again by the next."""

    def __init__(self, config: Config, database: Database, tell: Callable[[str], object]) -> None:
        self._config = config
        self._database = database
        self._tell = tell
        self._news = asyncio.Event()
        self._is_stopped = False
        self._at_work: set[asyncio.Task[None]] = set()
        self._next_due: int | None = None

    def wake(self) -> None:
        """Look again: the record has changed."""
        self._news.set()

    def stop(self) -> None:
        """End once those under way have finished, or had their time."""
        self._is_stopped = True
        self._news.set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing was to be delivered at the last look."""
        return not self._at_work and self._next_due is None

    async def run(self) -> None:
        """Deliver what is due, until stopped."""
        async with asyncio.TaskGroup() as group:
            while not self._is_stopped:
                self._news.clear()
                try:
                    pause = await self._begin_due(group)
                except StorageError as error:
                    self._tell(str(error))
                    pause = TRY_AGAIN
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), pause)
            if self._at_work:
                _, late = await asyncio.wait(self._at_work, timeout=GRACE)
                for task in late:
                    task.cancel()

    async def _begin_due(self, group: asyncio.TaskGroup) -> float:
        """Begin what is due, as far as there is room; return for how long nothing is to be done."""
        self._next_due = await self._database.read(deliveries.next_due)
        room = AT_ONCE - len(self._at_work)
        if self._next_due is None or room <= 0:
            return LONGEST_LOOK  # who is added, or ends, wakes us
        seconds = (self._next_due - micros_now()) / 1_000_000
        if seconds > 0:
            return min(seconds, LONGEST_LOOK)
        for delivery in await self._database.write(
            lambda c: deliveries.begin_due(c, micros_now(), room)
        ):
            task = group.create_task(self._attend(delivery))
            self._at_work.add(task)
            task.add_done_callback(self._let_go)
        return 0.0

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._at_work.discard(task)
        self._news.set()

    async def _attend(self, delivery: Delivery) -> None:
        """Make one attempt; one that is cut off is made again by the next worker."""
        try:
            await self._attempt(delivery)
        except asyncio.CancelledError:
            with suppress(StorageError):
                await self._database.write(
                    lambda c: deliveries.give_back(c, delivery, micros_now())
                )
            raise

    async def _attempt(self, delivery: Delivery) -> None:
        """Make one attempt, and put on record what came of it."""
        try:
            output = await self._deliver(delivery)
        except NotDelivered as error:
            said, output, is_final = str(error), error.output, isinstance(error, Undeliverable)
        except Exception as error:
            # Whatever is wrong with one delivery must harm neither the others nor the runs.
            said, output, is_final = f"{type(error).__name__}: {error}", None, False
        else:
            await self._settle(lambda c: deliveries.succeed(c, delivery, micros_now(), output))
            return
        self._tell(f"{delivery.kind} after run {delivery.run_id}: {said}")
        await self._settle(
            lambda c: deliveries.fail(c, delivery, micros_now(), said, output, is_final=is_final)
        )

    async def _settle(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Put what came of an attempt on record, as soon as that can be written."""
        while True:
            try:
                await self._database.write(work)
                return
            except StorageError as error:
                self._tell(str(error))
                await asyncio.sleep(TRY_AGAIN)

    async def _deliver(self, delivery: Delivery) -> str | None:
        end = await self._database.read(lambda c: ends.read_end(c, delivery.key))
        if end is None:
            return None  # it went with its run
        match delivery.kind:
            case "notify":
                return await ways.notify(end, self._config)
            case "command":
                return await ways.run(end, cast("list[str]", delivery.target), self._config)
            case "webhook":
                return await ways.post(end, cast("str", delivery.target))
            case "workflow":
                await self._start(delivery, end)
                return None

    async def _start(self, delivery: Delivery, end: End) -> None:
        """Start the workflow that follows."""
        workflow_id = cast("str", delivery.target)
        if end.follow_depth >= LONGEST_CHAIN:
            raise Undeliverable(
                f"not started: {LONGEST_CHAIN} runs have followed one another to this one"
            )
        entry = await self._database.read(lambda c: catalog.find_workflow(c, workflow_id))
        if entry is None:
            raise NotDelivered(f"the folder holds no workflow {workflow_id!r} that loads")
        schema = cast("Schema", json.loads(entry.input_schema))
        given = await asyncio.to_thread(_fitting, schema, end)
        await self._database.write(lambda c: deliveries.start_run(c, delivery, micros_now(), given))


def _fitting(schema: Schema, end: End) -> str:
    """Return what the workflow that follows is given: the first of these that its input takes.

    The result of a run that succeeded, the document that tells of the end, nothing.
    """
    result = [] if end.result_json is None else [end.result_json]
    refusals: list[str] = []
    for given in (*result, end.document(), "null"):
        wrong = check(schema, json.loads(given), is_whole=True)
        if not wrong:
            return given
        refusals += wrong.values()
    what = "neither the result nor the end" if result else "the end does not"
    raise Undeliverable(f"{what} fits its input: {refusals[0]}")
