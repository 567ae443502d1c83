"""How much a durable step costs, beside the least that it can cost on the same machine.

    python tests/benchmarks/engine.py [--rounds N] [--quick]

The floor is a bare loop: validate, call, validate, serialise, commit with `synchronous=FULL`. It is
measured twice, committing in the loop and through one writer thread that groups what waits, and
in turns with the engine, so that a noisy moment falls on all of them. All figures are medians.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import queue
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, TypeAdapter

sys.path.insert(0, str(Path(__file__).parents[2]))

from wrkflw_tui import WorkflowStorage, create_workflow, step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wrkflw_tui import Workflow

STEPS = 10


class Count(BaseModel):
    n: int


async def add_one(count: Count) -> Count:
    return Count(n=count.n + 1)


add_one_step = step(add_one)
COUNT = TypeAdapter(Count)


def chain(length: int) -> Workflow[Count, Count]:
    builder = create_workflow(id="chain", input_schema=Count, output_schema=Count)
    for n in range(length):
        builder = builder.then(add_one_step.with_id(f"s-{n}"))
    return builder.commit()


# The floor


def open_floor(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, status TEXT, done INTEGER)"
    )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS steps (run TEXT, n INTEGER, path TEXT, output TEXT,"
        " PRIMARY KEY (run, n)) WITHOUT ROWID"
    )
    return connection


def write_step(connection: sqlite3.Connection, run: str, n: int, text: str) -> None:
    connection.execute("INSERT INTO steps VALUES (?, ?, ?, ?)", (run, n, f"s-{n}", text))
    connection.execute("UPDATE runs SET done = ? WHERE id = ?", (n, run))


def write_run(connection: sqlite3.Connection, run: str) -> None:
    connection.execute("INSERT OR IGNORE INTO runs VALUES (?, 'running', 0)", (run,))


class InLoop:
    """Commits in the loop's own thread."""

    def __init__(self, path: Path) -> None:
        self._connection = open_floor(path)

    async def commit(self, run: str, n: int, text: str) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        if n == 1:
            write_run(self._connection, run)
        write_step(self._connection, run, n, text)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


class Grouped:
    """Hands its commits to one writer thread, which takes together what waits."""

    def __init__(self, path: Path) -> None:
        self._connection = open_floor(path)
        self._queue: queue.SimpleQueue[tuple[str, int, str, asyncio.Future[None]] | None] = (
            queue.SimpleQueue()
        )
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    async def commit(self, run: str, n: int, text: str) -> None:
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((run, n, text, done))
        await done

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            self._connection.execute("BEGIN IMMEDIATE")
            for run, n, text, _ in batch:
                if n == 1:
                    write_run(self._connection, run)
                write_step(self._connection, run, n, text)
            self._connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_release, [done for *_, done in batch])

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._connection.close()


def _release(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)


async def bare_run(floor: InLoop | Grouped, run: str, length: int) -> None:
    text = COUNT.dump_json(Count(n=0)).decode()
    for n in range(1, length + 1):
        value = COUNT.validate_json(text)
        output = COUNT.validate_python(await add_one(value))
        text = COUNT.dump_json(output).decode()
        await floor.commit(run, n, text)


# What is measured


@dataclass
class Series:
    """What one contender took in each round, in seconds."""

    name: str
    seconds: list[float] = field(default_factory=list[float])

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    gc.collect()
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def compare(
    folder: Path, rounds: int, runs: int, repeat: int
) -> tuple[Series, Series, Series]:
    """Measure `runs` at once of ten steps: the engine and both floors, in turns."""
    engine, in_loop, grouped = Series("engine"), Series("in the loop"), Series("one writer")
    storage = WorkflowStorage(folder / f"engine-{runs}.db")
    floors = InLoop(folder / f"loop-{runs}.db"), Grouped(folder / f"writer-{runs}.db")
    flow = chain(STEPS)
    number = 0

    async def ours() -> None:
        starts = (flow.create_run(storage=storage).start(Count(n=0)) for _ in range(runs))
        await asyncio.gather(*starts)

    async def bare(floor: InLoop | Grouped) -> None:
        nonlocal number
        number += runs
        first = number
        await asyncio.gather(*(bare_run(floor, f"{first + n}", STEPS) for n in range(runs)))

    contenders: list[tuple[Series, Callable[[], Awaitable[object]]]] = [
        (engine, ours),
        (in_loop, lambda: bare(floors[0])),
        (grouped, lambda: bare(floors[1])),
    ]
    for _, work in contenders:
        await work()  # warm
    for _ in range(rounds):
        for series, work in contenders:
            series.seconds.append(statistics.median([await timed(work) for _ in range(repeat)]))
    await storage.close()
    for floor in floors:
        floor.close()
    return engine, in_loop, grouped


@dataclass
class LongRun:
    """A run of many steps: what the first thousandth costs beside the last, and in memory."""

    first: float
    last: float
    seconds: float
    bytes_a_step: float


async def long_run(folder: Path, length: int, window: int, *, memory: bool) -> LongRun:
    marks: list[float] = []

    @step(id="mark")
    async def mark(count: Count) -> Count:
        marks.append(time.perf_counter())
        return Count(n=count.n + 1)

    builder = create_workflow(id="long", input_schema=Count, output_schema=Count)
    for n in range(length):
        builder = builder.then(mark.with_id(f"s-{n}"))
    flow = builder.commit()
    storage = WorkflowStorage(folder / f"long-{memory}.db")
    await chain(1).create_run(storage=storage).start(Count(n=0))
    _ = flow.graph, flow.definition_hash
    if memory:
        tracemalloc.start()
    began = time.perf_counter()
    await flow.create_run(storage=storage).start(Count(n=0))
    seconds = time.perf_counter() - began
    peak = 0
    if memory:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    await storage.close()
    return LongRun(
        (marks[window - 1] - marks[0]) / (window - 1),
        (marks[-1] - marks[-window]) / (window - 1),
        seconds,
        peak / length,
    )


async def measure(rounds: int, runs: int, length: int, repeat: int = 5) -> list[str]:
    """Measure all and return the lines of the report."""
    lines: list[str] = []
    with tempfile.TemporaryDirectory(prefix="wrkflw-bench-") as name:
        folder = Path(name)
        one = await compare(folder, rounds, 1, repeat)
        lines += report(f"{STEPS} steps, one run", one, one[1:], "<= 2x, better <= 1.5x")
        many = await compare(folder, rounds, runs, 1)
        lines += report(f"{STEPS} steps, {runs} runs at once", many, many[2:], "<= 3x")
        window = max(2, length // 10)
        longs = [
            await long_run(Path(tempfile.mkdtemp(dir=folder)), length, window, memory=False)
            for _ in range(3)
        ]
        first = statistics.median(long.first for long in longs)
        last = statistics.median(long.last for long in longs)
        ratio = statistics.median(long.last / long.first for long in longs)
        lines += [
            f"{length} steps in one run: {statistics.median(r.seconds for r in longs):.2f} s",
            f"  the first {window}: {first * 1e6:.0f} us a step, the last: {last * 1e6:.0f} us,"
            f" {ratio:.2f}x (target <= 1.3x)",
        ]
        weighed = await long_run(folder, length, window, memory=True)
        lines.append(f"  peak memory: {weighed.bytes_a_step:.0f} bytes a step (target <= 1024)")
    return lines


def report(
    title: str, series: tuple[Series, ...], floors: tuple[Series, ...], target: str
) -> list[str]:
    lines = [title]
    for one in series:
        spread = f"{min(one.seconds) * 1e3:.2f} to {max(one.seconds) * 1e3:.2f}"
        lines.append(f"  {one.name:<12} {one.median * 1e3:9.2f} ms  ({spread})")
    for floor in floors:
        rounds = zip(series[0].seconds, floor.seconds, strict=True)
        ratio = statistics.median(ours / bare for ours, bare in rounds)
        lines.append(f"  {ratio:.2f}x of {floor.name} (target {target})")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only that it runs")
    options = parser.parse_args()
    sizes = (2, 3, 30, 1) if options.quick else (options.rounds, 100, 10_000, 5)
    print("\n".join(asyncio.run(measure(*sizes))))


if __name__ == "__main__":
    main()
