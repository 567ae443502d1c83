"""How the nodes of a definition stand in a run: a status and a few words for each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrkflw_tui.drawing.definition import ANY, Node, every, place
from wrkflw_tui.drawing.marks import mark
from wrkflw_tui.drawing.words import count, duration, number, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from wrkflw_tui.drawing.marks import Shown
    from wrkflw_tui.engine.models import Progress, StepResult

_FIRST: tuple[Shown, ...] = (
    "running", "suspended", "waiting", "failed", "crashed", "interrupted", "bailed", "success",
)  # fmt: skip
_COUNTED: tuple[Shown, ...] = (
    "success", "failed", "crashed", "running", "suspended", "waiting", "interrupted", "bailed",
)  # fmt: skip
"""Which of several statuses at one place is shown, and in which order they are counted."""
_TOLD = frozenset[str]({"success", "running", "skipped", ""})
"""Statuses that need no word beside their glyph."""


@dataclass(frozen=True, slots=True)
class State:
    """How a node stands."""

    status: Shown
    words: str = ""
    """`1.2s`, `failed 14s ×2`, `34/54, 1 failed`."""


NOTHING = State("")


def states(
    nodes: Sequence[Node], results: Mapping[str, StepResult], now: datetime
) -> dict[str, State]:
    """Return the state of each node that has begun or will not begin, by its path."""
    at: dict[str, list[StepResult]] = {}
    for path, result in results.items():
        at.setdefault(place(path), []).append(result)
    found: dict[str, State] = {}
    for node in every(nodes):
        if node.path in at and node.path not in found:
            found[node.path] = _state(node, at[node.path], at, now)
        if node.kind == "parallel" and node.path not in found:
            # It has a row only where failures were collected: else its arms speak for it.
            rows = [_rows(arm.node, at) for arm in node.arms]
            status = of_arms([_together([each.status for each in arm]) for arm in rows])
            found[node.path] = State(status, _words(status))
        if node.kind == "branch" and ANY not in node.path:
            found |= _not_taken(node, at.get(node.path, []))
    return found


def _rows(node: Node, at: Mapping[str, list[StepResult]]) -> list[StepResult]:
    """Return what is on record of an arm; a handler's word is the last."""
    if node.body is None or node.handler is None:
        return at.get(node.path, [])
    return at.get(node.handler.path) or at.get(node.body.path, [])


def of_arms(statuses: Sequence[Shown]) -> Shown:
    """Return how a parallel node stands, by how each of its arms does."""
    begun = _together([status for status in statuses if status])
    return "" if begun == "success" and "" in statuses else begun


def _together(statuses: Sequence[Shown]) -> Shown:
    known: list[Shown] = [status for status in (*_FIRST, *statuses) if status in statuses]
    return known[0] if known else ""


def _state(
    node: Node, results: list[StepResult], at: Mapping[str, list[StepResult]], now: datetime
) -> State:
    status = _together([result.status for result in results])
    if node.kind == "foreach":
        return State(status, _words(status, _items(results), _took(results, now)))
    if ANY in node.path:
        return State(status, _counts(results))
    if node.kind in ("branch", "parallel"):  # its row is a decision: its arms take the time
        return State(status, _words(status))
    result = results[0]
    took = _wakes(node, result, status, now) or duration(_seconds(result, now))
    again = f"×{result.attempt}" if result.attempt > 1 else ""
    said = _progress(result)
    if node.kind == "loop":
        rounds = len(at.get(node.path + ANY, []))
        said = f"iteration {rounds + 1}" if status == "running" else count(rounds, "time")
    return State(status, _words(status, said, took, again))


def _words(status: Shown, *parts: str) -> str:
    word = "" if status in _TOLD else mark(status)[1]
    return " ".join(part for part in (word, *parts) if part)


def _seconds(result: StepResult, now: datetime) -> float:
    return ((result.finished_at or now) - result.started_at).total_seconds()


def _took(results: list[StepResult], now: datetime) -> str:
    return f"in {duration(_seconds(results[0], now))}" if len(results) == 1 else ""


def _wakes(node: Node, result: StepResult, status: Shown, now: datetime) -> str:
    """Count down to the instant that a sleep ends, or an event is awaited no longer."""
    if status != "waiting" or result.wake_at is None or node.kind == "workflow":
        return ""
    left = (result.wake_at - now).total_seconds()
    return f"for {duration(float(round(left)))} more" if left > 0.5 else "about to wake"


def _progress(result: StepResult) -> str:
    progress = result.progress
    if progress is None or result.status != "running":
        return ""
    return " ".join(part for part in (_share(progress), one_line(progress.message)) if part)


def _share(progress: Progress) -> str:
    done = number(progress.done)
    if progress.total:
        return f"{done}/{number(progress.total)}"
    return done if progress.done else ""


def _items(results: list[StepResult]) -> str:
    """Count items: `34/54, 1 failed`."""
    told = [result.progress for result in results if result.progress is not None]
    if not told:
        return ""
    done, total = sum(p.done for p in told), sum(p.total or 0 for p in told)
    failed = sum(p.failed for p in told)
    return f"{number(done)}/{number(total)}" + (f", {failed} failed" if failed else "")


def _counts(results: list[StepResult]) -> str:
    """Count what stands at one place for many items: `34 done, 1 failed, 4 running`."""
    counted: Counter[Shown] = Counter(result.status for result in results)
    known = [(counted[status], mark(status)[1]) for status in _COUNTED]
    return ", ".join(f"{number} {word}" for number, word in known if number)


def _not_taken(node: Node, decided: list[StepResult]) -> dict[str, State]:
    """Return the arms that a branch's decision, the ids of those taken, has left out."""
    if len(decided) != 1 or decided[0].status != "success":
        return {}
    chosen = decided[0].output
    taken = set[object](chosen) if isinstance(chosen, list) else set[object]()
    left = [arm.node for arm in node.arms if arm.node.id not in taken]
    roots = {node.path or (node.body.path if node.body else "") for node in left}
    return {
        each.path: State("skipped", "not taken" if each.path in roots else "")
        for each in every(left)
        if each.path
    }
