"""The app killed at random moments, alone or with what works for it: nothing is lost or doubled."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from faults import killing
from faults.killing import Watch
from terminal import Terminal
from worker.harness import all_gone, end_process, is_gone, runners_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.harness import Bench

KILLS = {"app": 9, "app and worker": 4, "app and runner": 4}
RUNS = 3
"""How many are enqueued for each life of the app."""


class Lives:
    """One app after the other, each on a terminal of its own."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.rng = random.Random(seed)
        self.watch = Watch(bench)
        self.workers: set[int] = set()
        self.with_steps = 0
        self.terminal = self.start()

    def start(self) -> Terminal:
        return Terminal.with_app(self.bench.folder, self.bench.database)

    def until(self, condition: Callable[[], object], what: str, seconds: float = 30) -> None:
        """Wait, and read meanwhile what the app writes, as a terminal does."""

        def looked() -> bool:
            self.terminal.read_what_is_there()
            return bool(condition())

        self.bench.until(looked, what, seconds)

    def live(self, kind: str) -> None:
        """Let the app live for a while, kill it and what else is to die with it, start the next."""
        if self.rng.random() < 0.7:
            self.until(self.is_at_work, "a step is at work")
            time.sleep(self.rng.uniform(0, 0.3))
        else:
            time.sleep(self.rng.uniform(0, 0.8))  # it may be at any point of its start
        self.until(self.watch.is_harmless, "no step is close to its last crash")
        self.kill(kind)
        if self.rng.random() < 0.3:
            self.until(self.is_done, "the worker of the dead app has done all and ended")
        self.terminal = self.start()

    def is_at_work(self) -> bool:
        return bool(self.bench.rows(killing.AT_WORK))

    def kill(self, kind: str) -> None:
        worker = self.note_workers()
        runners = runners_of(worker) if worker is not None else []
        self.with_steps += self.is_at_work()
        self.watch.note_successes()
        self.terminal.process.kill()
        if kind == "app and worker" and worker is not None:
            end_process(worker)
            self.watch.unbegun.clear()
        if kind == "app and runner" and runners:
            self.watch.end_runner(self.rng.choice(runners))
        self.terminal.close()

    def note_workers(self) -> int | None:
        """Remember the app's children; return the process that holds the lease, if one does."""
        app = psutil.Process(self.terminal.process.pid)
        self.workers |= {child.pid for child in app.children()}
        held = self.bench.rows("SELECT pid FROM wrkflw_leases WHERE name = 'worker'")
        pids = [int(str(pid)) for (pid,) in held]
        self.workers |= set(pids)
        return next((pid for pid in pids if not is_gone(pid)), None)

    def is_done(self) -> bool:
        """Whether every worker has ended; one that was left alone has then done all its work."""
        return all_gone(self.workers)

    def close(self) -> None:
        self.terminal.close()
        for pid in self.workers:
            if not is_gone(pid):
                end_process(pid)


@pytest.fixture
def lives(bench: Bench) -> Iterator[Lives]:
    killing.write_job(bench)
    made = Lives(bench, seed=11)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_an_app_that_is_killed_loses_nothing_and_does_nothing_twice(
    bench: Bench, lives: Lives
) -> None:
    ids = killing.add_schedules(bench)
    plan = [kind for kind, count in KILLS.items() for _ in range(count)]
    lives.rng.shuffle(plan)
    for kind in plan:
        for _ in range(RUNS):
            bench.enqueue("job")
        killing.make_due(bench, lives.rng.choice(ids))
        lives.live(kind)
    for id in ids:
        killing.make_due(bench, id)

    lives.until(lambda: lives.note_workers() is not None, "the last app has a worker")
    lives.until(lambda: not bench.rows(killing.LATE), "every schedule has fired")
    lives.until(lambda: not bench.rows(killing.OPEN), "every run has ended", 40)
    lives.terminal.read_until(b"job")
    lives.terminal.process.terminate()
    assert lives.terminal.read_to_end() == 128 + signal.SIGTERM
    lives.until(lives.is_done, "no worker is left")
    assert bench.rows("SELECT * FROM wrkflw_leases") == []
    killing.check_all(bench, lives.watch, ids)
    assert lives.with_steps > 7, "the kills hit nothing"
