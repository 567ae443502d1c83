"""Runners and workers killed at random moments: no recorded step is called again."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from worker.harness import end_process

from wrkflw_tui.schedules.scheduler import run_id_for
from wrkflw_tui.store import schedules

if TYPE_CHECKING:
    from worker.harness import Bench, Worker

KILLS = {"runner": 38, "worker": 6, "both": 6}
RUNS = 12
STEPS = 6
SCHEDULES = 6
CODE = """
import random

def mark(word, context):
    fd = os.open("effects.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    now = time.time_ns() // 1000
    line = f"{word} {context.run_id} {context.path} {context.attempt} {now} {os.getpid()}\\n"
    os.write(fd, line.encode())
    os.fsync(fd)
    os.close(fd)
"""
ASYNC_STEP = """
@step
async def step_{n}(value: int, context: StepContext) -> int:
    mark("begin", context)
    await asyncio.sleep(random.uniform(0, 0.3))
    mark("end", context)
    return value + 1
"""
SYNC_STEP = """
@step
def step_{n}(value: int, context: StepContext) -> int:
    mark("begin", context)
    time.sleep(random.uniform(0, 0.3))
    mark("end", context)
    return value + 1
"""
CLOSE_TO_THE_END = """
    SELECT count(*) FROM (
        SELECT r.id, s.path,
               sum(s.status = 'crashed') AS crashes, sum(s.status = 'success') AS successes
          FROM wrkflw_workflow_runs AS r JOIN wrkflw_step_results AS s ON s.run = r.id
         WHERE r.status IN ('queued', 'running') GROUP BY r.id, s.path)
     WHERE crashes >= 2 AND successes = 0
"""
"""Steps that the next crash would fail for good, which is not what is looked at here."""
WITHOUT_A_STEP = """
    SELECT run_id FROM wrkflw_workflow_runs AS r WHERE status = 'running'
       AND NOT EXISTS (SELECT 1 FROM wrkflw_step_results WHERE run = r.id AND status = 'running')
"""


@dataclass(frozen=True)
class Effect:
    """A line that a step wrote to the outside world."""

    word: str
    run_id: str
    path: str
    attempt: int
    at: int
    pid: int

    @classmethod
    def read(cls, line: str) -> Effect:
        word, run_id, path, attempt, at, pid = line.split()
        return cls(word, run_id, path, int(attempt), int(at), int(pid))


def read_effects(bench: Bench) -> list[Effect]:
    path = bench.folder / "effects.txt"
    return [Effect.read(line) for line in path.read_text().splitlines()] if path.exists() else []


class Killer:
    """Kills what a test started, and starts another worker in the place of one that is gone."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.rng = random.Random(seed)
        self.worker = self.start()
        self.before_kills: dict[tuple[str, str], int] = {}
        self.unbegun: set[str] = set()
        self.kills: Counter[str] = Counter()

    def start(self) -> Worker:
        return self.bench.worker("--max-runs", "3")

    def kill(self, kind: str) -> None:
        self.bench.until(self.is_worth_it, "a step is at work")
        time.sleep(self.rng.uniform(0, 0.2))
        self.bench.until(self.is_harmless, "no step is close to its last crash")
        runners = self.worker.runners()
        unbegun = {str(row[0]) for row in self.bench.rows(WITHOUT_A_STEP)}
        self.note_successes()
        if kind != "worker" and runners:
            victim = self.rng.choice(runners)
            end_process(victim)
            if victim not in {effect.pid for effect in read_effects(self.bench)}:
                self.unbegun |= unbegun
        if kind != "runner":
            self.worker.kill()
            self.worker = self.start()
            self.unbegun.clear()
        self.kills[kind] += 1

    def is_worth_it(self) -> bool:
        at_work = "SELECT 1 FROM wrkflw_step_results WHERE status = 'running' LIMIT 1"
        return bool(self.bench.rows(at_work)) and bool(self.worker.runners())

    def is_harmless(self) -> bool:
        """Whether no run can fail for good by the next kill: three deaths in a row do that."""
        self.unbegun &= {str(row[0]) for row in self.bench.rows(WITHOUT_A_STEP)}
        return not self.unbegun and self.bench.rows(CLOSE_TO_THE_END) == [(0,)]

    def note_successes(self) -> None:
        for run_id, path, attempt in self.bench.rows(
            "SELECT run_id, path, attempt FROM wrkflw_step_results AS s"
            " JOIN wrkflw_workflow_runs AS r ON r.id = s.run WHERE s.status = 'success'"
        ):
            self.before_kills[str(run_id), str(path)] = int(str(attempt))


def add_schedules(bench: Bench) -> list[str]:
    def add(_: int) -> str:
        return bench.write_record(
            lambda c: schedules.add(c, "job", "* * * * *", "UTC", "UTC", "1", None, "allow")
        )

    return [add(number) for number in range(SCHEDULES)]


def make_due(bench: Bench, schedule_id: str) -> None:
    """Set a schedule's pointer a little into the past, as a clock that was turned back does."""
    past = int(time.time()) // 60 * 60 - 120
    bench.write_record(lambda c: schedules.move_pointer(c, schedule_id, "UTC", past))


def keep_busy(bench: Bench) -> None:
    open_runs = "SELECT count(*) FROM wrkflw_workflow_runs WHERE status IN ('queued', 'running')"
    ((found,),) = bench.rows(open_runs)
    for _ in range(RUNS - int(str(found))):
        bench.enqueue("job")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_no_recorded_step_is_called_again(bench: Bench) -> None:
    kinds = [ASYNC_STEP, SYNC_STEP]
    code = "".join(kinds[n % 2].replace("{n}", str(n)) for n in range(STEPS))
    bench.automation("job", CODE + code, *[f"step_{n}" for n in range(STEPS)])
    ids = add_schedules(bench)
    killer = Killer(bench, seed=7)
    plan = [kind for kind, count in KILLS.items() for _ in range(count)]
    killer.rng.shuffle(plan)
    for kind in plan:
        keep_busy(bench)
        make_due(bench, killer.rng.choice(ids))
        killer.kill(kind)
    assert killer.kills == KILLS

    unfinished = "SELECT 1 FROM wrkflw_workflow_runs WHERE status IN ('queued', 'running')"
    bench.until(lambda: not bench.rows(unfinished), "every run has ended", 40)
    check_runs(bench)
    check_effects(bench, killer)
    check_schedules(bench, ids)
    assert bench.rows("PRAGMA integrity_check") == [("ok",)]
    crashed = bench.rows("SELECT count(*) FROM wrkflw_step_results WHERE status = 'crashed'")
    assert int(str(crashed[0][0])) > 10, "the kills hit nothing"


def check_runs(bench: Bench) -> None:
    ends = Counter(bench.rows("SELECT status FROM wrkflw_workflow_runs"))
    assert set(ends) == {("success",)}, bench.describe()
    assert ends["success",] >= RUNS
    wrong = "SELECT run_id, result FROM wrkflw_workflow_runs WHERE result <> ?"
    assert bench.rows(wrong, str(1 + STEPS)) == []
    assert bench.rows("SELECT * FROM wrkflw_step_results WHERE status = 'running'") == []


def check_effects(bench: Bench, killer: Killer) -> None:
    effects = read_effects(bench)
    ended = {(e.run_id, e.path, e.attempt) for e in effects if e.word == "end"}
    successes: dict[tuple[str, str], tuple[int, int]] = {}
    for run_id, path, attempt, finished_at in bench.rows(
        "SELECT run_id, path, attempt, s.finished_at FROM wrkflw_step_results AS s"
        " JOIN wrkflw_workflow_runs AS r ON r.id = s.run WHERE s.status = 'success'"
    ):
        place = (str(run_id), str(path))
        assert place not in successes, f"two successes of {place}"
        successes[place] = (int(str(attempt)), int(str(finished_at)))
        assert (*place, attempt) in ended, f"{place} is recorded but was not done"
    ((runs,),) = bench.rows("SELECT count(*) FROM wrkflw_workflow_runs")
    assert len(successes) == int(str(runs)) * STEPS
    for effect in effects:
        place = (effect.run_id, effect.path)
        attempt, at = successes[place]
        assert effect.attempt <= attempt, f"{effect} was called after its success"
        assert effect.at <= at, f"{effect} lies after its success"
        recorded = killer.before_kills.get(place, attempt)
        assert recorded == attempt, f"{place} was recorded again after a kill"


def check_schedules(bench: Bench, ids: list[str]) -> None:
    started = bench.rows(
        "SELECT schedule_id, due_at, run_id FROM wrkflw_schedule_fires WHERE outcome = 'started'"
    )
    runs = bench.rows(
        "SELECT schedule_id, due_at, run_id FROM wrkflw_workflow_runs WHERE schedule_id IS NOT NULL"
    )
    assert sorted(started) == sorted(runs)
    assert len({(row[0], row[1]) for row in runs}) == len(runs)
    assert {row[0] for row in runs} == set(ids)
    for schedule_id, due_at, run_id in started:
        assert run_id == run_id_for(str(schedule_id), int(str(due_at)))
    stuck = "SELECT 1 FROM wrkflw_schedules WHERE next_at IS NULL OR next_at <= unixepoch() - 60"
    assert bench.rows(stuck) == []
