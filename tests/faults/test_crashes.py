"""Three hundred kills of processes that walk runs by themselves, at random moments.

What a step does leaves a line in a file of its own. Whatever the kills hit, a step whose success
is on record is never entered again, no run that was begun is lost, and each ends as it should.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine.model.check import describe
from faults.crashing import FLOWS, OUTPUTS

from wrkflw_tui import WorkflowStorage
from wrkflw_tui.engine.models import ENDED

if TYPE_CHECKING:
    from collections.abc import Generator

    from wrkflw_tui import WorkflowSnapshot

KILLS = 300
LONGEST_LIFE = 0.3
PATIENCE = 60.0


@dataclass(frozen=True)
class Effect:
    """A line that a step left."""

    word: str
    run_id: str
    path: str
    attempt: int
    at: int
    pid: int


class Lives:
    """Begins and kills processes over one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._forks = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("crashing.py")],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._alive: set[int] = set()

    def begin(self) -> int:
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        self._forks.stdin.write("live\n")
        self._forks.stdin.flush()
        pid = int(self._forks.stdout.readline())
        self._alive.add(pid)
        return pid

    def kill(self, pid: int) -> bool:
        """Kill a process; return whether it had not ended by itself."""
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            self._alive.discard(pid)
            return False
        self.wait(pid)
        return True

    def wait(self, pid: int) -> None:
        """Return once a process has ended."""
        deadline = time.monotonic() + PATIENCE
        with suppress(ProcessLookupError):
            while time.monotonic() < deadline:
                os.kill(pid, 0)
                time.sleep(0.002)
            raise AssertionError(f"process {pid} does not end")
        self._alive.discard(pid)

    def close(self) -> None:
        for pid in self._alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._forks.communicate()


@pytest.fixture
def lives(tmp_path: Path) -> Generator[Lives]:
    lives = Lives(tmp_path)
    yield lives
    lives.close()


def successes(folder: Path) -> dict[tuple[str, str], int]:
    """Return which steps have succeeded by now, and in which attempt."""
    with closing(sqlite3.connect(folder / "wrkflw.db", timeout=10)) as connection:
        try:
            rows = connection.execute(
                "SELECT run_id, path, attempt FROM wrkflw_step_results AS s"
                " JOIN wrkflw_workflow_runs AS r ON r.id = s.run WHERE s.status = 'success'"
            ).fetchall()
        except sqlite3.OperationalError:
            return {}  # killed before there was a table
    return {(run_id, path): attempt for run_id, path, attempt in rows}


def effects(folder: Path) -> list[Effect]:
    lines = (folder / "effects.txt").read_text().splitlines()
    words = (line.split() for line in lines)
    return [Effect(w, run, path, int(a), int(at), int(pid)) for w, run, path, a, at, pid in words]


def kill_at_random(lives: Lives, rng: random.Random, before: dict[tuple[str, str], int]) -> None:
    """Kill one process after the other, and sometimes two that want the same runs."""
    killed = 0
    while killed < KILLS:
        pids = [lives.begin() for _ in range(rng.choice([1, 1, 1, 2]))]
        for pid in pids:
            time.sleep(rng.uniform(0, LONGEST_LIFE))
            killed += lives.kill(pid)  # one that found all runs ended is gone by itself
        found = successes(lives.folder)
        for place, attempt in before.items():
            assert found.get(place) == attempt, f"{place} is not on record any more"
        before.update(found)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_kill_makes_a_recorded_step_run_again_or_loses_a_run(
    lives: Lives, tmp_path: Path
) -> None:
    before: dict[tuple[str, str], int] = {}
    kill_at_random(lives, random.Random(11), before)
    (tmp_path / "enough").touch()
    lives.wait(lives.begin())

    assert [path.read_text() for path in tmp_path.glob("error-*.txt")] == []
    runs = asyncio.run(all_runs(tmp_path))
    check_runs(runs)
    check_effects(runs, effects(tmp_path))
    with closing(sqlite3.connect(tmp_path / "wrkflw.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def all_runs(folder: Path) -> dict[str, WorkflowSnapshot]:
    storage = WorkflowStorage(folder / "wrkflw.db")
    try:
        summaries = await storage.list_runs(limit=5000)
        return {s.run_id: await storage.load_snapshot(s.run_id) for s in summaries}
    finally:
        await storage.close()


def check_runs(runs: dict[str, WorkflowSnapshot]) -> None:
    ended: Counter[str] = Counter()
    crashed = 0
    for run_id, run in runs.items():
        assert run.status in ENDED, run_id
        crashed += sum(a.status == "crashed" for a in run.all_attempts)
        left = [p for p, r in run.step_results.items() if r.status in ("running", "waiting")]
        assert left == [], run_id
        numbers = [n for a in run.all_attempts for n in (a.order, a.ended)]
        assert len(numbers) == len(set(numbers)), "\n".join(describe(run))
        if run.status == "success":
            assert run.result == OUTPUTS[run.workflow_id], run_id
            ended[run.workflow_id] += 1
        else:
            died_in_one_step(run)
    assert ended.keys() == FLOWS.keys(), "not every workflow was walked"
    assert crashed > KILLS / 2, "the kills hit nothing"


def died_in_one_step(run: WorkflowSnapshot) -> None:
    """Assert that a run failed only because three kills in a row hit one step."""
    assert run.error is not None
    assert run.error.type == "StepCrashed", run.error
    statuses = [a.status for a in run.attempts(run.error.path)]
    assert statuses[-4:] == ["crashed", "crashed", "crashed", "failed"], run.run_id


def check_effects(runs: dict[str, WorkflowSnapshot], all_effects: list[Effect]) -> None:
    begun: set[tuple[str, str, int]] = set()
    ended: set[tuple[str, str, int]] = set()
    for effect in all_effects:
        assert effect.run_id in runs, f"{effect.run_id} began and was lost"
        place = (effect.run_id, effect.path, effect.attempt)
        if effect.word == "begin":
            assert place not in begun, f"{place} was entered by two processes"
            begun.add(place)
        else:
            ended.add(place)
        last = runs[effect.run_id].step_results[effect.path]
        assert effect.attempt <= last.attempt, f"{place} was entered after its success"
        if last.status == "success" and last.finished_at is not None:
            assert effect.at <= last.finished_at.timestamp() * 1e6 + 1, place
    for run_id, run in runs.items():
        for path, result in run.step_results.items():
            if result.kind == "step" and result.status == "success":
                assert (run_id, path, result.attempt) in ended, f"{run_id} {path} was not done"
