"""A context for one step that is called without an engine."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Never, TypeAlias, cast

from wrkflw_tui.engine.context import StepContext, StopFlag
from wrkflw_tui.engine.frames import Frame, State, StateView
from wrkflw_tui.engine.nodes import StepNode
from wrkflw_tui.engine.runnable import Runnable
from wrkflw_tui.engine.schema import Schema, plain_json
from wrkflw_tui.engine.step import Step
from wrkflw_tui.engine.values import Value
from wrkflw_tui.engine.workflow import Workflow
from wrkflw_tui.store.storage import MAX_RESULT_BYTES
from wrkflw_tui.testing.answering import all_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wrkflw_tui.engine.journal import Journal
    from wrkflw_tui.engine.models import Progress

AnyRunnable: TypeAlias = Runnable[Never, object]


@dataclass
class _Around:
    """What a step sees of the run around it."""

    outputs: dict[str, str]
    items: dict[str, list[str]]
    always: str | None
    """What every question is answered with."""
    in_turn: list[str]
    progress: list[Progress] = field(default_factory=list["Progress"])
    asked: list[str] = field(default_factory=list[str])

    def recorded_output(self, scope: str, step_id: str) -> str | None:
        return self.outputs.get(step_id)

    def recorded_items(self, scope: str, step_id: str) -> list[str] | None:
        return self.items.get(step_id)

    def answer(self, path: str, key: str) -> str | None:
        if key not in self.asked:
            self.asked.append(key)
        index = self.asked.index(key)
        return self.in_turn[index] if index < len(self.in_turn) else self.always

    def report(self, path: str, progress: Progress) -> None:
        self.progress.append(progress)


@dataclass(frozen=True, slots=True)
class RecordedContext(StepContext):
    """A step's context that keeps what the step reports and sets.

    What it has set of the state is read by `get_state`, as the step itself would.
    """

    progress: list[Progress] = field(default_factory=list["Progress"], kw_only=True)
    """What was reported, the oldest first."""

    def cancel(self) -> None:
        """Ask the step to stop, as a cancel of its run does."""
        self._cancelled.set()


def step_context(
    step: Runnable[Never, object],
    *,
    results: Mapping[AnyRunnable, object] | None = None,
    item_results: Mapping[AnyRunnable, list[object]] | None = None,
    init_data: object = None,
    state: object = None,
    answers: object = ...,
    run_id: str = "run-1",
    attempt: int = 1,
    cancelled: bool = False,
) -> RecordedContext:
    """Return a context to call a step with, as in `await send(email, step_context(send))`.

    `results` are what other steps gave, `item_results` what the items of a foreach over a step
    gave, `init_data` the workflow's input, `state` its state. A list of `answers` is given one by
    one in the order of asking, anything else to each question; one without an answer raises
    `Suspend`. Raises `ValidationError` where a result does not fit its step.
    """
    outputs = {other.id: _recorded(other, value) for other, value in (results or {}).items()}
    items = {
        other.id: [_recorded(other, value) for value in values]
        for other, values in (item_results or {}).items()
    }
    given = [] if answers is ... else [plain_json(answer) for answer in all_of(answers)]
    always = None if isinstance(answers, list) or not given else given[0]
    around = _Around(outputs, items, always, given)
    stop = StopFlag()
    if cancelled:
        stop.set()
    return RecordedContext(
        run_id=run_id,
        workflow_id="under-test",
        step_id=step.id,
        path=step.id,
        attempt=attempt,
        _walk=around,
        _frame=_frame_for(step, init_data),
        _state=StateView(_state_of(state)),
        _cancelled=stop,
        progress=around.progress,
    )


def _recorded(step: AnyRunnable, value: object) -> str:
    text, _ = step.output_schema.store(value)
    return text


def _frame_for(step: AnyRunnable, init_data: object) -> Frame:
    nodes = (StepNode(cast("Step[object, object]", step)),) if isinstance(step, Step) else ()
    flow = Workflow[object, object]("under-test", "", None, None, nodes, None, ())
    value = Value(plain_json(init_data), flow.input_schema)
    return Frame(flow, "", value, cast("Journal", None))


def _state_of(state: object) -> State | None:
    if state is None:
        return None
    schema = Schema[object](type(state))
    text, _ = schema.store(state)
    fields = cast("dict[str, object]", json.loads(text))
    return State(schema, "", fields, MAX_RESULT_BYTES)
