"""What a step and a workflow have in common: an id, two schemas and a policy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, TypeVar

from wrkflw_tui.engine.errors import DefinitionError
from wrkflw_tui.engine.schema import Schema

if TYPE_CHECKING:
    from datetime import timedelta

    from wrkflw_tui.engine.retry import RetryPolicy

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)

_ID = re.compile(r"[A-Za-z0-9_-]+")


class Runnable(Generic[In, Out]):
    """Something that turns an `In` into an `Out` on record: a step or a whole workflow."""

    def __init__(
        self,
        id: str,
        description: str,
        input_schema: object,
        output_schema: object,
        retry: RetryPolicy | None,
        timeout: timedelta | None,
    ) -> None:
        check_id(id)
        if timeout is not None and timeout.total_seconds() <= 0:
            raise DefinitionError(f"{id}: a timeout must be longer than nothing, not {timeout}")
        self.id = id
        self.description = description
        self.input_schema: Schema[object] = Schema(input_schema)
        self.output_schema: Schema[Out] = Schema(output_schema)
        self.retry = retry
        self.timeout = timeout
        self.input_schema.build()
        self.output_schema.build()


def check_id(id: str) -> None:
    """Raise `DefinitionError` where `id` is no valid id."""
    if not _ID.fullmatch(id):
        raise DefinitionError(
            f"{id!r} is no valid id: use letters, digits, hyphens and underscores,"
            " as in 'send-email'"
        )
