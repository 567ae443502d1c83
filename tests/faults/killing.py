"""What the tests with kills share: work that leaves traces, and what must hold in the end."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.harness import end_process

from wrkflw_tui.schedules.scheduler import run_id_for
from wrkflw_tui.store import schedules

if TYPE_CHECKING:
    from worker.harness import Bench

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


AT_WORK = "SELECT 1 FROM wrkflw_step_results WHERE status = 'running' LIMIT 1"
LATE = "SELECT 1 FROM wrkflw_schedules WHERE next_at IS NULL OR next_at <= unixepoch() - 60"
OPEN = "SELECT 1 FROM wrkflw_workflow_runs WHERE status IN ('queued', 'running') LIMIT 1"


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


def write_job(bench: Bench) -> None:
    """Write the automation: each step says in a file of its own when it begins and when it ends."""
    kinds = [ASYNC_STEP, SYNC_STEP]
    code = "".join(kinds[n % 2].replace("{n}", str(n)) for n in range(STEPS))
    bench.automation("job", CODE + code, *[f"step_{n}" for n in range(STEPS)])


class Watch:
    """Remembers what was recorded before each kill, and tells when a kill is harmless."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.before_kills: dict[tuple[str, str], int] = {}
        self.unbegun: set[str] = set()

    def end_runner(self, victim: int) -> None:
        """Kill a runner; note the runs that it may have had without having begun a step."""
        unbegun = {str(row[0]) for row in self.bench.rows(WITHOUT_A_STEP)}
        end_process(victim)
        if victim not in {effect.pid for effect in read_effects(self.bench)}:
            self.unbegun |= unbegun

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


def check_all(bench: Bench, watch: Watch, schedule_ids: list[str]) -> None:
    """Check that nothing was lost and nothing was done twice."""
    check_runs(bench)
    check_effects(bench, watch)
    check_schedules(bench, schedule_ids)
    assert bench.rows("PRAGMA integrity_check") == [("ok",)]


def check_runs(bench: Bench) -> None:
    ends = Counter(bench.rows("SELECT status FROM wrkflw_workflow_runs"))
    assert set(ends) == {("success",)}, bench.describe()
    wrong = "SELECT run_id, result FROM wrkflw_workflow_runs WHERE result <> ?"
    assert bench.rows(wrong, str(1 + STEPS)) == []
    assert bench.rows("SELECT * FROM wrkflw_step_results WHERE status = 'running'") == []


def check_effects(bench: Bench, watch: Watch) -> None:
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
        recorded = watch.before_kills.get(place, attempt)
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
    assert bench.rows(LATE) == []
