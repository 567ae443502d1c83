"""A committed workflow."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from wrkflw_tui.engine.errors import DefinitionError
from wrkflw_tui.engine.ids import new_run_id
from wrkflw_tui.engine.nodes import Node, count_leaves, graph_of, shape_of
from wrkflw_tui.engine.runnable import In, Out, Runnable, check_id
from wrkflw_tui.engine.schema import Schema, UnstorableValue
from wrkflw_tui.engine.terms import PlannedSchedule, Timetable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from wrkflw_tui.engine.journal import RunStorage
    from wrkflw_tui.engine.retry import RetryPolicy
    from wrkflw_tui.engine.run import WorkflowRun


class Workflow(Runnable[In, Out]):
    """A committed workflow: frozen, to be run, or used wherever a step is."""

    def __init__(
        self,
        id: str,
        description: str,
        input_schema: object,
        output_schema: object,
        nodes: tuple[Node, ...],
        retry: RetryPolicy | None,
        tags: tuple[str, ...],
        timeout: timedelta | None = None,
        state_schema: object = None,
        max_concurrent_runs: int | None = None,
        schedules: Sequence[Timetable] = (),
    ) -> None:
        super().__init__(id, description, input_schema, output_schema, retry, timeout)
        self.max_concurrent_runs = max_concurrent_runs
        self.nodes = nodes
        self.tags = tags
        self.schedules = plan_schedules(id, self.input_schema, schedules)
        self.state_schema = None if state_schema is None else state_of(id, state_schema)

    @cached_property
    def graph(self) -> str:
        """The definition as JSON text: kept with every run of it."""
        return json.dumps(graph_of(self.nodes), ensure_ascii=False)

    @cached_property
    def definition_hash(self) -> str:
        """A short hash of the ids and kinds of all nodes."""
        return hashlib.sha256(json.dumps(shape_of(self.nodes)).encode()).hexdigest()[:16]

    @cached_property
    def leaf_count(self) -> int:
        """How many steps a run gets done, nested workflows opened."""
        return count_leaves(self.nodes)

    def create_run(
        self, run_id: str | None = None, storage: RunStorage | None = None
    ) -> WorkflowRun[In, Out]:
        """Prepare a run; nothing is written until it starts.

        The id is a new UUIDv7 unless one is given; without `storage` the configured file is used.
        """
        from wrkflw_tui.engine.run import WorkflowRun  # imported late: run.py imports this module

        return WorkflowRun(self, run_id or new_run_id(), storage)

    async def get_run(self, run_id: str, storage: RunStorage | None = None) -> WorkflowRun[In, Out]:
        """Return a run of this workflow that is on record. Raises `RunNotFound`."""
        from wrkflw_tui.engine.run import WorkflowRun

        run = WorkflowRun(self, run_id, storage)
        await run.snapshot()
        return run

    def __repr__(self) -> str:
        return f"<Workflow {self.id}: {self.input_schema} -> {self.output_schema}>"


def state_of(id: str, source: object) -> Schema[object]:
    """Return the schema of a workflow's state. Raises `DefinitionError` where it has no fields."""
    schema = Schema[object](source)
    schema.build()
    if schema.json_schema().get("type") != "object":
        raise DefinitionError(
            f"workflow {id!r}: a state_schema has fields, as a model does; {schema} has none"
        )
    return schema


def plan_schedules(
    id: str, input_schema: Schema[object], schedules: Sequence[Timetable]
) -> tuple[PlannedSchedule, ...]:
    """Give a workflow's schedules their names, and check what their runs would be given.

    Raises `DefinitionError`.
    """
    planned: dict[str, PlannedSchedule] = {}
    for position, schedule in enumerate(schedules, start=1):
        what = f"schedule {position} of workflow {id!r}"
        if not isinstance(cast("object", schedule), Timetable):
            raise DefinitionError(f"{what} is no Schedule(...) but {schedule!r}")
        name = schedule.id or str(position)
        check_id(name)
        if name in planned:
            raise DefinitionError(f"{what} has the id {name!r}, and so has one before it")
        try:
            text, _ = input_schema.store(schedule.input_data)
        except (ValidationError, UnstorableValue) as error:
            raise DefinitionError(f"{what}: its input_data does not fit: {error}") from error
        planned[name] = PlannedSchedule(name, schedule.terms, text)
    return tuple(planned.values())
