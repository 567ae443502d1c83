"""Where a walk stands: one frame for each workflow that it is in, and its state."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.errors import InvalidState, NoState
from wrkflw_tui.engine.retry import NO_RETRY, RetryPolicy
from wrkflw_tui.engine.schema import check_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from wrkflw_tui.engine.journal import Journal
    from wrkflw_tui.engine.schema import Schema
    from wrkflw_tui.engine.values import Value
    from wrkflw_tui.engine.workflow import Workflow


class Frame:
    """One workflow on its way, as the nodes inside it see it."""

    __slots__ = ("failing", "input", "outer", "policy", "prefix", "state", "workflow")

    def __init__(
        self,
        workflow: Workflow[object, object],
        prefix: str,
        value: Value,
        journal: Journal,
        outer: Frame | None = None,
    ) -> None:
        self.workflow = workflow
        self.prefix = prefix
        """What the paths of its nodes begin with: empty, or ending in a slash."""
        self.input = value.text
        self.policy: RetryPolicy = workflow.retry or (outer.policy if outer else NO_RETRY)
        self.state = _state_of(workflow, prefix, journal, outer)
        self.failing = False
        """Whether an arm has failed: nobody is asked any more in the others."""
        self.outer = outer

    def with_arms(self) -> Frame:
        """Return the frame for arms that may fail together, apart from what is around them."""
        inner = Frame.__new__(Frame)
        inner.workflow, inner.prefix, inner.input = self.workflow, self.prefix, self.input
        inner.policy, inner.state = self.policy, self.state
        inner.failing = False
        inner.outer = self
        return inner

    @property
    def is_withdrawn(self) -> bool:
        """Whether an arm failed, here or anywhere around."""
        frame: Frame | None = self
        while frame is not None:
            if frame.failing:
                return True
            frame = frame.outer
        return False


class State:
    """The state of one workflow, shared with nested ones that declare the same schema."""

    def __init__(
        self, schema: Schema[object], scope: str, fields: dict[str, object], limit: int
    ) -> None:
        self.schema = schema
        self.scope = scope
        self.limit = limit
        """How many bytes of JSON it may take."""
        self.fields = fields
        """Plain JSON data; the journal writes this very dict."""

    @cached_property
    def defaults(self) -> dict[str, object]:
        """The fields that nobody has to set, as plain JSON data."""
        try:
            text, _ = self.schema.store(self.schema.load("{}"))
        except ValueError:
            return {}
        return cast("dict[str, object]", json.loads(text))

    def change(self, fields: Mapping[str, object], gone: Set[str]) -> str:
        """Take over changed fields, with the defaults where it is the first change.

        Returns what is recorded of that: the scope, the fields set, and those that are gone.
        """
        fields = {**fields} if self.fields else {**self.defaults, **fields}
        self.fields.update(fields)
        for name in gone:
            self.fields.pop(name, None)
        parts = [self.scope, fields, sorted(gone)] if gone else [self.scope, fields]
        return json.dumps(parts, ensure_ascii=False)


class StateView:
    """The state as one attempt sees it: what it read first, and what it set since."""

    __slots__ = ("_gone", "_read", "_set", "_state")

    def __init__(self, state: State | None) -> None:
        self._state = state
        self._read: dict[str, object] | None = None
        self._set: dict[str, object] = {}
        self._gone: set[str] = set()

    def get(self, schema: Schema[object], workflow_id: str) -> object:
        """Return the state, read as `schema`. Raises `NoState`."""
        current = {**self._base(workflow_id), **self._set}
        current = {name: part for name, part in current.items() if name not in self._gone}
        try:
            return schema.load(json.dumps(current))
        except ValueError as error:
            if current:
                raise
            raise NoState(
                f"nothing of the state of workflow {workflow_id!r} was set yet, and"
                f" {schema} has fields without a default"
            ) from error

    def set(self, value: object, workflow_id: str) -> None:
        """Set the state for this attempt. Raises `NoState` and `InvalidState`."""
        base = self._base(workflow_id)
        assert self._state is not None
        try:
            text, _ = self._state.schema.store(self._state.schema.validate(value))
            check_size(f"a state of {self._state.schema}", text, self._state.limit)
        except ValueError as error:
            raise InvalidState(
                f"the state of workflow {workflow_id!r} cannot be set to that: {error}"
            ) from error
        given: dict[str, object] = json.loads(text)
        self._set = {name: part for name, part in given.items() if base.get(name, ...) != part}
        self._gone = base.keys() - given.keys()

    def keep(self) -> str | None:
        """Make what was set the workflow's state; return what is recorded of that."""
        if self._state is None or not (self._set or self._gone):
            return None
        text = self._state.change(self._set, self._gone)
        self._read, self._set, self._gone = None, {}, set()
        return text

    def _base(self, workflow_id: str) -> dict[str, object]:
        if self._state is None:
            raise NoState(f"workflow {workflow_id!r} has no state: give it a state_schema=")
        if self._read is None:
            self._read = self._state.fields.copy() or self._state.defaults
        return self._read


NO_STATE = StateView(None)
"""What an attempt sees where there is no state: nothing can be set in it."""


def _state_of(
    workflow: Workflow[object, object], prefix: str, journal: Journal, outer: Frame | None
) -> State | None:
    schema = workflow.state_schema
    if schema is None:
        return None
    around = outer
    while around is not None:
        if around.state is not None and around.state.schema.source == schema.source:
            return around.state
        around = around.outer
    fields = journal.states.setdefault(prefix, {})
    return State(schema, prefix, fields, journal.max_result_bytes)
