"""Walking nodes whose body goes more than once: foreach, do_while and do_until."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from wrkflw_tui.engine.errors import TooManyIterations
from wrkflw_tui.engine.lanes import run_lanes
from wrkflw_tui.engine.models import Progress
from wrkflw_tui.engine.values import ListValue, StepFailed, Value, Withdrawn

if TYPE_CHECKING:
    from wrkflw_tui.engine.frames import Frame
    from wrkflw_tui.engine.nodes import ForeachNode, LoopNode
    from wrkflw_tui.engine.values import Items
    from wrkflw_tui.engine.walk import Walk


async def walk_foreach(walk: Walk, node: ForeachNode, frame: Frame, value: Value) -> Value:
    """Walk the body with each item, and return what they gave as a list in their order.

    Its own row shows how far it is. Once all are through, the row holds the indexes of the items
    whose failures were taken for values: a later walk takes them for such too.
    """
    path = frame.prefix + node.id
    try:
        items = value.items()
    except TypeError as error:
        entry = walk.journal.start(path, node.id, "foreach", value.text)
        walk.fail(entry, TypeError(f"a foreach goes over a list, but {error}"))
    walk.item_counts[frame.prefix + node.body.id] = len(items)
    foreach = _Foreach(walk, node, frame, items)
    text = walk.success(path)
    waiting = foreach.take_recorded(cast("list[int]", json.loads(text)) if text else [])
    if text is None or waiting:
        await foreach.go(waiting)
    return ListValue(foreach.outputs)


class _Foreach:
    """One foreach of one walk."""

    def __init__(self, walk: Walk, node: ForeachNode, frame: Frame, items: Items) -> None:
        self._walk = walk
        self._node = node
        self._frame = frame if node.collects else frame.with_arms()
        self._items = items
        self._done = 0
        self._failed: list[int] = []
        self._first: tuple[int, StepFailed] | None = None
        self.outputs: list[Value] = []

    def take_recorded(self, settled: list[int]) -> list[int]:
        """Take what is on record; return the indexes of the items that still have to be walked."""
        schema = self._node.body.output_schema
        base = self._frame.prefix + self._node.body.id
        self._failed = settled
        failed = set(settled)
        missing = Value("null", schema)
        waiting: list[int] = []
        for index in range(len(self._items)):
            path = f"{base}[{index}]"
            text = self._walk.success(path)
            if text is not None:
                self._done += 1
                self.outputs.append(Value(text, schema))
            elif index in failed:
                self.outputs.append(self._walk.collected(path))
            else:
                if (bailed := self._walk.bailed(path, self._frame)) is not None:
                    raise bailed
                waiting.append(index)
                self.outputs.append(missing)
        return waiting

    async def go(self, waiting: list[int]) -> None:
        """Walk the items in their order, a few at once."""
        node, journal = self._node, self._walk.journal
        entry = self._walk.begin(self._frame.prefix + node.id, node.id, "foreach", None)

        def report() -> None:
            progress = Progress(self._done, len(self._items), failed=len(self._failed))
            journal.progress(entry, progress)

        async def walk_item(index: int) -> bool:
            try:
                await self._walk_item(index)
            finally:
                report()
            return node.collects or not self._failed

        report()
        with self._walk.inside(entry):
            try:
                await run_lanes(waiting, node.concurrency, walk_item, self._walk.waits)
            except Withdrawn:
                if self._first is None:
                    raise
            if self._first is not None:
                raise self._first[1]
        journal.end(entry, "success", json.dumps(sorted(self._failed)))

    async def _walk_item(self, index: int) -> None:
        suffix = f"[{index}]"
        body, frame = self._node.body, self._frame
        try:
            output = await self._walk.visit(body, frame, self._items[index], suffix)
        except StepFailed as failed:
            self._failed.append(index)
            if self._node.collects:
                self.outputs[index] = self._walk.collected(frame.prefix + body.id + suffix)
                return
            frame.failing = True
            self._walk.waits.withdraw()
            if self._first is None or index < self._first[0]:
                self._first = (index, failed)
        else:
            self._done += 1
            self.outputs[index] = output.raw()


async def walk_loop(walk: Walk, node: LoopNode, frame: Frame, value: Value) -> Value:
    """Walk the body until its condition says that it is enough; return what it gave last."""
    path = frame.prefix + node.id
    text = walk.success(path)
    if text is not None:
        return Value(text, node.body.output_schema)
    entry = walk.begin(path, node.id, "loop", value.text)
    with walk.inside(entry):
        for index in range(node.max_iterations):
            value = await walk.visit(node.body, frame, value, f"[{index}]")
            if not _goes_on(walk, node, frame, value, index):
                break
        else:
            often = f"{node.max_iterations} iteration{'s' if node.max_iterations > 1 else ''}"
            asked = "does not hold yet" if node.until else "still holds"
            error = TooManyIterations(f"after {often} {node.condition.name} {asked}")
            raise walk.failure(path, error)
    walk.journal.end(entry, "success", value.text)
    return value


def _goes_on(walk: Walk, node: LoopNode, frame: Frame, value: Value, index: int) -> bool:
    """Record what the condition says after an iteration."""
    path = f"{frame.prefix}{node.id}[{index}]"
    text = walk.success(path)
    if text is None:
        with walk.entered(path, node.id, "decision", value) as entry:
            holds = walk.call(node.condition, entry, node.id, frame, value, iteration=index + 1)
            text = "true" if holds else "false"
            walk.journal.end(entry, "success", text)
    return (text == "true") is not node.until
