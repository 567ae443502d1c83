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
import statistics
import sys
import tempfile
import time
import tracemalloc
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from floor import Count, Grouped, InLoop, add_one, bare_foreach, bare_run

from wrkflw_tui import WorkflowFailed, WorkflowStorage, create_workflow, step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wrkflw_tui import Workflow

STEPS = 10
WIDTH = 10
"""Items of a foreach at a time."""


add_one_step = step(add_one)


def chain(length: int) -> Workflow[Count, Count]:
    builder = create_workflow(id="chain", input_schema=Count, output_schema=Count)
    for n in range(length):
        builder = builder.then(add_one_step.with_id(f"s-{n}"))
    return builder.commit()


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


@dataclass
class Foreach:
    """What a foreach took beside the bare lanes, in seconds, and in memory."""

    seconds: float
    bare: float
    bytes_an_item: float


def over_models() -> Workflow[Count, Count]:
    @step(id="items")
    async def numbers(count: Count) -> list[Count]:
        return [Count(n=n) for n in range(count.n)]

    def done(counts: list[Count]) -> Count:
        return Count(n=len(counts))

    builder = create_workflow(id="foreach", input_schema=Count, output_schema=Count)
    return builder.then(numbers).foreach(add_one_step, concurrency=WIDTH).map(done).commit()


def over_numbers() -> Workflow[Count, Count]:
    """The same with bare numbers: ten thousand models in a list are the author's own memory."""

    @step(id="items")
    async def numbers(count: Count) -> list[int]:
        return list(range(count.n))

    @step(id="add")
    async def add(n: int) -> int:
        return n + 1

    def done(counts: list[int]) -> Count:
        return Count(n=len(counts))

    builder = create_workflow(id="foreach", input_schema=Count, output_schema=Count)
    return builder.then(numbers).foreach(add, concurrency=WIDTH).map(done).commit()


async def foreach(folder: Path, items: int, *, memory: bool = False) -> Foreach:
    flow = over_numbers() if memory else over_models()
    storage = WorkflowStorage(folder / f"foreach-{items}.db")
    await chain(1).create_run(storage=storage).start(Count(n=0))
    if memory:
        tracemalloc.start()
    seconds = await timed(lambda: flow.create_run(storage=storage).start(Count(n=items)))
    peak = 0
    if memory:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    await storage.close()
    floor = Grouped(folder / f"lanes-{items}.db")
    bare = await timed(lambda: bare_foreach(floor, "bare", items, WIDTH))
    floor.close()
    return Foreach(seconds, bare, peak / items)


async def recovery(folder: Path, length: int) -> float:
    """Return the seconds from taking up a run of that many recorded steps to its next step."""
    began = 0.0
    took: list[float] = []

    @step(id="next")
    async def next_step(count: Count) -> Count:
        if not took and began == 0.0:
            raise OSError("walked on in a moment")
        took.append(time.perf_counter() - began)
        return count

    builder = create_workflow(id="again", input_schema=Count, output_schema=Count)
    for n in range(length):
        builder = builder.then(add_one_step.with_id(f"s-{n}"))
    flow = builder.then(next_step).commit()
    file = folder / "recovery.db"
    storage = WorkflowStorage(file)
    run = flow.create_run(storage=storage)
    with suppress(WorkflowFailed):
        await run.start(Count(n=0))
    await storage.close()
    storage = WorkflowStorage(file)  # nothing but the file is left of the first walk
    began = time.perf_counter()
    await (await flow.get_run(run.run_id, storage)).recover()
    await storage.close()
    return took[0]


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
        lines += await measure_foreach(folder, length, rounds)
        seconds = await recovery(folder, length)
        lines.append(
            f"recovery of a run with {length} recorded steps to its next step:"
            f" {seconds:.3f} s (target < 1 s)"
        )
    return lines


async def measure_foreach(folder: Path, items: int, rounds: int) -> list[str]:
    few, lines = max(WIDTH, items // 10), list[str]()
    pairs: list[tuple[Foreach, Foreach]] = []
    for _ in range(max(2, rounds // 2)):
        inside = Path(tempfile.mkdtemp(dir=folder))
        pairs.append((await foreach(inside, few), await foreach(inside, items)))
    for which, count in ((0, few), (1, items)):
        ours = statistics.median(pair[which].seconds for pair in pairs)
        ratio = statistics.median(pair[which].seconds / pair[which].bare for pair in pairs)
        lines.append(
            f"foreach over {count} items, {WIDTH} at a time: {ours:.3f} s,"
            f" {ours / count * 1e6:.0f} us an item, {ratio:.2f}x of one writer (target <= 3x)"
        )
    growth = statistics.median(
        (many.seconds / items) / (some.seconds / few) for some, many in pairs
    )
    weighed = await foreach(Path(tempfile.mkdtemp(dir=folder)), items, memory=True)
    return [
        *lines,
        f"  an item of the {items} beside one of the {few}: {growth:.2f}x (target <= 1.3x)",
        f"  peak memory: {weighed.bytes_an_item:.0f} bytes an item (target <= 1024)",
    ]


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
