"""A run's steps in the order of the definition, those not started yet included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrkflw_tui.drawing.state import of_arms
from wrkflw_tui.engine.models import CONTAINERS
from wrkflw_tui.tui import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from wrkflw_tui.drawing.marks import Shown
    from wrkflw_tui.engine.models import RunSummary, StepResult
    from wrkflw_tui.tui.graph import GraphNode


_LIVE: tuple[Shown, ...] = ("waiting", "suspended", "running")
"""Statuses of what has begun and not ended, the liveliest last."""


@dataclass(frozen=True, slots=True)
class TreeLine:
    """One step, or a nested workflow, of a run."""

    path: str
    label: str
    depth: int
    kind: str
    status: Shown
    result: StepResult | None = None
    note: str = ""
    """What is said beside its label: `sleep 1h`, `if it fails`."""


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
        lines.append(_line(node, results))
        if node.items:
            inside = [result for result in others if result.path.startswith(node.items)]
            others = [result for result in others if not result.path.startswith(node.items)]
            lines += [_inside(result, node) for result in inside]
    lines += [_other(result, result.path.count("/")) for result in others]
    return lines


def _inside(result: StepResult, node: GraphNode) -> TreeLine:
    """Return the line of an item or iteration of a node, or of a step of one."""
    depth = node.depth + 1 + result.path.count("/") - node.path.count("/")
    is_own = result.kind == "decision" and result.path.startswith(f"{node.path}[")
    if not is_own or result.output_json is None:
        return _other(result, depth)
    return _other(result, depth, f"{node.question}: {'yes' if result.output else 'no'}")


def _other(result: StepResult, depth: int, note: str = "") -> TreeLine:
    """Return the line of what the definition does not name: an item, or a step of one."""
    label = result.path.rsplit("/", 1)[-1]
    return TreeLine(result.path, label, depth, result.kind, result.status, result, note)


def _without_row(node: GraphNode, results: Mapping[str, StepResult]) -> Shown:
    """Tell how a node stands that has no row, or none yet."""
    if _left_out(node, results):
        return "skipped"
    if node.arms:  # a parallel has one only where failures were collected
        rows = [[results[path] for path in arm if path in results] for arm in node.arms]
        return of_arms([arm[-1].status if arm else "" for arm in rows])
    return ""


def _left_out(node: GraphNode, results: Mapping[str, StepResult]) -> bool:
    """Tell whether a branch has decided against the arm that a node stands in."""
    return any(arm not in _taken(results.get(branch), arm) for branch, arm in node.needs)


def _taken(decision: StepResult | None, arm: str) -> Sequence[object]:
    """Return the ids of the arms that were taken: while that is open, any may be."""
    output = decision.output if decision is not None else None
    return output if isinstance(output, list) else [arm]


def _line(node: GraphNode, results: Mapping[str, StepResult]) -> TreeLine:
    result = results.get(node.path)
    status: Shown = _without_row(node, results) if result is None else result.status
    return TreeLine(node.path, node.id, node.depth, node.kind, status, result, node.note)


def seconds_of(result: StepResult, now: datetime) -> float:
    """Return how long an attempt took, or has taken so far."""
    return ((result.finished_at or now) - result.started_at).total_seconds()


def length(run: RunSummary, now: datetime) -> float:
    """Return how long a run took, or has taken so far, in seconds."""
    if run.started_at is None:
        return 0.0
    return ((run.finished_at or now) - run.started_at).total_seconds()


def live_path(lines: Sequence[TreeLine]) -> str | None:
    """Return the path of the step at work, else of one that asks, else of one that waits.

    Of several the innermost, the last that started; what holds others comes after what does not.
    """
    live = [line for line in lines if line.status in _LIVE and line.result is not None]
    return max(live, key=_liveliness).path if live else None


def _liveliness(line: TreeLine) -> tuple[bool, int, int, int]:
    order = line.result.order if line.result else 0
    return line.kind not in CONTAINERS, _LIVE.index(line.status), line.depth, order


def progress_words(result: StepResult) -> str:
    """Say how far a step is: its bar or its count, and its message."""
    progress = result.progress
    if progress is None or result.status not in _LIVE:
        return ""
    share = progress.fraction
    if share is None:
        amount = text.number(progress.done) if progress.done else ""
    else:
        amount = f"{text.bar(share, 8)} {share:4.0%}"
    return " ".join(part for part in (amount, text.one_line(progress.message)) if part)
