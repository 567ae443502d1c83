"""How many lines a second a run's log keeps, and what that costs the step and everybody else.

    python tests/benchmarks/logs.py [--lines N] [--rounds N] [--secrets N]

A step prints lines at the pace of a program that works about ten microseconds for each: once into
its log, once into a file, once to nowhere, in turns in one run; then as fast as it can, from Python
and from a child. Meanwhile another process commits rows to the same file.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from wrkflw_tui.store import claims, logs
from wrkflw_tui.store.file import Turn, connect, prepare, transaction
from wrkflw_tui.store.runs import read_snapshot
from wrkflw_tui.tui.log_lines import LogLines, Place

FLOW = '''
import os, subprocess, sys, time
from wrkflw_tui import create_workflow, step

LINE = "0123456789 " * 7

def paced(lines, out, work):
    began, busy = time.perf_counter(), time.process_time()
    for number in range(lines):
        for _ in range(work):
            pass
        print(f"{LINE} {number}", file=out)
    out.flush()
    return time.perf_counter() - began, time.process_time() - busy

@step
def measure(given: dict) -> dict:
    lines, took = given["lines"], {"log": [], "file": [], "nowhere": []}
    began = time.process_time()
    for _ in range(2_000_000):
        pass
    work = int(given["pause"] / ((time.process_time() - began) / 2_000_000))
    for _ in range(given["rounds"]):
        with open("out.txt", "w") as file:
            took["file"].append(paced(lines, file, work))
        with open(os.devnull, "w") as nowhere:
            took["nowhere"].append(paced(lines, nowhere, work))
        took["log"].append(paced(lines, sys.stdout, work))
    return took

CHILD = """
import sys
block = (sys.argv[1] + chr(10)) * 100
for _ in range(int(sys.argv[2]) // 100):
    sys.stdout.write(block)
"""

@step
def flood(given: dict) -> dict:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", CHILD, LINE, str(given["lines"])], check=True)
    return {"child": time.perf_counter() - began}

def flow(name, work):
    made = create_workflow(id=name, input_schema=dict, output_schema=dict)
    return made.then(work).commit()

paced_flow, flood_flow = flow("paced", measure), flow("flood", flood)
'''

COMMITTER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from wrkflw_tui.store.file import Turn, connect, transaction
connection, turn = connect(Path(sys.argv[2])), Turn(Path(sys.argv[2]))
sys.stdout.reconfigure(line_buffering=True)
while True:
    began = time.perf_counter()
    with turn, transaction(connection):
        connection.execute("UPDATE wrkflw_revision SET revision = revision + 1")
    print(time.perf_counter() - began)
    time.sleep(0.01)
"""


class Others:
    """Another process that commits, and how long each commit took it."""

    def __init__(self, database: Path) -> None:
        self._said = database.with_name("commits.txt")
        with self._said.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-c", COMMITTER, str(ROOT), str(database)], stdout=out
            )

    def since(self, position: int) -> list[float]:
        lines = self._said.read_text().splitlines(keepends=True)
        return [float(line) for line in lines[position:] if line.endswith("\n")]

    @property
    def count(self) -> int:
        return len(self.since(0))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def percentile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))]


def run(database: Path, name: str, given: dict[str, object]) -> tuple[dict[str, Any], float]:
    """Run a workflow; return its result and the seconds until its last line was kept."""
    with closing(connect(database)) as connection, closing(Turn(database)) as turn:
        with turn, transaction(connection):
            run_id = claims.enqueue(connection, name, json.dumps(given), "app")
        began = time.perf_counter()
        while (snapshot := read_snapshot(connection, run_id)).run.finished_at is None:
            time.sleep(0.02)
        if snapshot.result_json is None:
            raise SystemExit(f"{name} failed: {snapshot.run.error}")
        kept, steady = -1, 0
        last = began
        while steady < 20:  # what is on record does not grow any more
            now = connection.execute(
                "SELECT coalesce(max(n), 0) FROM wrkflw_run_logs WHERE run ="
                " (SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?)", (run_id,)
            ).fetchone()[0]  # fmt: skip
            steady, last = (steady + 1, last) if now == kept else (0, time.perf_counter())
            kept = now
            time.sleep(0.02)
        return json.loads(snapshot.result_json), last - began


def searching(database: Path, lines: int) -> None:
    """Print how long a search through a run of many lines takes."""
    with closing(connect(database)) as connection:
        with transaction(connection):
            run_id = claims.enqueue(connection, "paced", "{}", "app")
            key = connection.execute("SELECT max(id) FROM wrkflw_workflow_runs").fetchone()[0]
            connection.execute("UPDATE wrkflw_workflow_runs SET status='failed' WHERE id=?", (key,))
            text = "INFO 2026-11-24 12:00:00 copied photo number {} to the other disk, all well"
            for start in range(0, lines, 256):
                made = tuple(text.format(n) for n in range(start, start + 256))
                logs.append(connection, key, [logs.Stretch("stdout", "a", start, made)], 1 << 40)
        for words in ("is not there", "NUMBER 777777 "):
            began = time.perf_counter()
            log, after, is_done, found = LogLines(run_id), 0, False, list[Place]()
            while not is_done:
                places, after, is_done = log.search(connection, words.lower(), after)
                found += places
            took = time.perf_counter() - began
            print(f"search {lines:,} lines for {words!r}: {took * 1000:.0f} ms, {len(found)} found")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--secrets", type=int, default=0, help="how many `.env` holds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, database = Path(place) / "automations", Path(place) / "wrkflw.db"
        folder.mkdir()
        (folder / "flow.py").write_text(FLOW)
        values = (f"NAME_{n}={secrets.token_urlsafe(30)}\n" for n in range(options.secrets))
        (folder / ".env").write_text("".join(values))
        (folder / ".env").chmod(0o600)
        prepare(database)
        worker = subprocess.Popen(
            [sys.executable, "-m", "wrkflw_tui", "worker", "--folder", str(folder),
             "--database", str(database)],
            stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        others = Others(database)
        try:
            report(database, others, options.lines, options.rounds)
        finally:
            others.close()
            worker.send_signal(signal.SIGTERM)
            worker.wait()
        searching(database, 1_000_000)


def report(database: Path, others: Others, lines: int, rounds: int) -> None:
    while others.count < 300:
        time.sleep(0.05)
    quiet = others.since(100)
    say_commits("nobody prints", quiet)
    for pause, name in ((9e-6, "paced"), (0.0, "as fast as it can")):
        before = others.count
        given: dict[str, object] = {"lines": lines, "rounds": rounds, "pause": pause}
        took, _ = run(database, "paced", given)
        for kind, unit in ((0, "elapsed"), (1, "the step's processor time")):
            log, file, nowhere = (
                statistics.median(times[kind] for times in took[key])
                for key in ("log", "file", "nowhere")
            )
            print(
                f"print, {name}, {unit}: {lines / log:,.0f} lines/s to the log,"
                f" {lines / file:,.0f} to a file, {lines / nowhere:,.0f} to nowhere;"
                f" {(log - file) / lines * 1e6:.2f} us a line more than to a file,"
                f" that is {(log - file) / lines * 1e7:.0f} % at 100,000 lines/s"
            )
        say_commits(f"print, {name}", others.since(before))
    before = others.count
    took, seconds = run(database, "flood", {"lines": lines * rounds})
    child = float(took["child"])
    print(
        f"a child: {lines * rounds / child:,.0f} lines/s, on record {lines * rounds / seconds:,.0f}"
    )
    say_commits("a child prints", others.since(before))


def say_commits(when: str, seconds: list[float]) -> None:
    p50, p99 = (percentile(seconds, share) * 1000 for share in (0.5, 0.99))
    print(
        f"    others' commits while {when}: p50 {p50:.1f} ms, p99 {p99:.1f} ms,"
        f" longest {max(seconds) * 1000:.1f} ms, of {len(seconds)}"
    )


if __name__ == "__main__":
    main()
