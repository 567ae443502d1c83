"""`create_workflow`: where a definition begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, overload

from wrkflw_tui.engine.builder import WorkflowBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from pydantic import TypeAdapter

    from wrkflw_tui.engine.retry import RetryPolicy
    from wrkflw_tui.engine.step import TypeOf
    from wrkflw_tui.engine.terms import Timetable

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741

StateSchema: TypeAlias = "type[object] | TypeAdapter[Any] | None"
"""Any type at all: a `TypeAdapter` is invariant, so nothing narrower takes all of them."""


@overload
def create_workflow(
    *,
    id: str,
    input_schema: TypeOf[I],
    output_schema: TypeOf[O],
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
    timeout: timedelta | None = None,
    state_schema: StateSchema = None,
    max_concurrent_runs: int | None = None,
    schedules: Sequence[Timetable] = (),
) -> WorkflowBuilder[I, I, O]: ...
@overload
def create_workflow(
    *,
    id: str,
    input_schema: None,
    output_schema: TypeOf[O],
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
    timeout: timedelta | None = None,
    state_schema: StateSchema = None,
    max_concurrent_runs: int | None = None,
    schedules: Sequence[Timetable] = (),
) -> WorkflowBuilder[None, None, O]: ...
@overload
def create_workflow(
    *,
    id: str,
    input_schema: TypeOf[I],
    output_schema: None,
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
    timeout: timedelta | None = None,
    state_schema: StateSchema = None,
    max_concurrent_runs: int | None = None,
    schedules: Sequence[Timetable] = (),
) -> WorkflowBuilder[I, I, None]: ...
@overload
def create_workflow(
    *,
    id: str,
    input_schema: None,
    output_schema: None,
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
    timeout: timedelta | None = None,
    state_schema: StateSchema = None,
    max_concurrent_runs: int | None = None,
    schedules: Sequence[Timetable] = (),
) -> WorkflowBuilder[None, None, None]: ...
def create_workflow(
    *,
    id: str,
    input_schema: object,
    output_schema: object,
    description: str = "",
    retry: RetryPolicy | None = None,
    tags: Sequence[str] = (),
    timeout: timedelta | None = None,
    state_schema: StateSchema = None,
    max_concurrent_runs: int | None = None,
    schedules: Sequence[Timetable] = (),
) -> WorkflowBuilder[Any, Any, Any]:
    """Begin a workflow. A schema is a type, a `TypeAdapter`, or `None`.

    `retry` is the policy of each step that has none of its own. `timeout` counts wall time with
    sleeps, without the time that a run waits for a person or an event. `state_schema` is what its
    steps share by `get_state` and `set_state`: a type that is written as a JSON object.
    `max_concurrent_runs` is how many of its runs the worker has going at once; others wait queued.
    `schedules` are `Schedule`s by which the worker starts it.
    """
    return WorkflowBuilder(
        id,
        description,
        input_schema,
        output_schema,
        retry,
        tags,
        timeout,
        state_schema,
        max_concurrent_runs,
        schedules,
    )
