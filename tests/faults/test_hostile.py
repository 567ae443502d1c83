"""Automations that do what they should not: each ends as stated, and harms nobody beside it.

The automations are in `hostile/`, a file each, and say what they do.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from worker.harness import Bench, all_gone

from wrkflw_tui.worker.linux import IS_LINUX, TOKEN_VARIABLE, token_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from worker.harness import Worker

    from wrkflw_tui.engine.models import WorkflowSnapshot

pytestmark = pytest.mark.skipif(not IS_LINUX, reason="some are ended by what only Linux has")

LIBRARY = Path(__file__).with_name("hostile")
MEMORY_MB = 300
LOG_MB = 1
SOON = 8.0
"""Seconds within which a plain run ends beside whatever has been here."""


@dataclass(frozen=True)
class Case:
    """What becomes of a run."""

    workflow: str
    input: int = 1
    status: str = "failed"
    error: str = ""
    says: str = ""
    attempts: tuple[str, ...] = ("failed",)
    """How the attempts of its step ended."""
    result: object = None

    def __str__(self) -> str:
        return f"{self.workflow}-{self.input}"


GOOD = ("success",)
CRASHES = ("crashed", "crashed", "crashed", "failed")
LEFT = "exit code 0 in the middle of the run"
NO_TEXT = "<no message: __str__ raised"
CASES = [
    Case("closes-everything", error="StepCrashed", attempts=CRASHES),
    Case("closes-record", error="StepCrashed", attempts=CRASHES),
    Case("loses-folder", status="success", attempts=GOOD, result=2),
    Case("clears-environment", status="success", attempts=GOOD, result=2),
    Case("recursion", error="RecursionError", says="maximum recursion depth exceeded"),
    Case("overflow", error="StepCrashed", says="killed by SIGSEGV", attempts=CRASHES),
    Case("alarm", error="StepCrashed", says="killed by SIGALRM", attempts=CRASHES),
    Case("leaves-with-zero", error="StepCrashed", says=LEFT, attempts=CRASHES),
    Case("quits", 0, error="RuntimeError", says="the step raised KeyboardInterrupt"),
    Case("quits", 1, error="RuntimeError", says="the step raised GeneratorExit"),
    Case("quits", 2, error="SystemExit", says="enough"),
    Case("quits", 3, error="Other", says="enough"),
    Case("endless-threads", status="success", attempts=GOOD, result=2),
    Case("wants-memory", error="MemoryError", says="(max_memory_mb, or ulimit -v)"),
    Case("infinite-output", error="ValidationError", says="MemoryError"),
    Case("nested-output", error="UnstorableValue", says="Maximum serialization depth exceeded"),
    Case("bad-errors", 0, error="Silent", says=f"{NO_TEXT} ValueError>"),
    Case("bad-errors", 1, error="Exits", says=f"{NO_TEXT} SystemExit>"),
    Case("bad-errors", 2, error="ValueError", says="x… (50,000,000 characters in all)"),
    Case("bad-errors", 3, error="ValueError", says="lone \\ud800 and \0 and \x1b[2J"),
    Case("bad-errors", 4, error="NoText", says=f"{NO_TEXT} TypeError>"),
    Case("bad-errors", 5, error="Exception", says="number 19999"),
    Case("bad-errors", 6, error="N" * 200, says="a long name"),
    Case("replaces-streams", status="success", attempts=GOOD, result=2),
    Case("frozen-time", status="success", attempts=GOOD, result=2),
    Case("deletes-itself", status="success", attempts=GOOD, result=2),
    Case("floods-progress", status="success", attempts=GOOD, result=2),
]
CANCELLED = (
    *("fork-chain", "fork-sessions", "fork-wide", "leaves-cleared", "endless-output"),
    *("ignores-signals", "stops-itself", "blocks", "frozen-clock", "asks-a-thousand"),
)
LONG = [
    Case("hangs-in-time", 0, error="StepTimeout", says="its timeout of 0.3 s"),
    Case("hangs-in-time", 1, status="success", attempts=("crashed", "success"), result=1),
    Case("hangs-in-time", 2, status="success", attempts=("crashed", "success"), result=2),
    Case("all-fail", 10_000, status="success", attempts=("success",), result=10_000),
]
"""Take seconds by their nature, and go side by side."""


class Hostile:
    """The library, and one worker that runs all of it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        for file in LIBRARY.glob("*.py"):
            shutil.copy(file, bench.folder)
        self.worker: Worker = bench.worker("--max-runs", "16")
        bench.until(self._is_known, "all of them are in the catalogue")

    def _is_known(self) -> bool:
        found = self.bench.rows("SELECT file, status FROM wrkflw_automation_files")
        assert all(status != "broken" for _, status in found), found
        return len(found) == len(list(LIBRARY.glob("[a-z]*.py")))

    def serves(self) -> None:
        """See that the same worker is there, and runs a plain workflow at once."""
        assert self.worker.process.poll() is None, self.worker.said
        run_id = self.bench.enqueue("plain")
        assert self.bench.wait(run_id, seconds=SOON).result == 2

    def is_sound(self) -> None:
        assert self.bench.rows("PRAGMA quick_check") == [("ok",)]

    def leaves_nothing(self, workflow: str, *run_ids: str) -> None:
        """See that no process of the runs goes on, and none that they noted."""
        tokens = set(map(token_of, run_ids))
        bench = self.bench
        bench.until(lambda: not [p for p in psutil.process_iter() if _token(p) in tokens], "ended")
        noted = [line.split()[2:] for line in bench.notes if line.startswith(f"{workflow} pids ")]
        pids = [int(pid) for line in noted for pid in line]
        bench.until(lambda: all_gone(pids), f"{pids} are gone")

    def ends_as(self, case: Case, run_id: str) -> WorkflowSnapshot:
        snapshot = self.bench.wait(run_id, case.status, seconds=40)
        assert snapshot.result == case.result
        first = snapshot.all_attempts[0].path
        assert tuple(a.status for a in snapshot.all_attempts if a.path == first) == case.attempts
        error = snapshot.run.error
        assert (error.type if error is not None else "") == case.error
        assert error is None or (case.says in error.message and len(error.message) < 30_000)
        return snapshot


def _token(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(TOKEN_VARIABLE)
    except psutil.Error:
        return None


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Generator[Hostile]:
    bench = Bench(tmp_path_factory.mktemp("hostile"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WRKFLW_MAX_LOG_MB", str(LOG_MB))
        patch.setenv("WRKFLW_MAX_MEMORY_MB", str(MEMORY_MB))
        try:
            yield Hostile(bench)
        finally:
            bench.close()


@pytest.fixture(scope="module")
def together(hostile: Hostile) -> dict[str, str]:
    """Start what takes long, and what is to be cancelled; cancel those once they are at work."""
    bench = hostile.bench
    runs = {str(case): bench.enqueue(case.workflow, str(case.input)) for case in LONG}
    for name in CANCELLED:
        runs[name] = bench.enqueue(name, "1000")
    for name in CANCELLED:
        bench.wait_note(f"{name} at work", seconds=40)
    bench.until(lambda: bench.rows("SELECT 1 FROM wrkflw_log_sizes WHERE head > 0"), "much is said")
    for name in CANCELLED:
        bench.cancel(runs[name])
    return runs


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ends_as_stated(hostile: Hostile, case: Case) -> None:
    run_id = hostile.bench.enqueue(case.workflow, str(case.input))
    hostile.ends_as(case, run_id)
    hostile.leaves_nothing(case.workflow, run_id)
    hostile.serves()
    hostile.is_sound()


@pytest.mark.parametrize("name", CANCELLED)
def test_ends_when_cancelled(hostile: Hostile, together: dict[str, str], name: str) -> None:
    run_id = together[name]
    snapshot = hostile.bench.wait(run_id, "cancelled")
    assert "running" not in {attempt.status for attempt in snapshot.all_attempts}
    hostile.leaves_nothing(name, run_id)
    hostile.serves()
    hostile.is_sound()


@pytest.mark.parametrize("case", LONG, ids=str)
def test_ends_in_time(hostile: Hostile, together: dict[str, str], case: Case) -> None:
    run_id = together[str(case)]
    hostile.ends_as(case, run_id)
    hostile.leaves_nothing(case.workflow, run_id)
    hostile.serves()


@pytest.mark.parametrize("name", ["fork_chain", "fork_sessions"])
def test_no_process_of_a_chain_goes_on(
    hostile: Hostile, together: dict[str, str], name: str
) -> None:
    hostile.bench.wait(together[name.replace("_", "-")], "cancelled")
    beat = hostile.bench.folder / f"{name}.beat"
    quiet = 0.5
    hostile.bench.until(
        lambda: time.time() - beat.stat().st_mtime > quiet, "none of them has touched it"
    )


def test_endless_output_is_kept_within_its_limit(
    hostile: Hostile, together: dict[str, str]
) -> None:
    hostile.bench.wait(together["endless-output"], "cancelled")
    kept = sum(map(len, hostile.bench.lines(together["endless-output"])))
    assert 0 < kept <= LOG_MB * 1024 * 1024
    assert psutil.Process(hostile.worker.pid).memory_info().rss < 400 * 1024 * 1024


def test_what_closes_the_record_is_not_taken_for_done(hostile: Hostile) -> None:
    bench = hostile.bench
    run_id = bench.enqueue("closes-record")
    bench.wait(run_id, "failed")
    assert {path for path, _, _ in bench.attempts(run_id)} == {"work"}
    assert any("has closed its open files" in line for line in bench.lines(run_id, "stderr"))
    given = list(bench.folder.glob("of-record-*.txt"))
    assert given
    assert all(file.read_bytes() == b"" for file in given)


def test_a_child_of_a_step_that_left_with_zero_does_not_go_on_beside_the_next_attempt(
    hostile: Hostile,
) -> None:
    bench = hostile.bench
    bench.wait(bench.enqueue("leaves-with-zero"), "failed")
    assert "child of an earlier attempt" not in "".join(bench.notes)


def test_a_process_that_is_stuck_past_a_timeout_says_so(
    hostile: Hostile, together: dict[str, str]
) -> None:
    snapshot = hostile.bench.wait(together["hangs-in-time-1"], seconds=40)
    error = snapshot.all_attempts[0].error
    assert error is not None
    assert "work did not end with its timeout of 0.3 s" in error.message


def test_the_record_goes_by_the_real_time(hostile: Hostile) -> None:
    began = time.time()
    run_id = hostile.bench.enqueue("frozen-time")
    snapshot = hostile.bench.wait(run_id)
    ended = snapshot.all_attempts[-1].finished_at
    assert ended is not None
    assert began <= ended.timestamp() <= time.time()


def test_a_file_that_raises_what_cannot_be_told(hostile: Hostile) -> None:
    hostile.bench.touch("bad")
    run_id = hostile.bench.enqueue("bad-import")
    error = hostile.bench.wait(run_id, "failed").run.error
    assert error is not None
    assert "Silent: <no message: __str__ raised ValueError>" in error.message
    hostile.serves()
