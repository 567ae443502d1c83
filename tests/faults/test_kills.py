"""Runners and workers killed at random moments: no recorded step is called again."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from faults import killing
from faults.killing import Watch

if TYPE_CHECKING:
    from worker.harness import Bench, Worker

KILLS = {"runner": 38, "worker": 6, "both": 6}
RUNS = 12


class Killer:
    """Kills what a test started, and starts another worker in the place of one that is gone."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.rng = random.Random(seed)
        self.watch = Watch(bench)
        self.worker = self.start()
        self.kills: Counter[str] = Counter()

    def start(self) -> Worker:
        return self.bench.worker("--max-runs", "3")

    def kill(self, kind: str) -> None:
        self.bench.until(self.is_worth_it, "a step is at work")
        time.sleep(self.rng.uniform(0, 0.2))
        self.bench.until(self.watch.is_harmless, "no step is close to its last crash")
        runners = self.worker.runners()
        self.watch.note_successes()
        if kind != "worker" and runners:
            self.watch.end_runner(self.rng.choice(runners))
        if kind != "runner":
            self.worker.kill()
            self.worker = self.start()
            self.watch.unbegun.clear()
        self.kills[kind] += 1

    def is_worth_it(self) -> bool:
        return bool(self.bench.rows(killing.AT_WORK)) and bool(self.worker.runners())


def keep_busy(bench: Bench) -> None:
    open_runs = "SELECT count(*) FROM wrkflw_workflow_runs WHERE status IN ('queued', 'running')"
    ((found,),) = bench.rows(open_runs)
    for _ in range(RUNS - int(str(found))):
        bench.enqueue("job")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_recorded_step_is_called_again(bench: Bench) -> None:
    killing.write_job(bench)
    ids = killing.add_schedules(bench)
    killer = Killer(bench, seed=7)
    plan = [kind for kind, count in KILLS.items() for _ in range(count)]
    killer.rng.shuffle(plan)
    for kind in plan:
        keep_busy(bench)
        killing.make_due(bench, killer.rng.choice(ids))
        killer.kill(kind)
    assert killer.kills == KILLS

    bench.until(lambda: not bench.rows(killing.LATE), "every schedule has fired")
    bench.until(lambda: not bench.rows(killing.OPEN), "every run has ended", 40)
    killing.check_all(bench, killer.watch, ids)
    crashed = bench.rows("SELECT count(*) FROM wrkflw_step_results WHERE status = 'crashed'")
    assert int(str(crashed[0][0])) > 10, "the kills hit nothing"
