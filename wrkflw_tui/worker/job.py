"""What the worker tells a runner: which run, from which file, under which claim."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """One run to walk."""

    file: str
    """The automation file's path."""
    key: int
    run_id: str
    workflow_id: str
    epoch: int
    nonce: str
    """Marks this run's lines in its output."""
    max_result_bytes: int
    max_memory_bytes: int | None = None
    """How much memory the process, and each that it starts, may take."""

    def to_line(self) -> bytes:
        """Write it as the line that the runner reads."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Job:
        """Read the line."""
        return cls(**json.loads(line))


STOP = b"stop\n"
UNRECORDED = 74
"""The exit code of a runner that could not read or write the record."""
