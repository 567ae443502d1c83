"""What every automation needs is loaded before there is one: most of an import's time is that.

Pydantic loads and compiles much of itself only with the first model that needs it.
"""

from datetime import date, datetime, timedelta
from enum import Enum
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

import wrkflw_tui
from wrkflw_tui.engine.create import create_workflow
from wrkflw_tui.engine.step import step


class _Kind(Enum):
    ONE = "one"


def load_all() -> None:
    """Load what an author's file imports, and build a workflow as one does.

    Once more in a process that was forked, it makes the pages its own that the next one will need:
    that takes twice as long as what is done with them.
    """
    for name in wrkflw_tui.__all__:
        getattr(wrkflw_tui, name)

    class Part(BaseModel):
        name: Annotated[str, Field(min_length=1)]
        day: date | datetime | None = None
        span: timedelta = timedelta(0)

    class Sample(BaseModel):
        parts: list[Part] = Field(default_factory=list[Part])
        words: list[str] = Field(default_factory=list)
        fields: dict[str, float] = Field(default_factory=dict)
        kind: _Kind | Literal["two"] = "two"

    @step
    async def work(value: Sample) -> Sample:
        return value

    sample = (
        create_workflow(id="sample", input_schema=Sample, output_schema=Sample).then(work).commit()
    )
    sample.input_schema.load('{"parts": [{"name": "a"}]}')
    TypeAdapter(Sample).json_schema()
