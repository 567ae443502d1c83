"""Walking a step: its attempts, its questions, its retries and its output."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.attempt import AttemptFailed, attempt
from wrkflw_tui.engine.context import Bail, StopFlag, Suspend, current_step
from wrkflw_tui.engine.errors import StepCrashed, describe_error
from wrkflw_tui.engine.frames import NO_STATE, StateView
from wrkflw_tui.engine.models import ErrorInfo, Question, to_micros
from wrkflw_tui.engine.schema import check_size, plain_json
from wrkflw_tui.engine.values import Bailed, LeftBehind, StepFailed, Value

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from datetime import timedelta

    from wrkflw_tui.engine.frames import Frame
    from wrkflw_tui.engine.journal import Entry
    from wrkflw_tui.engine.retry import RetryPolicy
    from wrkflw_tui.engine.step import Step
    from wrkflw_tui.engine.walk import Walk

CRASHES_IN_A_ROW = 3
"""A step during which the process died this often in a row is not entered again."""


def walk_step(
    walk: Walk, step: Step[object, object], path: str, frame: Frame, value: Value
) -> Awaitable[Value]:
    """Call the step until it succeeds, has finally failed or ends its workflow."""
    return _StepWalk(walk, step, path, frame, value).go(walk.journal.find(path))


class _StepWalk:
    """One step of one walk."""

    __slots__ = ("_frame", "_path", "_policy", "_step", "_value", "_walk")

    def __init__(
        self, walk: Walk, step: Step[object, object], path: str, frame: Frame, value: Value
    ) -> None:
        self._walk = walk
        self._step = step
        self._path = path
        self._frame = frame
        self._value = value
        self._policy: RetryPolicy = step.retry or frame.policy

    async def go(self, known: Entry | None) -> Value:
        """Take up what is on record, and enter the step as often as it needs."""
        journal = self._walk.journal
        if known is not None:
            await self._take_up(known)
        while True:
            entry = journal.start(self._path, self._step.id, "step", self._value.text)
            state = NO_STATE if self._frame.state is None else StateView(self._frame.state)
            try:
                taken = self._step.input_schema.validate(self._value.take())
            except Exception as error:  # Pydantic's, or whatever an author's validator raises
                self._walk.fail(entry, error)
            try:
                output = await self._attempt(entry, taken, state)
            except AttemptFailed as failed:
                await self._retry_or_fail(entry, failed)
            except Suspend as asked:
                await self._ask(entry, asked, state)
            except Bail as bail:
                raise self._bailed(entry, bail.output, state) from None
            except BaseException:
                journal.end(entry, "interrupted")
                raise
            else:
                return self._succeed(entry, output, state)

    def _succeed(self, entry: Entry, output: object, state: StateView) -> Value:
        schema = self._step.output_schema
        try:
            text, live = self._walk.store(schema, output)
        except Exception as error:
            self._walk.fail(entry, error)
        entry.state = state.keep()
        self._walk.journal.end(entry, "success", text)
        return Value(text, schema, live)

    def _bailed(self, entry: Entry, output: object, state: StateView) -> Bailed:
        schema = self._frame.workflow.output_schema
        try:
            text, live = self._walk.store(schema, schema.validate(output))
        except Exception as error:
            self._walk.fail(entry, error)
        entry.state = state.keep()
        self._walk.journal.end(entry, "bailed", text)
        return Bailed(Value(text, schema, live))

    async def _attempt(self, entry: Entry, taken: object, state: StateView) -> object:
        walk, step = self._walk, self._step
        stop = StopFlag()
        arguments: tuple[object, ...] = (taken,)
        if step.wants_context:
            arguments = (taken, walk.context(entry, step.id, self._frame, state, stop))
        await walk.journal.commit()
        token = current_step.set(entry.path)
        walk.active[entry.path] = entry
        self._tell_watch(step.timeout)
        try:
            return await attempt(step, arguments, stop, walk.clock, walk.is_ending)
        except asyncio.CancelledError:
            # A thread cannot be ended: where the run goes on without the step, the process must.
            walk.left_behind |= not step.is_async
            raise
        finally:
            del walk.active[entry.path]
            current_step.reset(token)
            self._tell_watch(None)

    def _tell_watch(self, limit: timedelta | None) -> None:
        if self._walk.watch is not None and self._step.timeout is not None:
            self._walk.watch(self._path, limit)

    async def _take_up(self, known: Entry) -> None:
        """Take up a step that was entered before: the attempts it used count."""
        walk = self._walk
        if known.status == "suspended":
            await self._hear(known)
        if known.crashes >= CRASHES_IN_A_ROW:
            last = ErrorInfo.from_json(known.error).message if known.error else "no reason known"
            entry = walk.journal.start(known.path, self._step.id, "step", None)
            walk.fail(
                entry,
                StepCrashed(f"the process died {known.crashes} times in a row, the last: {last}"),
            )
        if known.status != "failed" or not known.failures:
            return  # those before the run was told to go on once more do not count
        if known.wake_at is None:
            info = ErrorInfo.from_json(known.error) if known.error else ErrorInfo("Error", "")
            raise StepFailed(known.path, info, None)
        await walk.waits.until(known, known.wake_at, self._frame)

    async def _retry_or_fail(self, entry: Entry, failed: AttemptFailed) -> None:
        """Record a failed attempt with when it is tried again, and wait until then."""
        walk, error = self._walk, failed.original
        info = describe_error(error)
        failures = entry.failures + 1
        due = to_micros(walk.clock.now() + self._policy.delay(failures))
        entry.wake_at = due if self._policy.retries(error, failures) else None
        walk.journal.end(entry, "failed", error=info.to_json())
        if failed.left_behind and walk.dies_with_steps:
            await walk.journal.commit()
            raise LeftBehind
        if entry.wake_at is None:
            raise StepFailed(entry.path, info, error) from error
        await walk.waits.until(entry, due, self._frame)

    async def _ask(self, entry: Entry, asked: Suspend, state: StateView) -> None:
        """Put a question on record, and wait for its answer."""
        try:
            text = plain_json(asked.payload)
            check_size("the payload of the question", text, self._walk.journal.max_result_bytes)
            schema = asked.schema.json_schema()
        except Exception as error:
            self._walk.fail(entry, error)
        question = Question(entry.path, "answer", asked.key, asked.reason, json.loads(text), schema)
        entry.question = question.to_json()
        entry.state = state.keep()
        if asked.refused:
            self._walk.journal.refuse_answer(entry.path, asked.key, asked.refused)
        self._walk.journal.end(entry, "suspended")
        await self._hear(entry)

    async def _hear(self, entry: Entry) -> None:
        question = Question.from_json(entry.path, cast("str", entry.question))
        journal = self._walk.journal

        def ready() -> str | None:
            return journal.answer(entry.path, question.key)

        await self._walk.waits.told(entry, None, self._frame, ready)
