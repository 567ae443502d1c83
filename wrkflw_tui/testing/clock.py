"""A clock that a test turns."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

from wrkflw_tui.engine.attempt import GRACE
from wrkflw_tui.engine.context import current_step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

    from wrkflw_tui.engine.clock import Activity

T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = timedelta(seconds=1)

_TURNS = 100
"""Turns of the event loop without anything at work after which all has come to rest."""
_LOOK = 0.001
"""Seconds between two looks at what is at work outside the event loop."""


class Clock:
    """A clock that stands still until it is turned.

    Give it to a `WorkflowStorage` or a `WorkflowTester`: their runs sleep, time out and retry by
    it. A step that is at work is waited for before the clock is turned on, unless it sleeps by the
    clock itself; one that takes longer than `patience`, in real time, is taken for one that waits
    for the test.
    """

    def __init__(self, start: datetime = START, *, patience: timedelta = PATIENCE) -> None:
        self._now = _utc(start)
        self._patience = patience.total_seconds()
        self._timers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._watched: WeakSet[Activity] = WeakSet()
        self._asleep: Counter[str] = Counter()
        self._given_up: set[tuple[str, str, int]] = set()
        self._late: set[str] = set()
        self._errands = 0

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        return self._now

    async def sleep(self, duration: timedelta) -> None:
        """Return once the clock was turned by `duration`."""
        if duration <= timedelta(0):
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._timers, (self._now + duration, next(self._numbers), future))
        with self._sleeping_step():
            await future

    async def advance(self, delta: timedelta) -> None:
        """Turn the clock by `delta`.

        Every timer that falls due within it has fired, in the order of their instants, and what
        that woke has come to rest, before this returns.
        """
        if delta < timedelta(0):
            raise ValueError(f"a clock cannot be turned back, as by {delta}")
        await self.advance_to(self._now + delta)

    async def advance_to(self, instant: datetime) -> None:
        """Turn the clock until it shows `instant`, as `advance` does."""
        target = _utc(instant)
        if target < self._now:
            raise ValueError(f"a clock cannot be turned back from {self._now} to {target}")
        await self._settle()
        while (due := self._next_due()) is not None and due <= target:
            self._turn_to(due)
            await self._settle()
        self._turn_to(target)

    async def until(self, awaitable: Awaitable[T]) -> T:
        """Turn the clock on and on until that is done; return what it gives.

        Whatever nobody works at is skipped. While a step is at work for longer than the clock's
        patience, time goes by as it really does.
        """
        task = asyncio.ensure_future(awaitable)
        try:
            while not task.done():
                await self._turn_once(task)
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _turn_once(self, task: asyncio.Future[T]) -> None:
        at_rest = await self._settle(task)
        if task.done():
            return
        due = self._next_due()
        if at_rest and due is not None:
            self._turn_to(due)
            return
        began = time.monotonic()
        await asyncio.wait({task}, timeout=_LOOK * 10)
        passed = self._now + timedelta(seconds=time.monotonic() - began)
        self._turn_to(passed if due is None else min(passed, due))

    def _next_due(self) -> datetime | None:
        while self._timers and self._timers[0][2].done():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _turn_to(self, instant: datetime) -> None:
        """Show that instant, and fire what is due at it."""
        self._now = max(self._now, instant)
        while self._timers and self._timers[0][0] <= self._now:
            _, _, future = heapq.heappop(self._timers)
            if not future.done():
                future.set_result(None)

    def watch(self, activity: Activity) -> None:
        """Wait for what goes on there before the clock is turned on."""
        self._watched.add(activity)

    @contextmanager
    def errand(self) -> Generator[None]:
        """Let nobody turn the clock on while something is done for a run."""
        self._errands += 1
        try:
            yield
        finally:
            self._errands -= 1

    @contextmanager
    def _sleeping_step(self) -> Generator[None]:
        """Note that the step whose code runs here waits for the clock, or that its time is up."""
        path = current_step.get()
        task = asyncio.current_task()
        if not path or task is None:
            yield
        elif _code_of(task) is Clock.sleep.__code__:
            yield  # a task that does nothing but sleep is the engine's timer for that step
            self._late.add(path)
            self._given_up = {step for step in self._given_up if step[1] != path}
        else:
            self._asleep[path] += 1
            try:
                yield
            finally:
                self._asleep[path] -= 1

    async def _settle(self, task: asyncio.Future[T] | None = None) -> bool:
        """Return once nothing is at work; return false where a step goes on all the same."""
        quiet, before, since = 0, self._steps_at_work(), time.monotonic()
        while quiet < _TURNS and not (task is not None and task.done()):
            steps, is_busy = self._steps_at_work(), self._is_busy()
            if steps != before:
                before, since = steps, time.monotonic()
            if not is_busy and not steps:
                quiet += 1
                await asyncio.sleep(0)
                continue
            if not is_busy and time.monotonic() - since > self._patience_with(steps):
                self._given_up |= steps
            quiet = 0
            await asyncio.sleep(_LOOK)
        return not self._given_up

    def _patience_with(self, steps: set[tuple[str, str, int]]) -> float:
        is_late = any(path in self._late for _, path, _ in steps)
        return self._patience + (GRACE.total_seconds() if is_late else 0)

    def _is_busy(self) -> bool:
        return self._errands > 0 or any(activity.is_busy for activity in self._watched)

    def _steps_at_work(self) -> set[tuple[str, str, int]]:
        """Return the steps that have to be waited for: none that sleeps by this clock."""
        at_work = {step for activity in self._watched for step in activity.steps_at_work()}
        self._given_up &= at_work
        self._late &= {path for _, path, _ in at_work}
        asleep = self._asleep.copy()
        found: set[tuple[str, str, int]] = set()
        for step in at_work - self._given_up:
            _, path, _ = step
            if asleep[path] > 0:
                asleep[path] -= 1
            else:
                found.add(step)
        return found

    def __repr__(self) -> str:
        return f"<Clock {self._now.isoformat()}>"


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"a clock shows an instant with a time zone, not {instant!r}")
    return instant.astimezone(UTC)


def _code_of(task: asyncio.Task[object]) -> object:
    return getattr(task.get_coro(), "cr_code", None)
