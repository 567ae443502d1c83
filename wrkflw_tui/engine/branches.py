"""Walking nodes with arms: parallel, branch and branch_all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.errors import DefinitionError, NoConditionHolds
from wrkflw_tui.engine.lanes import run_lanes
from wrkflw_tui.engine.values import DictValue, StepFailed, TupleValue, Value, Withdrawn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.engine.frames import Frame
    from wrkflw_tui.engine.nodes import Body, BranchNode, ParallelNode, RecoverNode
    from wrkflw_tui.engine.walk import Walk


async def walk_parallel(walk: Walk, node: ParallelNode, frame: Frame, value: Value) -> Value:
    """Give all arms the value, and return what they gave as a tuple in their order.

    It has a row only where failures were taken for values: so a later walk takes them for such
    too, and calls no arm again whose failure the next step has seen.
    """
    path = frame.prefix + node.id
    text = walk.success(path)
    settled = set(cast("list[str]", json.loads(text))) if text is not None else set[str]()
    arms = [arm for arm in node.arms if arm.id not in settled]
    gave = await _together(walk, arms, frame, value, node.limit, collects=node.collects)
    failed = {id: outcome for id, outcome in gave.items() if isinstance(outcome, StepFailed)}
    if failed:
        entry = walk.journal.start(path, node.id, "parallel", None)
        walk.journal.end(entry, "success", json.dumps([*settled, *failed]))
    outputs: list[Value] = []
    for arm in node.arms:
        outcome = gave.get(arm.id)
        is_output = isinstance(outcome, Value)
        outputs.append(outcome if is_output else walk.collected(frame.prefix + arm.id))
    return TupleValue(outputs)


async def walk_branch(walk: Walk, node: BranchNode, frame: Frame, value: Value) -> Value:
    """Walk the arm whose condition is the first that holds, or each whose condition does."""
    path = frame.prefix + node.id
    text = walk.success(path)
    if text is None:
        text = _decide(walk, node, frame, value)
    chosen = cast("list[str]", json.loads(text))
    arms = {arm.id: arm for arm in node.arms}
    for id in chosen:
        if id not in arms:
            gone = DefinitionError(f"{path} was decided for {id!r}, which is no arm any more")
            raise walk.failure(path, gone)
    if not node.takes_all:
        return await walk.visit(arms[chosen[0]], frame, value)
    gave = await _together(walk, [arms[id] for id in chosen], frame, value, None, collects=False)
    return DictValue({id: outcome for id, outcome in gave.items() if isinstance(outcome, Value)})


def _decide(walk: Walk, node: BranchNode, frame: Frame, value: Value) -> str:
    """Record which arms are taken, by their ids."""
    with walk.entered(frame.prefix + node.id, node.id, "branch", value) as entry:
        chosen: list[str] = []
        for condition, arm in node.cases:
            if walk.call(condition, entry, node.id, frame, value):
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


async def walk_recover(walk: Walk, node: RecoverNode, frame: Frame, value: Value) -> Value:
    """Walk the body; once it has finally failed, give its failure to the handler.

    A handler that was entered keeps its turn: what it is for is not tried again.
    """
    handler = frame.prefix + node.handler.id
    if walk.journal.find(handler) is None and walk.journal.forked_at != handler:
        try:
            return await walk.visit(node.body, frame, value)
        except StepFailed:
            pass
    failure = walk.collected(frame.prefix + node.body.id)
    return await walk.visit(node.handler, frame, failure)


async def _together(
    walk: Walk,
    arms: Sequence[Body],
    frame: Frame,
    value: Value,
    limit: int | None,
    *,
    collects: bool,
) -> dict[str, Value | StepFailed]:
    """Walk all arms to their ends; return what each gave, in their order.

    Raises the failure of the first that failed, unless failures are collected.
    """
    for arm in arms:
        if (bailed := walk.bailed(frame.prefix + arm.id, frame)) is not None:
            raise bailed
    inner = frame if collects else frame.with_arms()
    outcomes: dict[str, Value | StepFailed] = {}
    failed: list[StepFailed] = []

    async def walk_arm(index: int) -> bool:
        arm = arms[index]
        try:
            outcomes[arm.id] = await walk.visit(arm, inner, value)
        except StepFailed as failure:
            outcomes[arm.id] = failure
            if not collects:
                failed.append(failure)
                inner.failing = True
                walk.waits.withdraw()
        return True  # the others finish all the same

    try:
        await run_lanes(range(len(arms)), limit or len(arms), walk_arm, walk.waits)
    except Withdrawn:
        if not failed:
            raise
    if failed:
        raise failed[0]
    return {arm.id: outcomes[arm.id] for arm in arms}
