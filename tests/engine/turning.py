"""What the tests of waiting share: a clock that is turned by hand, and waiting for a condition."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from wrkflw_tui import RunNotFound, WorkflowSuspended, create_workflow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wrkflw_tui import Question, WorkflowBuilder

PATIENCE = 20.0
"""Seconds after which a state that has not come is given up."""
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


class TurnedClock:
    """Stands still until it is turned; who sleeps is woken as their instants come."""

    def __init__(self, instant: datetime | None = None) -> None:
        self._instant = instant or datetime.now(UTC)
        self.sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._instant

    async def sleep(self, duration: timedelta) -> None:
        if duration <= timedelta(0):
            await asyncio.sleep(0)
            return
        sleeper = (self._instant + duration, asyncio.get_running_loop().create_future())
        self.sleepers.append(sleeper)
        try:
            await sleeper[1]
        finally:
            self.sleepers.remove(sleeper)

    def turn(self, by: timedelta) -> None:
        self._instant += by
        for due, woken in self.sleepers:
            if due <= self._instant and not woken.done():
                woken.set_result(None)

    async def until_asleep(self, sleepers: int = 1) -> None:
        """Wait until so many sleep by this clock."""
        await until(lambda: len(self.sleepers) >= sleepers, f"{sleepers} sleep")


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; fail where it never comes."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for may be in another process
            await asyncio.sleep(0.005)
    assert condition(), what


async def until_status(run: Any, *statuses: str) -> Any:
    """Wait until a run has one of the statuses; return its snapshot."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(RunNotFound):  # its start is not on record yet
                snapshot = await run.snapshot()
                if snapshot.status in statuses:
                    return snapshot
            await asyncio.sleep(0.005)


async def until_asked(run: Any, questions: int = 1) -> None:
    """Wait until so many questions of a run are open, no more and no less."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(RunNotFound):
                if len((await run.snapshot()).questions) == questions:
                    return
            await asyncio.sleep(0.005)


async def asks(call: Awaitable[object]) -> tuple[Question, ...]:
    """Await a call that has to end with the run suspended; return its questions."""
    with pytest.raises(WorkflowSuspended) as caught:
        await call
    return caught.value.questions


def paths(questions: tuple[Question, ...]) -> list[str]:
    return [question.path for question in questions]


def begin(
    id: str = "flow", output: Any = int, input: Any = int, **options: Any
) -> WorkflowBuilder[Any, Any, Any]:
    return create_workflow(id=id, input_schema=input, output_schema=output, **options)
