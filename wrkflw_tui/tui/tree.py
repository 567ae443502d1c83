"""A run's steps in the order of the definition, those not started yet included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wrkflw_tui.tui import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from wrkflw_tui.engine.models import RunSummary, StepResult, StepStatus
    from wrkflw_tui.tui.graph import GraphNode


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One step, or a nested workflow, of a run."""

    path: str
    label: str
    depth: int
    kind: str
    status: StepStatus | Literal[""]
    result: StepResult | None = None


def tree(nodes: Sequence[GraphNode], results: Mapping[str, StepResult]) -> list[TreeLine]:
    """Put the recorded results in their places; what the definition does not name comes last.

    Items and iterations stand under the node that they are of, in the order of their starts.
    """
    named = {node.path for node in nodes}
    others = sorted(
        (result for result in results.values() if result.path not in named),
        key=lambda result: result.order,
    )
    lines: list[TreeLine] = []
    for node in nodes:
        lines.append(_line(node, results.get(node.path)))
        if node.items:
            inside = [result for result in others if result.path.startswith(node.items)]
            others = [result for result in others if not result.path.startswith(node.items)]
            lines += [_other(result, node.depth + 1, node.items) for result in inside]
    lines += [_other(result, 0, "") for result in others]
    return lines


def _other(result: StepResult, depth: int, prefix: str) -> TreeLine:
    """Return the line of what the definition does not name: an item, or a step of one."""
    deeper = result.path.removeprefix(prefix).count("/")
    label = result.path.rsplit("/", 1)[-1]
    return TreeLine(result.path, label, depth + deeper, result.kind, result.status, result)


def _line(node: GraphNode, result: StepResult | None) -> TreeLine:
    status = "" if result is None else result.status
    return TreeLine(node.path, node.id, node.depth, node.kind, status, result)


def seconds_of(result: StepResult, now: datetime) -> float:
    """Return how long an attempt took, or has taken so far."""
    return ((result.finished_at or now) - result.started_at).total_seconds()


def length(run: RunSummary, now: datetime) -> float:
    """Return how long a run took, or has taken so far, in seconds."""
    if run.started_at is None:
        return 0.0
    return ((run.finished_at or now) - run.started_at).total_seconds()


def live_path(lines: Sequence[TreeLine]) -> str | None:
    """Return the path of the step at work: the innermost, the last that started."""
    running = [line for line in lines if line.status == "running" and line.result is not None]
    if not running:
        return None
    return max(running, key=lambda line: (line.depth, line.result.order if line.result else 0)).path


def progress_words(result: StepResult) -> str:
    """Say how far a step is: its bar or its count, and its message."""
    progress = result.progress
    if progress is None or result.status != "running":
        return ""
    share = progress.fraction
    if share is None:
        amount = text.number(progress.done) if progress.done else ""
    else:
        amount = f"{text.bar(share, 8)} {share:4.0%}"
    return " ".join(part for part in (amount, text.one_line(progress.message)) if part)
