"""What is recorded of a run, as frozen values. Standard library only: screens import it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias, cast

from wrkflw_tui.engine.masking import shown

RunStatus: TypeAlias = Literal[
    "queued", "running", "sleeping", "suspended", "success", "failed", "cancelled"
]
"""Where a run stands. The last three are final."""

StepStatus: TypeAlias = Literal[
    "running", "waiting", "suspended", "success", "bailed", "failed", "crashed", "interrupted"
]
"""Where one attempt of a step stands.

`waiting`: it sleeps, awaits an event, or has nodes inside that do. `suspended`: it asked a
question. `bailed`: it ended its workflow, with success. `crashed`: its process died.
`interrupted`: the run was stopped around it (a cancel, a hand-over), or its question withdrawn.
"""

NodeKind: TypeAlias = Literal[
    "step", "map", "workflow", "parallel", "branch", "foreach", "loop", "decision", "sleep", "wait"
]
"""What a row on record stands for; a decision is one of a loop's, after each iteration."""

CONTAINERS: frozenset[NodeKind] = frozenset({"workflow", "parallel", "foreach", "loop"})
"""Kinds whose work is done by the nodes inside them."""

ENDED: frozenset[RunStatus] = frozenset({"success", "failed", "cancelled"})
OPEN: frozenset[StepStatus] = frozenset({"waiting", "suspended"})
"""What an attempt is that nobody works on, and that is not over either."""
ACTIVE: frozenset[RunStatus] = frozenset({"queued", "running"})

JsonValue: TypeAlias = (
    bool | int | float | str | list["JsonValue"] | Mapping[str, "JsonValue"] | None
)


def parse_json(text: str | None) -> JsonValue:
    """Read a recorded JSON text to be shown; nothing recorded reads as `None`."""
    return None if text is None else cast("JsonValue", json.loads(shown(text)))


def from_micros(micros: int) -> datetime:
    """Turn recorded microseconds since the epoch into an aware UTC datetime."""
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def to_micros(instant: datetime) -> int:
    """Turn an aware datetime into the microseconds since the epoch that are recorded."""
    return round(instant.timestamp() * 1_000_000)


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An exception as it is kept on record."""

    type: str
    message: str
    traceback: str = ""
    cause: ErrorInfo | None = None
    path: str = ""
    """Of a run's error: the path of the step that failed."""

    def to_json(self) -> str:
        """Write it as the JSON object that is recorded."""
        return json.dumps(self._as_dict(), ensure_ascii=False)

    def _as_dict(self) -> dict[str, object]:
        cause = None if self.cause is None else self.cause._as_dict()
        return {
            "type": self.type,
            "message": self.message,
            "traceback": self.traceback,
            "cause": cause,
            "path": self.path,
        }

    @classmethod
    def from_json(cls, text: str) -> ErrorInfo:
        """Read a recorded error."""
        return cls._from_dict(cast("dict[str, object]", json.loads(text)))

    @classmethod
    def _from_dict(cls, data: dict[str, object]) -> ErrorInfo:
        cause = data.get("cause")
        return cls(
            type=str(data["type"]),
            message=str(data["message"]),
            traceback=str(data.get("traceback", "")),
            cause=None if cause is None else cls._from_dict(cast("dict[str, object]", cause)),
            path=str(data.get("path", "")),
        )

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True)  # no slots: Pydantic builds it from its fields alone
class StepFailure:
    """A failure that was collected: it stands where the step's output would."""

    path: str
    """The step that failed: it may lie inside the arm or item."""
    type: str
    """The name of the exception's type."""
    message: str

    def to_json(self) -> str:
        """Write it as the JSON object that is recorded."""
        return json.dumps(vars(self), ensure_ascii=False)

    def __str__(self) -> str:
        return f"{self.path}: {self.type}: {self.message}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step says that it is, in units of its own."""

    done: float
    total: float | None = None
    message: str = ""
    failed: int = 0
    """Of a foreach: the items that failed; they do not count as done."""

    @property
    def fraction(self) -> float | None:
        """The share done, from 0 to 1, or `None` where no total is known."""
        if not self.total or self.total < 0:
            return None
        return min(1.0, max(0.0, self.done / self.total))


@dataclass(frozen=True, slots=True)
class Question:
    """What a run waits to be told: a person's answer to a step, or an event."""

    path: str
    """The step that asked, or the node that awaits the event."""
    kind: Literal["answer", "event"]
    key: str
    """Tells a step's questions apart; of an event, its name."""
    reason: str = ""
    payload: JsonValue = None
    """What the person should look at."""
    schema: object = None
    """The JSON Schema that the answer, or the event's payload, has to fit."""

    def to_json(self) -> str:
        """Write it as the JSON object that is recorded: the path is the row's own."""
        parts = {
            "kind": self.kind,
            "key": self.key,
            "reason": self.reason,
            "payload": self.payload,
            "schema": self.schema,
        }
        return json.dumps(parts, ensure_ascii=False)

    @classmethod
    def from_json(cls, path: str, text: str) -> Question:
        """Read a recorded question."""
        return cls(path, **json.loads(shown(text)))

    def __str__(self) -> str:
        if self.kind == "event":
            return f"event {self.key!r} at {self.path}"
        return f"{self.path}: {self.reason or 'a question'}"


@dataclass(frozen=True, slots=True)
class StepResult:
    """One attempt of one step, as recorded."""

    path: str
    step_id: str
    kind: NodeKind
    status: StepStatus
    attempt: int
    """Counts every entry of the function, from 1."""
    order: int
    """Where its start stands among all starts and ends of the run, from 1."""
    started_at: datetime
    finished_at: datetime | None = None
    error: ErrorInfo | None = None
    progress: Progress | None = None
    ended: int | None = None
    """Where its end stands among them."""
    wake_at: datetime | None = None
    """When a sleep ends, or an event is awaited no longer; of a workflow, when its time is up."""
    question: Question | None = None
    """What it asked, or the event that it awaits."""
    state_json: str | None = field(default=None, repr=False)
    """What it changed of the workflow's state."""
    input_json: str | None = field(default=None, repr=False)
    output_json: str | None = field(default=None, repr=False)

    @property
    def input(self) -> JsonValue:
        """The value that was in hand when it started, as plain JSON data."""
        return parse_json(self.input_json)

    @property
    def output(self) -> JsonValue:
        """What it returned, as plain JSON data; `None` while there is nothing."""
        return parse_json(self.output_json)


@dataclass(frozen=True, slots=True)
class ForkOrigin:
    """Where a fork comes from."""

    run_id: str
    path: str
    """The step that it begins with."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run without its steps: what a list shows."""

    run_id: str
    workflow_id: str
    status: RunStatus
    trigger: str
    execution_path: tuple[str, ...]
    """The paths of the steps that are at work now."""
    steps_done: int
    steps_total: int
    """Leaves of the definition; 0 where the definition is not on record."""
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: ErrorInfo | None
    cancel_requested: bool
    revision: int
    wake_at: datetime | None = None
    """When a sleeping run goes on by itself, or a suspended one at the latest."""
    forked_from: ForkOrigin | None = None
    follows: str | None = None
    """The id of the run whose end, or question, started it."""


@dataclass(frozen=True, slots=True)
class WorkflowSnapshot:
    """A run as the record has it at one moment."""

    run: RunSummary
    step_results: Mapping[str, StepResult]
    """The latest attempt at each path, in the order of starts."""
    all_attempts: tuple[StepResult, ...] = field(repr=False)
    graph_json: str | None = field(default=None, repr=False)
    input_json: str | None = field(default=None, repr=False)
    result_json: str | None = field(default=None, repr=False)
    states_json: str | None = field(default=None, repr=False)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.run.run_id

    @property
    def workflow_id(self) -> str:
        """The id of the workflow that it runs."""
        return self.run.workflow_id

    @property
    def status(self) -> RunStatus:
        """Where the run stands."""
        return self.run.status

    @property
    def execution_path(self) -> tuple[str, ...]:
        """The paths of the steps that are at work now."""
        return self.run.execution_path

    @property
    def error(self) -> ErrorInfo | None:
        """Why the run failed."""
        return self.run.error

    @property
    def created_at(self) -> datetime:
        """When the run was put on record."""
        return self.run.created_at

    @property
    def updated_at(self) -> datetime:
        """When anything of it was last recorded."""
        return self.run.updated_at

    @property
    def input_data(self) -> JsonValue:
        """The run's input as plain JSON data."""
        return parse_json(self.input_json)

    @property
    def result(self) -> JsonValue:
        """The run's output as plain JSON data; `None` until it succeeded."""
        return parse_json(self.result_json)

    @property
    def state(self) -> JsonValue:
        """The workflow's state as plain JSON data; `None` where nothing was set yet."""
        states = cast("dict[str, JsonValue]", parse_json(self.states_json) or {})
        return states.get("")

    @property
    def forked_from(self) -> ForkOrigin | None:
        """Where the run comes from, if it is a fork."""
        return self.run.forked_from

    @property
    def wake_at(self) -> datetime | None:
        """When a sleeping run goes on by itself, or a suspended one at the latest."""
        return self.run.wake_at

    @property
    def questions(self) -> tuple[Question, ...]:
        """What the run waits to be told, in the order of asking."""
        if self.status in ENDED:
            return ()  # what was open as it ended is asked again once it is recovered
        asked = [r for r in self.step_results.values() if r.status in OPEN and r.question]
        asked.sort(key=lambda result: result.ended or result.order)
        return tuple(result.question for result in asked if result.question is not None)

    def attempts(self, path: str) -> list[StepResult]:
        """Return every attempt at `path`, oldest first."""
        return [attempt for attempt in self.all_attempts if attempt.path == path]
