"""How long a queued run waits for its first step, beside the least that such a start costs.

    python tests/benchmarks/starts.py [--quick] [ROUNDS]

From just before the run is put on record to the first line of its first step. Warm: an idle runner
waits. Cold: none does, and one is forked. Spawned: the same where a process cannot be forked off a
warm one, so that it starts from nothing. The floor is measured in turns with them: one commit, one
fork, and a byte through a pipe. Bytecode is kept between the rounds, as it is of whatever is
installed.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from wrkflw_tui.store import claims
from wrkflw_tui.store.file import Turn, connect, prepare, transaction

AUTOMATION = """
import os, time
from datetime import date
from pydantic import BaseModel, Field
from wrkflw_tui import RetryPolicy, StepContext, create_workflow, step

class Customer(BaseModel):
    name: str
    email: str = ""
    since: date | None = None

class Order(BaseModel):
    customer: Customer
    items: list[str] = Field(default_factory=list)
    note: str | None = None

class Receipt(BaseModel):
    order: Order
    total: float

@step
async def price(order: Order, context: StepContext) -> Receipt:
    now = time.monotonic_ns()
    fd = os.open("starts.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(fd, f"{context.run_id} {now}\\n".encode())
    os.close(fd)
    return Receipt(order=order, total=9.5)

@step(retry=RetryPolicy(max_attempts=3))
async def send(receipt: Receipt) -> Receipt:
    return receipt

orders = (
    create_workflow(id="orders", input_schema=Order, output_schema=Receipt)
    .then(price).then(send).commit()
)
"""
SERVE = """
import asyncio, sys
from pathlib import Path
from wrkflw_tui.config import Config
from wrkflw_tui.worker.worker import Worker
config = Config(Path(sys.argv[1]), Path(sys.argv[2]))
asyncio.run(Worker(config, max_runs=4, tell=print, warm=int(sys.argv[3]),
                   may_fork=sys.argv[4] == "fork").run())
"""
CASES = {"warm": ("1", "fork"), "cold": ("0", "fork"), "spawned": ("0", "spawn")}
PAUSE = 0.25
"""Seconds between two starts: the machine comes to rest, and a warm runner is there again."""


class Place:
    """A folder with one automation, its record, and the worker at work on it."""

    def __init__(self, place: Path, case: str) -> None:
        self.folder = place / case
        self.folder.mkdir()
        (self.folder / "orders.py").write_text(AUTOMATION)
        self.database = place / f"{case}.db"
        prepare(self.database)
        self.connection = connect(self.database)
        self.turn = Turn(self.database)
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.folder), str(self.database), *CASES[case]],
            stdout=subprocess.DEVNULL,
        )

    def start(self) -> float:
        """Queue a run; return the milliseconds until its first step."""
        began = time.monotonic_ns()
        with self.turn, transaction(self.connection):
            given = '{"customer": {"name": "Ada"}, "items": ["tea"]}'
            run_id = claims.enqueue(self.connection, "orders", given, "app")
        ended = self._wait(run_id)
        while not self._is_over(run_id):
            time.sleep(0.005)
        return (ended - began) / 1e6

    def _wait(self, run_id: str) -> int:
        notes = self.folder / "starts.txt"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for line in notes.read_text().splitlines()[-5:] if notes.exists() else []:
                if line.startswith(run_id):
                    return int(line.split()[1])
            time.sleep(0.005)
        raise TimeoutError(f"run {run_id} did not start")

    def _is_over(self, run_id: str) -> bool:
        row = self.connection.execute(
            "SELECT status FROM wrkflw_workflow_runs WHERE run_id = ?", (run_id,)
        ).fetchone()
        return row[0] in ("success", "failed")

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
            self.connection.close()
            self.turn.close()


class Floor:
    """The least that a start could cost: a commit, a fork, and its sign of life."""

    def __init__(self, place: Path) -> None:
        self.connection = connect(place / "floor.db")
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, status TEXT)")

    def start(self) -> float:
        began = time.monotonic_ns()
        with transaction(self.connection):
            self.connection.execute("INSERT INTO runs (status) VALUES ('queued')")
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(write_end, b"1")
            os._exit(0)
        os.read(read_end, 1)
        ended = time.monotonic_ns()
        os.waitpid(pid, 0)
        os.close(read_end)
        os.close(write_end)
        return (ended - began) / 1e6


def show(name: str, times: list[float]) -> None:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    print(
        f"{name:8} p50 {cuts[49]:6.1f} ms   p95 {cuts[94]:6.1f}   p99 {cuts[98]:6.1f}"
        f"   max {max(times):6.1f}   ({len(times)} starts)"
    )


def measure(place: Path, rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"floor": []}
    floor = Floor(place)
    with closing(floor.connection):
        for case in CASES:
            worked = Place(place, case)
            try:
                worked.start()  # the first look at the folder is no part of it
                times[case] = []
                for _ in range(rounds):
                    time.sleep(PAUSE)
                    times["floor"].append(floor.start())
                    times[case].append(worked.start())
            finally:
                worked.close()
    return times


def main() -> None:
    """Measure each case in turns with the floor, and print the distributions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", nargs="?", type=int, default=100)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        times = measure(Path(folder), 3 if options.quick else options.rounds)
    for name, values in times.items():
        show(name, values)
    floor = statistics.median(times["floor"])
    for name in CASES:
        print(f"{name:8} {statistics.median(times[name]) / floor:5.1f}x the floor")


if __name__ == "__main__":
    main()
