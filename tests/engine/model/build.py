"""Makes the workflow that a tree describes, whose functions note how they are called."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.model.tree import (
    SIZE,
    Boom,
    Branch,
    Flow,
    Foreach,
    Loop,
    Map,
    Parallel,
    Sleep,
    Step,
    Then,
    Wait,
    fold,
    holds,
    items_of,
    weigh,
)

from wrkflw_tui import RetryPolicy, StepContext, StepFailure, create_step, create_workflow

if TYPE_CHECKING:
    from engine.model.tree import Body, Node

    from wrkflw_tui import Workflow, WorkflowSnapshot
    from wrkflw_tui.engine.clock import Clock

State = dict[str, int]


@dataclass
class World:
    """What is outside of a run: who was called, and how often who has failed."""

    clock: Clock
    failures: Counter[str] = field(default_factory=Counter[str])
    recorded: set[str] = field(default_factory=set[str])
    """Paths with a success on record when this life began, or that gave one in it."""
    calls: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])

    @classmethod
    def over(cls, snapshot: WorkflowSnapshot | None, clock: Clock) -> World:
        """Begin a life over what is on record."""
        world = cls(clock)
        if snapshot is not None:
            world.failures.update(a.path for a in snapshot.all_attempts if a.status == "failed")
            world.recorded = {
                path
                for path, result in snapshot.step_results.items()
                if result.status in ("success", "bailed")
                or (result.kind == "sleep" and result.status == "waiting")
            }
        return world

    def called(self, path: str) -> None:
        """Note a call; none may follow its success."""
        self.calls[path] += 1
        if path in self.recorded:
            self.wrong.append(f"{path} was called though it is on record")


class _Maker:
    def __init__(self, world: World) -> None:
        self.world = world

    def flow(self, flow: Flow, *, state: bool, alone: bool, failure: bool = False) -> Any:
        takes: Any = StepFailure if failure else int
        builder: Any = create_workflow(
            id=flow.id,
            input_schema=takes,
            output_schema=int,
            state_schema=State if flow.state else None,
            retry=_policy(flow.attempts, 0),
        )
        if failure:
            builder = builder.map(weigh, id="weigh")
        for node in flow.nodes:
            builder = self.node(builder, node, flow.state, alone)
        return builder.commit()

    def body(self, body: Body, state: bool, alone: bool, failure: bool = False) -> Any:
        if isinstance(body, Flow):
            return self.flow(body, state=state, alone=alone, failure=failure)
        return self.step(body, state, alone, failure)

    def step(self, step: Step, state: bool, alone: bool, failure: bool) -> Any:
        world = self.world

        def begin(given: Any, context: StepContext) -> int:
            path, value = context.path, weigh(given)
            world.called(path)
            total = value
            if step.sets and state:
                seen = context.get_state(State)
                total += len(seen.keys() - {path}) if alone else 0
                context.set_state({**seen, path: value})
            return total

        def end(total: int, given: Any, context: StepContext) -> int:
            path, value = context.path, weigh(given)
            if step.only is None or value % 3 == step.only:
                for number in range(step.asks):
                    total += context.suspend(int, key=f"q{number}")
                if world.failures[path] < step.fails:
                    world.failures[path] += 1
                    raise Boom(path)
                if step.bails:
                    context.bail(total % SIZE)
            world.recorded.add(path)
            return (total + 1) % SIZE

        def on_a_thread(given: Any, context: StepContext) -> int:
            return end(begin(given, context), given, context)

        async def in_the_loop(given: Any, context: StepContext) -> int:
            total = begin(given, context)
            for _ in range(step.turns):
                await asyncio.sleep(0)
            return end(total, given, context)

        takes: Any = StepFailure if failure else int
        return create_step(
            id=step.id,
            input_schema=takes,
            output_schema=int,
            execute=on_a_thread if step.thread else in_the_loop,
            retry=_policy(step.attempts, step.pause),
        )

    def node(self, builder: Any, node: Node, state: bool, alone: bool) -> Any:
        match node:
            case Then(body, None):
                return builder.then(self.body(body, state, alone))
            case Then(body, recover):
                assert recover is not None
                handler = self.body(recover, state, alone, failure=True)
                return builder.then(self.body(body, state, alone), recover=handler)
            case Map():
                return self.map(builder, node.id, lambda n: (n * 2 + 1) % SIZE, int, node.fails)
            case Parallel():
                arms = [self.body(arm, state, False) for arm in node.arms]
                error = "collect" if node.collect else "fail"
                builder = builder.parallel(*arms, limit=node.limit, on_error=error, id=node.id)
                return self.map(builder, f"{node.id}-fold", fold)
            case Branch():
                return self.branch(builder, node, state, alone)
            case Foreach():
                builder = self.map(
                    builder, f"{node.id}-items", lambda n: items_of(n, node.items), list[int]
                )
                error = "collect" if node.collect else "fail"
                body = self.body(node.body, state, False)
                builder = builder.foreach(
                    body, concurrency=node.concurrency, on_error=error, id=node.id
                )
                return self.map(builder, f"{node.id}-fold", fold)
            case Loop():
                return self.loop(builder, node, self.body(node.body, state, alone))
            case Sleep():
                return self.sleep(builder, node)
            case Wait(late=True):
                return builder.wait_for("late", int, timedelta(seconds=30), id=node.id)
            case Wait():
                return builder.wait_for("go", int, id=node.id)

    def map(
        self, builder: Any, id: str, function: Any, gives: Any = int, fails: bool = False
    ) -> Any:
        def mapped(value: object, context: StepContext) -> object:
            self.world.called(context.path)
            if fails:
                raise Boom(context.path)
            self.world.recorded.add(context.path)
            return function(value)

        return builder.map(mapped, output_schema=gives, id=id)

    def branch(self, builder: Any, node: Branch, state: bool, alone: bool) -> Any:
        alone = alone and not node.takes_all

        def condition(number: int) -> Any:
            def case(value: int, context: StepContext) -> bool:
                self.world.called(context.path)
                return holds(number, value)

            return case

        cases = [(condition(number), self.body(arm, state, alone)) for number, arm in node.cases]
        if node.takes_all:
            return self.map(builder.branch_all(*cases, id=node.id), f"{node.id}-fold", fold)
        last = None if node.otherwise is None else self.body(node.otherwise, state, alone)
        return builder.branch(*cases, otherwise=last, id=node.id)

    def loop(self, builder: Any, node: Loop, body: Any) -> Any:
        def is_over(value: int, context: StepContext) -> bool:
            self.world.called(context.path)
            self.world.recorded.add(context.path)
            return context.iteration >= node.times

        def goes_on(value: int, context: StepContext) -> bool:
            return not is_over(value, context)

        if node.until:
            return builder.do_until(body, is_over, max_iterations=node.at_most, id=node.id)
        return builder.do_while(body, goes_on, max_iterations=node.at_most, id=node.id)

    def sleep(self, builder: Any, node: Sleep) -> Any:
        duration = timedelta(seconds=node.seconds)

        def computed(value: int, context: StepContext) -> Any:
            self.world.called(context.path)
            if node.fails:
                raise Boom(context.path)
            self.world.recorded.add(context.path)
            return self.world.clock.now() + duration if node.until else duration

        if node.until:
            given = computed if node.computed else self.world.clock.now() + duration
            return builder.sleep_until(given, id=node.id)
        return builder.sleep(computed if node.computed else duration, id=node.id)


def _policy(attempts: int | None, pause: int) -> RetryPolicy | None:
    if attempts is None:
        return None
    return RetryPolicy(max_attempts=attempts, initial_delay=timedelta(seconds=pause))


def workflow_of(tree: Flow, world: World) -> Workflow[int, int]:
    """Build the workflow anew, as a new process does."""
    return _Maker(world).flow(tree, state=False, alone=True)
