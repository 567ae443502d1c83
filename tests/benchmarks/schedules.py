"""What ten thousand schedules cost: to load, to look at, and to fire on time.

    python tests/benchmarks/schedules.py [--quick]

Schedules of all kinds are put on record. Then: a worker's first look; a look at which nothing is
due, with and without a change of the record; a thousand that are due at one instant; and a real
worker that fires what comes due, for how late each run is queued.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.schedules import actions, following, scheduler
from wrkflw_tui.store import schedules
from wrkflw_tui.store.changes import Changes
from wrkflw_tui.store.file import Turn, connect, prepare, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

FLOW = """
from wrkflw_tui import create_workflow, step

@step
async def idle(value: int) -> int:
    return value

flow = create_workflow(id="idle", input_schema=int, output_schema=int).then(idle).commit()
"""
ZONES = ["local", "UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney"]


def some_terms(rng: random.Random) -> ScheduleTerms:
    """Terms of a kind that people have."""
    minute, hour = rng.randrange(60), rng.randrange(24)
    timing = rng.choice(
        [
            f"{minute} {hour} * * *",
            f"{minute} {hour} * * 1-5",
            f"{minute} */{rng.choice([2, 3, 6])} * * *",
            f"{minute} {hour} {rng.randrange(1, 29)} * *",
            f"every {rng.randrange(2, 48)}h",
        ]
    )
    return ScheduleTerms(timing=timing, timezone=rng.choice(ZONES))


def put(connection: sqlite3.Connection, amount: int, now: int) -> float:
    """Put schedules on record; return how long each took."""
    rng = random.Random(1)
    began = time.perf_counter()
    for _ in range(amount):
        actions.add(connection, "idle", some_terms(rng), "1", now)
    return (time.perf_counter() - began) / amount


def timed(work: Callable[[], object], times: int = 1) -> float:
    """Return the median of the seconds that a piece of work takes."""
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def first_look(database: Path, now: int) -> float:
    """Do what a worker does before it is ready: follow the zones, look at the clock and the due."""

    def look() -> None:
        with closing(connect(database)) as connection:
            local = following.refreshed_local_zone()
            if following.is_astray(connection, local):
                with transaction(connection):
                    following.follow_zones(connection, now, local)
            with transaction(connection):
                scheduler.tick(connection, now, local)
            schedules.next_due(connection)

    return timed(look)


def idle_look(database: Path) -> tuple[float, float]:
    """Return how long a look takes if nothing changed, and if something else did."""
    with closing(connect(database, read_only=True)) as connection:
        changes = Changes(database)
        changes.seen()
        due = schedules.next_due(connection)
        unchanged = timed(lambda: changes.seen() or (due or 0) <= time.time(), 1001)
        changed = timed(lambda: schedules.next_due(connection), 1001)
        changes.close()
    return unchanged, changed


def burst(database: Path, amount: int, now: int, alike: bool) -> tuple[list[float], list[float]]:
    """Let many be due at one instant: seconds until each is queued, and of each transaction."""
    midnight = (now // 86400 + 3) * 86400
    done: list[float] = []
    transactions: list[float] = []
    prepare(database)
    with closing(connect(database)) as connection:
        with transaction(connection):
            for number in range(amount):
                minute, hour = (0, 0) if alike else (number // 24 % 60, number % 24)
                terms = ScheduleTerms(timing=f"0,{minute} 0,{hour} * * *", timezone="UTC")
                actions.add(connection, "idle", terms, "1", midnight - 1)
        began, more = time.perf_counter(), True
        while more:
            start = time.perf_counter()
            with transaction(connection):
                ticked = scheduler.tick(connection, midnight, "UTC")
            more = ticked.more
            transactions.append(time.perf_counter() - start)
            done += [time.perf_counter() - began] * len(ticked.runs)
    return done, transactions


def lags(database: Path, folder: Path, amount: int, seconds: int) -> list[float]:
    """Let a real worker fire what comes due; return how late each run was queued."""
    rng = random.Random(2)
    now = int(time.time())
    with closing(connect(database)) as connection, closing(Turn(database)) as turn:
        with turn, transaction(connection):
            connection.execute("DELETE FROM wrkflw_workflow_runs")
            connection.execute("DELETE FROM wrkflw_schedule_fires")
            for _ in range(amount):
                start = datetime.fromtimestamp(now + 4 + rng.randrange(seconds), UTC)
                terms = ScheduleTerms(timing="every 1d", start_at=start.isoformat())
                actions.add(connection, "idle", terms, "1", now)
        worker = subprocess.Popen(
            [sys.executable, "-m", "wrkflw_tui", "worker", "--folder", str(folder),
             "--database", str(database), "--max-runs", "1"],
            stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            time.sleep(seconds + 6)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()
        rows = connection.execute(
            "SELECT created_at / 1e6 - due_at FROM wrkflw_workflow_runs WHERE due_at >= ?",
            (now + 4,),
        ).fetchall()
    return [row[0] for row in rows]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def say(what: str, seconds: list[float]) -> None:
    p50, p99 = (percentile(seconds, share) * 1000 for share in (0.5, 0.99))
    print(f"{what:<46} p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  max {max(seconds) * 1000:6.1f} ms"
          f"  of {len(seconds)}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only that it runs")
    quick = parser.parse_args().quick
    amount, at_once, fired, seconds = (50, 20, 10, 2) if quick else (10_000, 1_000, 200, 20)
    now = int(time.time())
    with tempfile.TemporaryDirectory() as place:
        folder, database = Path(place) / "automations", Path(place) / "wrkflw.db"
        folder.mkdir()
        (folder / "flow.py").write_text(FLOW)
        prepare(database)
        with closing(connect(database)) as connection:
            with transaction(connection):
                each = put(connection, amount, now)
            print(f"{amount:,} schedules, put on record in {each * 1000:.2f} ms each")
            print(f"a worker's first look: {first_look(database, now) * 1000:.1f} ms, "
                  f"the next: {first_look(database, now) * 1000:.1f} ms")  # fmt: skip
            unchanged, changed = idle_look(database)
            print(f"an idle look: {unchanged * 1e6:.1f} us, after a change of the record"
                  f" {changed * 1e6:.1f} us")  # fmt: skip
        for alike in (True, False):
            with tempfile.TemporaryDirectory() as own:
                done, transactions = burst(Path(own) / "wrkflw.db", at_once, now, alike)
            kind = "of one expression" if alike else "all different"
            say(f"{at_once:,} at one instant, {kind}", done)
            say("    each transaction of that", transactions)
        say("a worker's lag", lags(database, folder, fired, seconds))


if __name__ == "__main__":
    main()
