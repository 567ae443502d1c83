"""What a test scripts for the steps of a workflow, and what they were called with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from wrkflw_tui.engine.context import StepContext, Suspend
from wrkflw_tui.engine.nodes import Body, StepNode
from wrkflw_tui.engine.step import Step, is_coroutine_function, takes_context
from wrkflw_tui.testing.rewriting import Rewriter, by_path, path_of, paths_of, step_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from wrkflw_tui.engine.retry import RetryPolicy
    from wrkflw_tui.engine.workflow import Workflow

Replacement: TypeAlias = Callable[[Any], object] | Callable[[Any, StepContext], object]
"""What is called instead of a step: takes what the step takes, and a context if it wants one."""


class Script:
    """The replacements and failures of one test, and its record of calls."""

    def __init__(
        self,
        workflow: Workflow[object, object],
        replacements: Mapping[str, Replacement],
        failures: Mapping[str, Sequence[Exception]],
        on_question: Callable[[StepContext, Suspend], None],
    ) -> None:
        self.paths = {path for path, _ in paths_of(workflow.nodes)}
        self._replacements = by_path(replacements, self.paths, "replace")
        self._check_reachable()
        self._failures = {
            path: list(errors) for path, errors in by_path(failures, self.paths, "fail").items()
        }
        self._check_are_steps(workflow)
        self._on_question = on_question
        self._calls: dict[str, list[object]] = {}
        self._lock = threading.Lock()
        self.workflow = Rewriter(self._exchange, _without_jitter).workflow(workflow)

    def calls(self, key: str) -> list[object]:
        """Return the inputs of a step's entries."""
        with self._lock:
            return list(self._calls.get(path_of(key, self.paths, "calls"), ()))

    def _check_reachable(self) -> None:
        for outer in self._replacements:
            inner = sorted(path for path in self._replacements if path.startswith(f"{outer}/"))
            if inner:
                raise ValueError(f"replace: {inner[0]!r} lies inside {outer!r}, which is replaced")

    def _check_are_steps(self, workflow: Workflow[object, object]) -> None:
        for path, body in paths_of(workflow.nodes):
            is_step = isinstance(body, StepNode) or path in self._replacements
            if path in self._failures and not is_step:
                raise ValueError(f"fail: {path!r} is a workflow: name a step inside it")

    def _exchange(self, path: str, body: Body) -> Step[object, object] | None:
        given = self._replacements.get(path)
        if given is None and not isinstance(body, StepNode):
            return None
        twin = step_for(body)
        twin.retry = _without_jitter(twin.retry)
        function: Callable[..., object] = twin.function if given is None else given
        if isinstance(function, Step):
            function = function.function
        wants_context = takes_context(function, f"the replacement of {path!r}")
        twin.is_async = is_coroutine_function(function)
        twin.wants_context = True
        twin.function = self._noted(path, function, wants_context, twin.is_async)
        return twin

    def _noted(
        self, path: str, function: Callable[..., object], wants_context: bool, is_async: bool
    ) -> Callable[..., object]:
        """Return the function as it is called: noted, failing as scripted, its question seen."""

        def call(value: object, context: StepContext) -> object:
            self._enter(path, value)
            try:
                return function(value, context) if wants_context else function(value)
            except Suspend as asked:
                self._on_question(context, asked)
                raise

        async def call_async(value: object, context: StepContext) -> object:
            try:
                return await cast("Awaitable[object]", call(value, context))
            except Suspend as asked:
                self._on_question(context, asked)
                raise

        return call_async if is_async else call

    def _enter(self, path: str, value: object) -> None:
        with self._lock:
            self._calls.setdefault(path, []).append(deepcopy(value))
            errors = self._failures.get(path)
            error = errors.pop(0) if errors else None
        if error is not None:
            raise error


def _without_jitter(policy: RetryPolicy | None) -> RetryPolicy | None:
    return None if policy is None else replace(policy, jitter=0.0)
