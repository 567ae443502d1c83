"""The builder's methods that only wait: sleep, sleep_until and wait_for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from wrkflw_tui.engine.builder_base import BuilderBase, Prev, WIn, WOut
from wrkflw_tui.engine.errors import DefinitionError
from wrkflw_tui.engine.nodes import SleepNode, WaitNode
from wrkflw_tui.engine.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrkflw_tui.engine.builder import WorkflowBuilder
    from wrkflw_tui.engine.context import StepContext
    from wrkflw_tui.engine.step import TypeOf

Next = TypeVar("Next")


class PausesBuilder(BuilderBase[WIn, Prev, WOut]):
    """The part of the builder that waits for a time or an event."""

    # Two overloads, not a union: mypy checks a lambda's body only where it knows its parameters.
    @overload
    def sleep(
        self, duration: timedelta | Callable[[Prev], timedelta], *, id: str | None = None
    ) -> WorkflowBuilder[WIn, Prev, WOut]: ...
    @overload
    def sleep(
        self, duration: Callable[[Prev, StepContext], timedelta], *, id: str | None = None
    ) -> WorkflowBuilder[WIn, Prev, WOut]: ...
    def sleep(
        self, duration: timedelta | Callable[..., timedelta], *, id: str | None = None
    ) -> WorkflowBuilder[WIn, Prev, WOut]:
        """Wait for a while, or for as long as a function of the value in hand says.

        The instant is recorded when it is computed: a restart does not sleep again, and a
        sleeping run costs no process. The value in hand stays as it is.
        """
        return self._sleep("sleep", duration, timedelta, id)

    @overload
    def sleep_until(
        self, instant: datetime | Callable[[Prev], datetime], *, id: str | None = None
    ) -> WorkflowBuilder[WIn, Prev, WOut]: ...
    @overload
    def sleep_until(
        self, instant: Callable[[Prev, StepContext], datetime], *, id: str | None = None
    ) -> WorkflowBuilder[WIn, Prev, WOut]: ...
    def sleep_until(
        self, instant: datetime | Callable[..., datetime], *, id: str | None = None
    ) -> WorkflowBuilder[WIn, Prev, WOut]:
        """Wait until an instant with a time zone, or one that a function of the value gives."""
        if isinstance(instant, datetime) and instant.tzinfo is None:
            raise DefinitionError(
                f"workflow {self._id!r}: sleep_until takes an instant with a time zone,"
                f" not {instant!r}"
            )
        return self._sleep("sleep-until", instant, datetime, id)

    @overload
    def wait_for(
        self, event: str, schema: None, timeout: timedelta | None = None, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, None, WOut]: ...
    @overload
    def wait_for(
        self,
        event: str,
        schema: TypeOf[Next],
        timeout: timedelta | None = None,
        *,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Next, WOut]: ...
    def wait_for(
        self,
        event: str,
        schema: object,
        timeout: timedelta | None = None,
        *,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        """Wait for an event, and go on with its payload.

        One event serves one wait, the earliest opened; one that came before is kept. Where it
        does not come within `timeout` the wait is a failed step (`EventTimeout`).
        """
        id = id or self._count("wait-for")
        if not event:
            raise DefinitionError(f"workflow {self._id!r}: {id} needs the event's name")
        if timeout is not None and timeout.total_seconds() <= 0:
            raise DefinitionError(f"workflow {self._id!r}: the timeout of {id} is {timeout}")
        payload = Schema[object](schema)
        return self._add(WaitNode(id, event, payload, payload.json_schema(), timeout))

    def _sleep(
        self, kind: str, given: object, fixed: type[object], id: str | None
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        id = id or self._count(kind)
        is_until = kind == "sleep-until"
        if isinstance(given, fixed):
            return self._add(SleepNode(id, is_until, cast("timedelta", given), None))
        if not callable(given):
            raise DefinitionError(
                f"workflow {self._id!r}: {id} takes a {fixed.__name__}, or a function that gives"
                f" one, not {given!r}"
            )
        computes = self._condition(given, id, "function")
        wants, name = computes.wants_context, computes.name
        return self._add(SleepNode(id, is_until, None, computes.function, wants, name))
