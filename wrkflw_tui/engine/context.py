"""What a step may ask for as its second parameter."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Never, NoReturn, Protocol, TypeVar, cast, overload

from wrkflw_tui.engine.errors import DefinitionError, StepNotRun, WrkflwError, printable
from wrkflw_tui.engine.models import Progress
from wrkflw_tui.engine.schema import Schema

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from wrkflw_tui.engine.frames import Frame, StateView
    from wrkflw_tui.engine.runnable import Runnable

T = TypeVar("T")
O = TypeVar("O")  # noqa: E741

current_step: ContextVar[str] = ContextVar("wrkflw_current_step", default="")
"""The path of the step at work here: what is printed belongs to it."""

is_side_by_side: ContextVar[bool] = ContextVar("wrkflw_is_side_by_side", default=False)
"""Whether steps may be at work beside the one here."""

logger = logging.getLogger("wrkflw_tui.step")


class StepCancelled(WrkflwError):
    """Raised in a step by `raise_if_cancelled` once its run is being stopped."""


class StopFlag:
    """Says that a step should stop: a plain flag, for an event's lock costs more than a step."""

    __slots__ = ("_is_set",)

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Say it."""
        self._is_set = True

    def is_set(self) -> bool:
        """Tell whether it was said."""
        return self._is_set


class Suspend(BaseException):
    """A step asks a question; no `Exception`, so that an author's `except` lets it through."""

    def __init__(
        self, schema: Schema[object], key: str, reason: str, payload: object, refused: str
    ) -> None:
        super().__init__(reason)
        self.schema = schema
        self.key = key
        self.reason = reason
        self.payload = payload
        self.refused = refused
        """Why the answer that there is does not do."""


class Bail(BaseException):
    """A step ends the workflow around it."""

    def __init__(self, output: object) -> None:
        super().__init__()
        self.output = output


class Scope(Protocol):
    """What a context reads of the walk around its step."""

    def recorded_output(self, scope: str, step_id: str) -> str | None:
        """Return the JSON output of the step as seen from inside `scope`, looking outward."""
        ...

    def recorded_items(self, scope: str, step_id: str) -> list[str] | None:
        """Return the JSON outputs of a foreach's items, as seen from inside `scope`."""
        ...

    def answer(self, path: str, key: str) -> str | None:
        """Return the answer to a question asked at `path`, as JSON."""
        ...

    def report(self, path: str, progress: Progress) -> None:
        """Put a step's progress on record. Called from any thread."""
        ...


@dataclass(frozen=True, slots=True)
class StepContext:
    """Where a step is, and what it may read, set, ask and report."""

    run_id: str
    workflow_id: str
    step_id: str
    path: str
    """The ids from the workflow down to this step, joined by `/`."""
    attempt: int
    """Counts every entry of the function in this run, from 1."""
    iteration: int = field(default=0, kw_only=True)
    """Of a loop's condition: the iteration that has just ended, from 1; elsewhere 0."""
    _walk: Scope = field(repr=False)
    _frame: Frame = field(repr=False)
    _state: StateView = field(repr=False)
    _cancelled: StopFlag = field(default_factory=StopFlag, repr=False)
    _asked: set[str] = field(default_factory=set[str], repr=False)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this step in this run: give it to the outside world."""
        return f"{self.run_id}/{self.path}"

    @property
    def log(self) -> logging.Logger:
        """A standard logger; what it says is kept with the step."""
        return logger

    def get_step_result(self, step: Runnable[Never, O]) -> O:
        """Return that step's output. Raises `StepNotRun` where it has none.

        It is looked for in one's own item or iteration first, then outward; of a loop's body it
        is the last iteration's.
        """
        text = self._walk.recorded_output(self._frame.prefix, step.id)
        if text is None:
            raise StepNotRun(
                f"step {step.id!r} has no result in run {self.run_id} yet"
                " (of a foreach's items use get_step_results)"
            )
        return step.output_schema.load(text)

    def get_step_results(self, step: Runnable[Never, O]) -> list[O]:
        """Return what the items of a foreach gave, in their order; failed ones are left out.

        Raises `StepNotRun` where no foreach went over that step yet.
        """
        texts = self._walk.recorded_items(self._frame.prefix, step.id)
        if texts is None:
            raise StepNotRun(f"no foreach over {step.id!r} began in run {self.run_id} yet")
        return [step.output_schema.load(text) for text in texts]

    @overload
    def get_init_data(self, schema: None) -> None: ...
    @overload
    def get_init_data(self, schema: type[T] | TypeAdapter[T]) -> T: ...
    def get_init_data(self, schema: object) -> object:
        """Return the innermost workflow's input, read as `schema`."""
        return Schema[object](schema).load(self._frame.input)

    def get_state(self, schema: type[T] | TypeAdapter[T]) -> T:
        """Return the workflow's state, read as `schema`, with what this attempt has set.

        Raises `NoState` where the workflow has no `state_schema`.
        """
        return cast("T", self._state.get(Schema[object](schema), self._frame.workflow.id))

    def set_state(self, value: object) -> None:
        """Set the workflow's state: on record together with the step's success.

        Only the fields that differ from what this attempt read are written, so that arms side by
        side may each set their own. Raises `NoState`, and `InvalidState` where `value` does not
        fit the workflow's `state_schema`.
        """
        self._state.set(value, self._frame.workflow.id)

    @overload
    def suspend(
        self, schema: None, *, reason: str = "", payload: object = None, key: str | None = None
    ) -> None: ...
    @overload
    def suspend(
        self,
        schema: type[T] | TypeAdapter[T],
        *,
        reason: str = "",
        payload: object = None,
        key: str | None = None,
    ) -> T: ...
    def suspend(
        self, schema: object, *, reason: str = "", payload: object = None, key: str | None = None
    ) -> object:
        """Return a person's answer; without one yet, end this attempt and wait for it.

        Once it is given the step runs again from its top. A second question of one step needs a
        `key` of its own. `payload` is shown with the question. The schema `None` asks for nothing
        but that a person lets it go on.
        """
        key = key or ""
        if key in self._asked:
            raise DefinitionError(
                f"{self.path} asks twice with the same key: give the second question a key="
            )
        self._asked.add(key)
        asks = Schema[object](schema)
        text = self._walk.answer(self.path, key)
        refused = ""
        if text is not None:
            try:
                return asks.load(text)
            except ValueError as error:
                refused = printable(str(error))
                reason = f"{reason} (the last answer did not fit: {refused})".strip()
        raise Suspend(asks, key, printable(reason), payload, refused)

    def bail(self, output: object) -> NoReturn:
        """End the innermost workflow here, successfully, with that output.

        What its other arms and items are doing is cancelled.
        """
        raise Bail(output)

    def report_progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far the step is; shown live as a bar."""
        self._walk.report(self.path, Progress(done, total, printable(message)))

    @property
    def cancelled(self) -> bool:
        """Whether the run is being stopped or the step's time is up."""
        return self._cancelled.is_set()

    def raise_if_cancelled(self) -> None:
        """End the step here if its run is being stopped: for long synchronous code."""
        if self._cancelled.is_set():
            raise StepCancelled(f"{self.path} was asked to stop")
