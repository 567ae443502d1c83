"""Walking nodes with arms: parallel, branch and branch_all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.errors import DefinitionError, NoConditionHolds
from wrkflw_tui.engine.lanes import run_lanes
from wrkflw_tui.engine.values import DictValue, StepFailed, TupleValue, Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.engine.nodes import Body, BranchNode, ParallelNode
    from wrkflw_tui.engine.retry import RetryPolicy
    from wrkflw_tui.engine.walk import Walk


async def walk_parallel(
    walk: Walk, node: ParallelNode, scope: str, value: Value, policy: RetryPolicy
) -> Value:
    """Give all arms the value, and return what they gave as a tuple in their order.

    It has a row only where failures were taken for values: so a later walk takes them for such
    too, and calls no arm again whose failure the next step has seen.
    """
    path = scope + node.id
    text = walk.success(path)
    settled = set(cast("list[str]", json.loads(text))) if text is not None else set[str]()
    arms = [arm for arm in node.arms if arm.id not in settled]
    gave = await _together(walk, arms, scope, value, policy, node.limit)
    failed = {id: outcome for id, outcome in gave.items() if isinstance(outcome, StepFailed)}
    if failed and not node.collects:
        raise next(iter(failed.values()))
    if failed:
        entry = walk.journal.start(path, node.id, "parallel", None)
        walk.journal.end(entry, "success", json.dumps([*settled, *failed]))
    outputs: list[Value] = []
    for arm in node.arms:
        outcome = gave.get(arm.id)
        is_output = isinstance(outcome, Value)
        outputs.append(outcome if is_output else walk.collected(scope + arm.id))
    return TupleValue(outputs)


async def walk_branch(
    walk: Walk, node: BranchNode, scope: str, value: Value, policy: RetryPolicy
) -> Value:
    """Walk the arm whose condition is the first that holds, or each whose condition does."""
    path = scope + node.id
    text = walk.success(path)
    if text is None:
        text = _decide(walk, node, scope, value)
    chosen = cast("list[str]", json.loads(text))
    arms = {arm.id: arm for arm in node.arms}
    for id in chosen:
        if id not in arms:
            gone = DefinitionError(f"{path} was decided for {id!r}, which is no arm any more")
            raise walk.failure(path, gone)
    if not node.takes_all:
        return await walk.visit(arms[chosen[0]], scope, value, policy)
    gave = await _together(walk, [arms[id] for id in chosen], scope, value, policy, None)
    outputs: dict[str, Value] = {}
    for id, outcome in gave.items():
        if isinstance(outcome, StepFailed):
            raise outcome
        outputs[id] = outcome
    return DictValue(outputs)


def _decide(walk: Walk, node: BranchNode, scope: str, value: Value) -> str:
    """Record which arms are taken, by their ids."""
    with walk.entered(scope + node.id, node.id, "branch", value) as entry:
        chosen: list[str] = []
        for condition, arm in node.cases:
            if walk.call(condition, entry, node.id, scope, value):
                chosen.append(arm.id)
                if not node.takes_all:
                    break
        if not chosen and not node.takes_all:
            if node.otherwise is None:
                tried = ", ".join(f"{c.name} (for {arm.id!r})" for c, arm in node.cases)
                raise NoConditionHolds(f"no condition of {entry.path} holds: {tried}")
            chosen.append(node.otherwise.id)
        text = json.dumps(chosen)
        walk.journal.end(entry, "success", text)
    return text


async def _together(
    walk: Walk,
    arms: Sequence[Body],
    scope: str,
    value: Value,
    policy: RetryPolicy,
    limit: int | None,
) -> dict[str, Value | StepFailed]:
    """Walk all arms to their ends; return what each gave, in their order."""
    outcomes: dict[str, Value | StepFailed] = {}

    async def walk_arm(index: int) -> bool:
        arm = arms[index]
        try:
            outcomes[arm.id] = await walk.visit(arm, scope, value, policy)
        except StepFailed as failed:
            outcomes[arm.id] = failed
        return True  # the others finish all the same

    await run_lanes(range(len(arms)), limit or len(arms), walk_arm)
    return {arm.id: outcomes[arm.id] for arm in arms}
