"""What the worker tells a runner: which run, from which file, under which claim."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


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
    secrets: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """What `.env` holds as the run starts, for its environment."""

    def to_line(self) -> bytes:
        """Write it as the line that the runner reads."""
        text = json.dumps(asdict(self), ensure_ascii=False)
        return text.encode("utf-8", "surrogateescape") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Job:
        """Read the line."""
        return cls(**json.loads(line.decode("utf-8", "surrogateescape")))


STOP = b"stop\n"
UNRECORDED = 74
"""The exit code of a runner that could not read or write the record."""
