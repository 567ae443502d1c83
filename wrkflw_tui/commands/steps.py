"""A run's steps as lines: those of the definition, each with how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrkflw_tui.drawing.definition import ANY, Node
from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.drawing.state import NOTHING, State, states
from wrkflw_tui.drawing.words import count, duration, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from wrkflw_tui.drawing.marks import Role, Shown
    from wrkflw_tui.engine.models import RunSummary, StepResult

LIVE: tuple[Shown, ...] = ("running", "suspended", "waiting")


@dataclass(frozen=True, slots=True)
class StepLine:
    """One line of the list."""

    depth: int
    label: str
    status: Shown
    words: str

    @property
    def role(self) -> Role:
        """What its status means."""
        return mark(self.status)[2]

    def __str__(self) -> str:
        said = f"{'  ' * self.depth}{mark(self.status)[0]} {self.label}"
        return f"{said}  {self.words}" if self.words else said


def step_lines(
    nodes: Sequence[Node], results: Mapping[str, StepResult], now: datetime
) -> list[StepLine]:
    """Return a line for each node of the definition; items and iterations share theirs.

    What has no definition on record is listed as it was recorded.
    """
    if not nodes:
        return [_recorded(result, now) for result in results.values()]
    known = states(nodes, results, now)
    return [_line(depth, node, known) for depth, node in _walk(nodes, 0)]


def _walk(nodes: Sequence[Node], depth: int) -> Iterator[tuple[int, Node]]:
    for node in nodes:
        if node.kind == "recover":  # its body and its handler stand for themselves
            yield from _walk(node.children, depth)
            continue
        yield depth, node
        yield from _walk(node.children, depth + 1)


def _line(depth: int, node: Node, known: Mapping[str, State]) -> StepLine:
    state = known.get(node.path, NOTHING)
    each = " (each)" if node.path.endswith(ANY) else ""
    return StepLine(depth, f"{node.short or node.id}{each}", state.status, state.words)


def _recorded(result: StepResult, now: datetime) -> StepLine:
    return StepLine(result.path.count("/"), result.path, result.status, words_of(result, now))


def words_of(result: StepResult, now: datetime) -> str:
    """Say how an attempt stands, for how long, and why it failed."""
    took = duration(((result.finished_at or now) - result.started_at).total_seconds())
    word = "" if result.status in ("success", "running") else mark(result.status)[1]
    again = f"attempt {result.attempt}" if result.attempt > 1 else ""
    why = one_line(str(result.error)) if result.error else ""
    return "  ".join(part for part in (word, took, again, why) if part)


def headline(run: RunSummary, now: datetime) -> str:
    """Say in a line how a run stands."""
    glyph, word, _ = mark(run.status)
    took = ""
    if run.started_at is not None:
        took = f" {duration(((run.finished_at or now) - run.started_at).total_seconds())}"
    steps = f"  {run.steps_done} of {count(run.steps_total, 'step')}" if run.steps_total else ""
    asked = "  asked to cancel" if run.cancel_requested and run.finished_at is None else ""
    return f"{run.workflow_id}  {glyph} {word}{took}{steps}{asked}"
