"""What others wait for while runs are removed, room is given back, and the file is copied.

    python tests/benchmarks/keeping.py [--runs N] [--quick]

Another process commits rows to the same file some hundred times a second: first alone, then beside
each piece of housekeeping, at the pace of a worker, and alone again. Beside its commits stand the
transactions of the housekeeping itself.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from store.ended import put_run

from wrkflw_tui.store import copying, retention
from wrkflw_tui.store.file import connect, prepare, transaction
from wrkflw_tui.store.housekeeping import Housekeeper
from wrkflw_tui.worker.housekeeping import LEAST_REST, REST

if TYPE_CHECKING:
    from collections.abc import Callable

COMMITTER = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from wrkflw_tui.store import claims
from wrkflw_tui.store.file import Turn, connect, transaction
path = Path(sys.argv[2])
connection, turn, took = connect(path), Turn(path), []
while not path.with_name("end").exists():
    began = time.perf_counter()
    with turn, transaction(connection):
        claims.enqueue(connection, "other", "1", "app")
    took.append(time.perf_counter() - began)
    time.sleep(0.004)
print(json.dumps(took))
"""
RUNS_IN_A_COMMIT = 100
TEXT = '"' + "x" * 3000 + '"'


@dataclass
class Steps:
    """How long each transaction of the housekeeping took."""

    seconds: list[float] = field(default_factory=list[float])

    def rest(self, took: float) -> bool:
        """Wait as the worker does."""
        self.seconds.append(took)
        time.sleep(max(LEAST_REST, REST * took))
        return False


def fill(path: Path, runs: int) -> None:
    prepare(path)
    with closing(connect(path)) as connection:
        for first in range(0, runs, RUNS_IN_A_COMMIT):
            with transaction(connection):
                for at in range(first, min(runs, first + RUNS_IN_A_COMMIT)):
                    put_run(connection, at=at + 1, steps=20, output=TEXT)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def beside(path: Path, name: str, work: Callable[[], object], steps: Steps) -> None:
    """Do the work while another process commits, and print what its commits took."""
    end = path.with_name("end")
    end.unlink(missing_ok=True)
    other = subprocess.Popen(
        [sys.executable, "-c", COMMITTER, str(ROOT), str(path)], stdout=subprocess.PIPE, text=True
    )
    time.sleep(0.5)
    steps.seconds.clear()
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    end.touch()
    said, _ = other.communicate()
    print(f"{name:<14} {took:6.2f} s   others' commits {spread(json.loads(said))}")
    if steps.seconds:
        print(f"{'':<25}its own steps   {spread(steps.seconds)}")


def spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    figures = (statistics.median(ordered), p99, ordered[-1])
    p50, p99, most = (f"{figure * 1e3:6.2f}" for figure in figures)
    return f"p50 {p50} ms  p99 {p99} ms  max {most} ms  of {len(ordered)}"


def measure(folder: Path, runs: int, pause: float) -> None:
    path, steps = folder / "wrkflw.db", Steps()
    fill(path, runs)
    print(f"{runs} runs of 20 steps, {path.stat().st_size / 1e6:.0f} MB; half of them go")
    with (
        closing(Housekeeper(path, steps.rest)) as keeper,
        closing(connect(path, read_only=True)) as source,
    ):
        half = retention.surplus(source, "flow", retention.Rule(keep_runs=runs // 2), 1 << 60)
        assert half is not None
        beside(path, "nothing", lambda: time.sleep(pause), steps)
        beside(path, "quick_check", lambda: copying.findings(source, "quick_check"), steps)
        target = folder / "copy.db"
        beside(path, "backup", lambda: copying.backup(source, target, replace=True), steps)
        beside(path, "remove", lambda: keeper.remove(half), steps)
        beside(path, "clear away", keeper.clear, steps)
        beside(path, "give back", keeper.give_back, steps)
        beside(path, "nothing again", lambda: time.sleep(pause), steps)
    print(f"the file has {path.stat().st_size / 1e6:.0f} MB now")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only that it runs")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        measure(folder, 20 if options.quick else options.runs, 0.1 if options.quick else 3.0)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
