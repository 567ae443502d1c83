"""Answers and events that a test scripts: given as soon as a run can take them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.errors import (
    InvalidAnswer,
    NotSuspended,
    RunEnded,
    RunNotFound,
    UnknownPath,
    WrkflwError,
)
from wrkflw_tui.engine.schema import plain_json
from wrkflw_tui.testing.rewriting import by_path, without_indexes

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from wrkflw_tui.engine.context import StepContext, Suspend
    from wrkflw_tui.store.storage import WorkflowStorage
    from wrkflw_tui.testing.clock import Clock

_NOT_YET = (NotSuspended, UnknownPath, RunNotFound)
_PATIENCE = 5.0
"""Seconds after which a question that is not on record yet was withdrawn."""


class Desk:
    """Gives the runs of one tester what was scripted for them."""

    def __init__(
        self,
        storage: WorkflowStorage,
        clock: Clock,
        paths: set[str],
        answers: Mapping[str, object],
        events: Mapping[str, object],
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._answers = {
            path: _Given(answer) for path, answer in by_path(answers, paths, "answers").items()
        }
        self._events = {name: all_of(payload) for name, payload in events.items()}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._errands: dict[str, set[asyncio.Task[None]]] = {}
        self._errors: dict[str, WrkflwError] = {}

    def begin(self, run_id: str) -> None:
        """Send a new run its events: those that come early are kept for it."""
        self._loop = asyncio.get_running_loop()
        for name, payloads in self._events.items():
            for payload in payloads:
                text = plain_json(payload)
                self._send(run_id, lambda n=name, t=text: self._storage.send_event(run_id, n, t))

    def asked(self, context: StepContext, question: Suspend) -> None:
        """Answer a question if there is an answer. Called from any thread."""
        given = self._answers.get(without_indexes(context.path))
        if given is None:
            return
        run_id, path, key = context.run_id, context.path, question.key
        if question.refused:
            error = InvalidAnswer(f"the answer to {path} does not fit: {question.refused}")
            self._call(lambda: self._errors.setdefault(run_id, error))
        elif (text := given.take()) is not None:
            self._call(
                lambda: self._send(run_id, lambda: self._storage.answer(run_id, path, key, text))
            )

    def _call(self, function: Callable[[], object]) -> None:
        if _running_loop() is self._loop:
            function()
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(function)

    async def served(self, run_id: str) -> bool:
        """Wait for what is being given to a run; return whether there was anything.

        Raises what went wrong with it.
        """
        await asyncio.sleep(0)  # what a thread has asked for arrives
        errands = self._errands.get(run_id, set())
        served = bool(errands)
        while errands:
            await asyncio.wait(errands)
        self.check(run_id)
        return served

    def check(self, run_id: str) -> None:
        """Raise what did not fit of what a run was given."""
        error = self._errors.pop(run_id, None)
        if error is not None:
            raise error

    def _send(self, run_id: str, give: Callable[[], Coroutine[None, None, None]]) -> None:
        task = asyncio.create_task(self._errand(run_id, give))
        errands = self._errands.setdefault(run_id, set())
        errands.add(task)
        task.add_done_callback(errands.discard)

    async def _errand(self, run_id: str, give: Callable[[], Coroutine[None, None, None]]) -> None:
        until = time.monotonic() + _PATIENCE
        with self._clock.errand():
            while time.monotonic() < until:
                try:
                    await give()
                except _NOT_YET:
                    await asyncio.sleep(0.001)  # what it is for is on its way to the record
                    continue
                except RunEnded:
                    pass
                except WrkflwError as error:
                    self._errors.setdefault(run_id, error)
                break

    async def close(self) -> None:
        """Give nobody anything more."""
        errands = [task for errands in self._errands.values() for task in errands]
        for task in errands:
            task.cancel()
        await asyncio.gather(*errands, return_exceptions=True)


class _Given:
    """A list is given one by one, anything else each time."""

    def __init__(self, answer: object) -> None:
        self._left = all_of(answer)
        self._always = None if isinstance(answer, list) else plain_json(answer)

    def take(self) -> str | None:
        """Return the next answer, as JSON."""
        if self._always is not None:
            return self._always
        return plain_json(self._left.pop(0)) if self._left else None


def all_of(given: object) -> list[object]:
    """Return what is to be given one by one: a list's items, or the one thing that it is."""
    return [*cast("list[object]", given)] if isinstance(given, list) else [given]


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
