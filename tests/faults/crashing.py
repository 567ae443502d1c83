"""The process that `test_crashes` kills: it walks runs in its own event loop until all have ended.

Run as a program it has imported everything and forks a process for each word that it reads; so a
life begins in a few milliseconds, and is a process of its own all the same.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
import traceback
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # noqa: F401 - each life would import it anew
import psutil  # noqa: F401

from wrkflw_tui import (
    NotSuspended,
    RetryPolicy,
    RunAlreadyClaimed,
    RunEnded,
    StepContext,
    WorkflowFailed,
    WorkflowStorage,
    WorkflowSuspended,
    create_workflow,
    step,
)
from wrkflw_tui.engine.models import ENDED

if TYPE_CHECKING:
    from wrkflw_tui import Question, Workflow

OPEN = 10
"""Runs that are on their way at once."""
LONGEST = 0.03
"""Seconds that a step takes at most."""
LOOK = 0.03
State = dict[str, int]


def mark(word: str, context: StepContext) -> None:
    """Leave a line in the world outside."""
    now = time.time_ns() // 1000
    line = f"{word} {context.run_id} {context.path} {context.attempt} {now} {os.getpid()}\n"
    descriptor = os.open("effects.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, line.encode())
    os.fsync(descriptor)
    os.close(descriptor)


@step
async def work(value: int, context: StepContext) -> int:
    mark("begin", context)
    await asyncio.sleep(random.uniform(0, LONGEST))
    mark("end", context)
    return value + 1


@step
def on_a_thread(value: int, context: StepContext) -> int:
    mark("begin", context)
    time.sleep(random.uniform(0, LONGEST))
    mark("end", context)
    return value + 1


@step(retry=RetryPolicy(max_attempts=50, initial_delay=timedelta(milliseconds=10)))
async def fails_at_odds(value: int, context: StepContext) -> int:
    mark("begin", context)
    if context.attempt % 2:
        raise OSError("at odds")
    mark("end", context)
    return value + 1


@step
async def asks_twice(value: int, context: StepContext) -> int:
    mark("begin", context)
    total = context.suspend(int, key="first") + context.suspend(int, key="second")
    mark("end", context)
    return value + total


@step
async def counts(value: int, context: StepContext) -> int:
    mark("begin", context)
    state = context.get_state(State)
    context.set_state({**state, "n": state.get("n", 0) + 1, context.path: value})
    await asyncio.sleep(random.uniform(0, LONGEST))
    mark("end", context)
    return value + 1


def begin(id: str, gives: Any = int, state: Any = None) -> Any:
    return create_workflow(id=id, input_schema=int, output_schema=gives, state_schema=state)


def two_steps(id: str, first: Any = work, second: Any = work) -> Workflow[int, int]:
    return begin(id).then(first.with_id("one")).then(second.with_id("two")).commit()


def add_up(values: tuple[int, ...] | list[int]) -> int:
    return sum(values)


def numbers(value: int) -> list[int]:
    return [value + number for number in range(6)]


def uses(n: int, of: Any = work) -> list[Any]:
    return [of.with_id(f"step-{number}") for number in range(n)]


def sequence() -> Any:
    builder = begin("sequence")
    for number, body in enumerate([work, on_a_thread, fails_at_odds, work, on_a_thread]):
        builder = builder.then(body.with_id(f"step-{number}"))
    return builder.commit()


def arms() -> Any:
    nested = two_steps("nested")
    builder = begin("arms").parallel(work, on_a_thread, nested, fails_at_odds, limit=3)
    return builder.map(add_up).then(work.with_id("last")).commit()


def items() -> Any:
    builder = (
        begin("items").map(numbers).foreach(two_steps("item", work, fails_at_odds), concurrency=3)
    )
    return builder.map(add_up).then(work.with_id("last")).commit()


def loop() -> Any:
    inner = (
        begin("round")
        .then(work)
        .branch((lambda n: n % 2 == 0, work.with_id("even")), otherwise=two_steps("odd"))
    )
    builder = begin("loop").do_until(inner.commit(), lambda _, context: context.iteration == 4)
    return builder.commit()


def questions() -> Any:
    asking = begin("asking").parallel(asks_twice, asks_twice.with_id("other"), work)
    builder = begin("questions").then(work).then(asking.map(add_up).commit())
    builder = builder.wait_for("paid", int).then(work.with_id("last"))
    return builder.commit()


def sleeper() -> Any:
    builder = begin("sleeper").then(work).sleep(timedelta(milliseconds=50))
    builder = builder.then(work.with_id("between")).sleep(timedelta(seconds=5.2))
    return builder.then(work.with_id("last")).commit()


def counter() -> Any:
    nested = begin("nested", state=State).then(counts).then(counts.with_id("again")).commit()
    builder = begin("counter", state=State).then(counts).then(nested)
    builder = builder.then(counts.with_id("last"))
    return builder.map(lambda n, context: n + 100 * context.get_state(State)["n"], int).commit()


FLOWS: dict[str, Any] = {
    flow.id: flow
    for flow in (sequence(), arms(), items(), loop(), questions(), sleeper(), counter())
}
ANSWER, PAYLOAD = 10, 1000
OUTPUTS = {
    "sequence": 6,
    "arms": 10,
    "items": 34,
    "loop": 9,
    "questions": PAYLOAD + 1,
    "sleeper": 4,
    "counter": 405,
}
"""What each gives for the input 1."""


class Life:
    """One process: it takes up every run that has not ended, and begins others."""

    def __init__(self) -> None:
        self.storage = WorkflowStorage("wrkflw.db")
        self.tasks: dict[str, asyncio.Task[None]] = {}
        random.seed()

    async def live(self) -> None:
        while True:
            runs = await self.storage.list_runs(limit=2000)
            left = {run.run_id for run in runs if run.status not in ENDED}
            may_begin = not os.path.exists("enough")  # noqa: ASYNC240 - it takes microseconds
            if not left and not may_begin:
                return
            if may_begin:
                for _ in range(OPEN - len(left)):
                    left.add(f"{random.choice(list(FLOWS))}.{random.getrandbits(48):x}")
            for run_id in sorted(left, key=lambda _: random.random()):
                if run_id not in self.tasks or self.tasks[run_id].done():
                    if run_id in self.tasks:
                        self.tasks.pop(run_id).result()
                    self.tasks[run_id] = asyncio.create_task(self.walk(run_id, runs))
            await asyncio.sleep(LOOK)

    async def walk(self, run_id: str, known: list[Any]) -> None:
        flow = FLOWS[run_id.partition(".")[0]]
        run = flow.create_run(run_id, storage=self.storage)
        try:
            if any(other.run_id == run_id for other in known):
                await run.recover()
            else:
                await run.start(1)
        except WorkflowSuspended as suspended:
            with suppress(NotSuspended, RunEnded):  # another process has told it
                await self.tell(run, random.choice(suspended.questions))
        except (RunAlreadyClaimed, RunEnded, WorkflowFailed):
            pass  # another process has it, or was quicker; the record says how it failed

    async def tell(self, run: Any, question: Question) -> None:
        if question.kind == "event":
            await run.send_event("paid", PAYLOAD)
        else:
            answer = str(ANSWER)
            await self.storage.answer(run.run_id, question.path, question.key, answer)


def live() -> None:
    """Be a process of its own, until it is killed or nothing is left to do."""
    try:
        asyncio.run(Life().live())
    except BaseException:
        Path(f"error-{os.getpid()}.txt").write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            live()
        print(pid, flush=True)


if __name__ == "__main__":
    main()
