"""Holds a run's record against what the reference says, and against itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.model.reference import CUT_OFF, Fail
from engine.model.tree import Branch, Foreach, Parallel, nodes_of

from wrkflw_tui.engine.models import CONTAINERS, ENDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.model.reference import Course, Fields, Final
    from engine.model.tree import Flow

    from wrkflw_tui import StepResult, WorkflowSnapshot
    from wrkflw_tui.engine.events import Event

CUT = ("crashed", "interrupted")


def agrees(snapshot: WorkflowSnapshot, courses: Sequence[Course]) -> None:
    """Assert that the run went one of the ways that it may go."""
    wrong = [list(differences(snapshot, course)) for course in courses]
    nearest = min(wrong, key=len)
    assert not nearest, "\n".join([*nearest, *describe(snapshot)])


def describe(snapshot: WorkflowSnapshot) -> Iterator[str]:
    """Tell what is on record, an attempt a line."""
    yield f"--- {snapshot.status}, {snapshot.result}, {snapshot.error and snapshot.error.path}"
    for a in snapshot.all_attempts:
        said = f"{a.error.type} {a.error.message}" if a.error else ""
        yield f"  {a.order}-{a.ended} {a.path} #{a.attempt} {a.status} {a.output_json} {said}"
    yield f"  states: {snapshot.states_json}"


def differences(snapshot: WorkflowSnapshot, course: Course) -> Iterator[str]:
    """Yield what of the record is not as the reference says."""
    yield from _outcome(snapshot, course)
    for path, final in course.must.items():
        if final is CUT_OFF:
            continue  # and a fork has nothing of it
        attempts = snapshot.attempts(path)
        if not attempts:
            yield f"{path} is not on record"
        else:
            if _ends(attempts) != final.statuses:
                yield f"{path} has {_ends(attempts)}, not {final.statuses}"
            yield from _last(attempts[-1], final)
    for path, latest in snapshot.step_results.items():
        if path in course.must:
            continue
        attempts = snapshot.attempts(path)
        finals = course.may.get(path, ())
        ends = _ends(attempts)
        fitting = [final for final in finals if final.statuses[: len(ends)] == ends]
        if not fitting:
            yield f"{path} has {ends}, which may not be"
        elif latest.status not in ("success", "bailed"):
            continue
        elif all(list(_last(latest, final)) for final in fitting):
            yield f"{path} has the output {latest.output}"
    for path in course.never:
        latest = snapshot.step_results.get(path)
        if latest is not None and latest.status in ("success", "bailed", "failed"):
            yield f"{path} is {latest.status}, though its question was withdrawn"
    yield from _states(snapshot, course)
    yield from _questions(snapshot, course)


def _outcome(snapshot: WorkflowSnapshot, course: Course) -> Iterator[str]:
    outcome = course.outcome
    if isinstance(outcome, Fail):
        error = snapshot.error
        if snapshot.status != "failed" or error is None:
            yield f"the run is {snapshot.status}, not failed"
        elif (error.path, error.type) != (outcome.path, outcome.type):
            yield f"it failed at {error.path} with {error}, not as {outcome}"
    elif (snapshot.status, snapshot.result) != ("success", outcome.value):
        yield f"the run is {snapshot.status} with {snapshot.result}, not {outcome}"


def _ends(attempts: list[StepResult]) -> tuple[str, ...]:
    """Return how a path's attempts ended, apart from those that were cut off."""
    ends = [a.status for a in attempts if a.status not in CUT]
    # What was asked, and withdrawn by the run's end, is on record as interrupted.
    return tuple(ends)


def _last(latest: StepResult, final: Final) -> Iterator[str]:
    if latest.status != final.statuses[-1]:
        yield f"{latest.path} is {latest.status} in the end, not {final.statuses[-1]}"
    if latest.output != final.output:
        yield f"{latest.path} gave {latest.output}, not {final.output}"


def _states(snapshot: WorkflowSnapshot, course: Course) -> Iterator[str]:
    found: Fields = {
        (scope, name): value
        for scope, fields in json.loads(snapshot.states_json or "{}").items()
        for name, value in fields.items()
    }
    for name, value in course.set.items():
        if found.get(name) != value:
            yield f"the state of {name} is {found.get(name)}, not {value}"
    for name, value in found.items():
        if name not in course.set and course.may_set.get(name) != value:
            yield f"the state of {name} is {value}, which may not be"
    assert snapshot.state == (json.loads(snapshot.states_json or "{}").get(""))


def _questions(snapshot: WorkflowSnapshot, course: Course) -> Iterator[str]:
    asked = [a for a in snapshot.all_attempts if a.status == "suspended" and a.question]
    asked.sort(key=lambda a: a.ended or 0)
    order = [(a.path, a.question.key) for a in asked if a.question]
    if course.order is not None and order != list(course.order):
        yield f"it asked {order}, not {course.order}"


def took_over_what_came_before(
    old: WorkflowSnapshot, at: str, fork: WorkflowSnapshot, tree: Flow
) -> None:
    """Assert that a fork has all that ended before the step that it begins with."""
    begins = old.attempts(at)[0]
    if begins.kind in ("parallel", "branch", "foreach"):
        return  # it is about what comes after it on the record
    goes_side_by_side = any(
        isinstance(node, Parallel | Foreach) or (isinstance(node, Branch) and node.takes_all)
        for node in nodes_of(tree)
    )
    kept = ("success", "bailed") if goes_side_by_side else ("success", "bailed", "failed")
    for path, result in old.step_results.items():
        if result.status in kept and (result.ended or 0) < begins.order:
            assert path in fork.step_results, f"{path}\n" + "\n".join(describe(old))
    for path in fork.step_results:
        assert path != at
        assert not path.startswith(f"{at}/")


def is_sound(snapshot: WorkflowSnapshot) -> None:
    """Assert what holds of every run that has ended."""
    assert snapshot.status in ENDED
    about = "\n".join(describe(snapshot))
    for path, result in snapshot.step_results.items():
        assert result.status not in ("running", "waiting", "suspended"), f"{path}\n{about}"
    for attempt in snapshot.all_attempts:
        assert attempt.ended is not None, about
        assert attempt.order < attempt.ended, about
        assert attempt.finished_at is not None, about
    numbers = [a.order for a in snapshot.all_attempts]
    assert numbers == sorted(numbers), about
    numbers += [a.ended or 0 for a in snapshot.all_attempts]
    assert len(numbers) == len(set(numbers)), f"a number twice\n{about}"
    for path in snapshot.step_results:
        attempts = snapshot.attempts(path)
        assert [a.attempt for a in attempts] == list(range(1, len(attempts) + 1)), about
        statuses = [a.status for a in attempts]
        assert "success" not in statuses[:-1], f"{path} succeeded twice\n{about}"
        assert "bailed" not in statuses[:-1], about
    assert snapshot.execution_path == ()
    done = [
        r
        for r in snapshot.step_results.values()
        if r.status == "success" and r.kind not in ("workflow", "parallel") and "[" not in r.path
    ]
    assert snapshot.run.steps_done == len(done), about
    assert {r.kind for r in snapshot.step_results.values() if r.status == "bailed"} <= {"step"}
    assert all(r.kind in CONTAINERS or r.input_json for r in snapshot.all_attempts if r.order == 1)


def was_seen_live(live: list[Event], events: list[Event]) -> None:
    """Assert that who followed the run saw what is on record now, in the same order.

    A question that was withdrawn since had been asked then.
    """
    live = [event for event in live if event.type != "step-progressed"]
    revisions = [event.revision for event in live]
    assert revisions == sorted(set(revisions)), revisions
    seen = {event.revision: (event.type, event.path) for event in live}
    for event in events:
        assert seen.get(event.revision) == (event.type, event.path), event


def are_in_one_order(events: list[Event], snapshot: WorkflowSnapshot) -> None:
    """Assert that the events are those of the record, each number once, in their order."""
    revisions = [event.revision for event in events]
    assert revisions == sorted(set(revisions)), revisions
    assert events[-1].type == "run-ended"
    told = [event for event in events if event.type != "run-ended"]
    assert len(told) == len(events) - 1
    assert len(told) == 2 * len(snapshot.all_attempts)
