"""Two workers and three apps on one file, killed, stopped and continued at random.

    python tests/faults/chaos.py [--minutes 10] [--seed N]

Whatever happens to the processes: every run ends, no recorded step is called again, and the file
is sound.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

import psutil
from faults import killing
from faults.killing import Watch
from terminal import Terminal
from worker.harness import Bench, end_process, runners_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.harness import Worker

WORKERS = 2
APPS = 3
OPEN_RUNS = 20
"""Runs that are queued or going at any moment."""
LONGEST_STOP = 20.0
"""Seconds that a process is stopped at most: longer than a lease lasts."""
SETTLE = 120.0
"""Seconds that what is open may take once nothing is killed any more."""
TARGETS = ("worker", "app", "app's worker", "runner")


class Chaos:
    """The processes on one file, and who harms them."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.rng = random.Random(seed)
        self.watch = Watch(bench)
        self.deeds: Counter[str] = Counter()
        self.stopped: dict[int, threading.Timer] = {}
        self.seen: set[psutil.Process] = set()
        """Every worker and runner there ever was; their numbers are given away again in time."""
        killing.write_job(bench)
        self.schedules = killing.add_schedules(bench)
        self.workers = [self.start_worker() for _ in range(WORKERS)]
        self.apps = [self.start_app() for _ in range(APPS)]

    def start_worker(self) -> Worker:
        return self.bench.worker("--max-runs", "4")

    def start_app(self) -> Terminal:
        return Terminal.with_app(self.bench.folder, self.bench.database)

    def go_on(self, seconds: float) -> None:
        """Do harm for that long."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.look()
            self.keep_busy()
            if self.rng.random() < 0.2:
                killing.make_due(self.bench, self.rng.choice(self.schedules))
            if self.watch.is_harmless():
                self.harm(self.rng.choice(TARGETS))
            time.sleep(self.rng.uniform(0, 0.4))

    def look(self) -> None:
        """Read what the apps write, remember who is there, replace who is gone."""
        for n, app in enumerate(self.apps):
            app.read_what_is_there()
            if app.process.poll() is not None:
                app.close()
                self.apps[n] = self.start_app()
        for n, worker in enumerate(self.workers):
            if worker.process.poll() is not None:
                self.workers[n] = self.start_worker()
        for pid in self.all_workers():
            for one in (pid, *runners_of(pid)):
                with suppress(psutil.NoSuchProcess):
                    self.seen.add(psutil.Process(one))

    def all_workers(self) -> list[int]:
        pids = [worker.pid for worker in self.workers]
        for app in self.apps:
            with suppress(psutil.NoSuchProcess):
                pids += [child.pid for child in psutil.Process(app.process.pid).children()]
        return pids

    def keep_busy(self) -> None:
        ((found,),) = self.bench.rows(
            "SELECT count(*) FROM wrkflw_workflow_runs WHERE status IN ('queued', 'running')"
        )
        for _ in range(OPEN_RUNS - int(str(found))):
            self.bench.enqueue("job")

    def harm(self, target: str) -> None:
        """Kill or stop one process of a kind."""
        victims = self.victims(target)
        if not victims:
            return
        victim = self.rng.choice(victims)
        self.watch.note_successes()
        if self.rng.random() < 0.5:
            self.deeds[f"{target} stopped"] += self.stop(victim)
        elif target == "runner":
            self.watch.end_runner(victim)
            self.deeds["runner killed"] += 1
        else:
            end_process(victim)
            self.watch.unbegun.clear()
            self.deeds[f"{target} killed"] += 1

    def victims(self, target: str) -> list[int]:
        own = [worker.pid for worker in self.workers]
        match target:
            case "worker":
                return own
            case "app":
                return [app.process.pid for app in self.apps]
            case "app's worker":
                return [pid for pid in self.all_workers() if pid not in own]
            case _:
                return [runner for pid in self.all_workers() for runner in runners_of(pid)]

    def stop(self, pid: int) -> bool:
        """Stop a process for a while. Who holds a lock then makes all others wait."""
        if pid in self.stopped and self.stopped[pid].is_alive():
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        # Often shortly, now and then for longer than a lease lasts.
        seconds = LONGEST_STOP * self.rng.random() ** 3
        timer = self.stopped[pid] = threading.Timer(seconds, self.go, (pid,))
        timer.start()
        return True

    @staticmethod
    def go(pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def rest(self) -> None:
        """Do no more harm."""
        for pid, timer in self.stopped.items():
            timer.cancel()
            timer.join()
            self.go(pid)

    def until(self, condition: Callable[[], object], what: str, seconds: float = SETTLE) -> None:
        def looked() -> bool:
            self.look()
            return bool(condition())

        self.bench.until(looked, what, seconds)

    def check(self) -> None:
        """Let all that is open end, and check that nothing was lost or done twice."""
        self.rest()
        for id in self.schedules:
            killing.make_due(self.bench, id)
        self.until(lambda: not self.bench.rows(killing.LATE), "every schedule has fired")
        self.until(lambda: not self.bench.rows(killing.OPEN), "every run has ended")
        killing.check_all(self.bench, self.watch, self.schedules)

    def close(self) -> None:
        """End all, gently; nothing may be left."""
        self.rest()
        for app in self.apps:
            if app.process.poll() is None:
                app.process.terminate()
                app.read_to_end()
            app.close()
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
            worker.wait()
        self.bench.until(lambda: not self.left(), "no worker and no runner is left")

    def left(self) -> list[psutil.Process]:
        """The workers and runners that are still there."""
        return [one for one in self.seen if one.is_running() and one.status() != "zombie"]

    def end(self) -> None:
        """End what is left after a test that failed."""
        self.rest()
        for app in self.apps:
            app.close()
        for one in self.left():
            with suppress(psutil.NoSuchProcess):
                one.kill()

    def told(self) -> str:
        runs, steps, crashed = self.bench.rows(
            "SELECT (SELECT count(*) FROM wrkflw_workflow_runs), count(*),"
            " sum(status = 'crashed') FROM wrkflw_step_results"
        )[0]
        deeds = ", ".join(f"{what} {count}" for what, count in sorted(self.deeds.items()))
        return f"{runs} runs, {steps} attempts, {crashed} crashed; {deeds}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="wrkflw-chaos-") as place:
        bench = Bench(Path(place))
        chaos = Chaos(bench, options.seed)
        try:
            chaos.go_on(options.minutes * 60)
            chaos.check()
            chaos.close()
        finally:
            chaos.end()
            bench.close()
        print(chaos.told())


if __name__ == "__main__":
    main()
