"""A schedule every minute, for an hour, with the worker killed at random: each minute once.

    python tests/faults/minutes.py [--minutes N]

Waits the real time, and so is run by hand. Prints a line a minute, and in the end what is on record
of each; ends with 1 if a minute is missing, was fired twice, or has no run.
"""

from __future__ import annotations

import argparse
import os
import random
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
from wrkflw_tui.schedules import actions
from wrkflw_tui.store import schedules
from wrkflw_tui.store.file import Turn, connect, prepare, transaction

if TYPE_CHECKING:
    import sqlite3

FLOW = """
import time
from wrkflw_tui import Schedule, create_workflow, step

@step
def work(value: int) -> int:
    time.sleep(2)
    return value

flow = create_workflow(
    id="minutely", input_schema=int, output_schema=int,
    schedules=[Schedule("* * * * *", input_data=1, overlap="allow", catch_up="all")],
).then(work).commit()
"""


def start(folder: Path, database: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "wrkflw_tui", "worker", "--folder", str(folder),
         "--database", str(database)],
        stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=60)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as place:
        folder, database = Path(place) / "automations", Path(place) / "wrkflw.db"
        folder.mkdir()
        (folder / "flow.py").write_text(FLOW)
        prepare(database)
        began = int(time.time())
        with closing(connect(database)) as connection, closing(Turn(database)) as turn:
            with turn, transaction(connection):
                terms = ScheduleTerms(timing="* * * * *", catch_up="all", overlap="allow")
                own = actions.add(connection, "minutely", terms, "2", began)
            kills, worker = torment(folder, database, began + minutes * 60)
            try:
                drain(connection, turn, [own, "minutely.1"])
            finally:
                worker.terminate()
                worker.wait()
            sys.exit(check(connection, [own, "minutely.1"], began, kills))


def torment(folder: Path, database: Path, end: float) -> tuple[int, subprocess.Popen[bytes]]:
    """Kill the worker at random moments, and leave it be in between; return how often, and it."""
    kills, worker = 0, start(folder, database)
    while (left := end - time.time()) > 0:
        time.sleep(min(random.choice([1, 5, 20, 70]) * random.random() * 2, left))
        worker.kill()
        worker.wait()
        kills += 1
        time.sleep(random.choice([0, 0, 3, 20]) * random.random())
        worker = start(folder, database)
        print(f"{datetime.now(UTC):%H:%M:%S} killed {kills} times", flush=True)
    return kills, worker


def drain(connection: sqlite3.Connection, turn: Turn, schedule_ids: list[str]) -> None:
    """Let what is due be fired, then no more, and wait until all runs have ended."""
    while (schedules.next_due(connection) or 0) <= time.time():
        time.sleep(0.1)
    with turn, transaction(connection):
        for schedule_id in schedule_ids:
            actions.pause(connection, schedule_id, int(time.time()))
    deadline = time.time() + 120
    while time.time() < deadline and any(
        schedules.has_active_run(connection, schedule_id) for schedule_id in schedule_ids
    ):
        time.sleep(0.1)


def check(connection: sqlite3.Connection, schedule_ids: list[str], began: int, kills: int) -> int:
    """Say what is on record of each minute; return what the process ends with."""
    wrong = 0
    for schedule_id in schedule_ids:
        fires = schedules.list_fires(connection, schedule_id, 10_000)
        fired = sorted(int(fire.due_at.timestamp()) for fire in fires)
        first = fired[0] if fired else began
        expected = list(range(first, fired[-1] + 1, 60)) if fired else []
        ends = sorted({str(fire.run_status) for fire in fires})
        outcomes = sorted({fire.outcome for fire in fires})
        late = first - began > 120
        print(f"{schedule_id}: {len(fires)} minutes on record, {len(set(fired))} different,"
              f" {len(expected)} expected; {', '.join(outcomes)}; runs: {', '.join(ends)};"
              f" {kills} kills")  # fmt: skip
        wrong += fired != expected or outcomes != ["started"] or ends != ["success"] or late
    return 1 if wrong else 0


if __name__ == "__main__":
    main()
