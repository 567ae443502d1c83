"""Eight processes with clocks up to 90 seconds apart fire the same schedules and are killed."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from schedules.record import HOUR, at
from schedules.test_year import STAR_HOUR, STAR_MINUTE, check, daily, expected_of, field

from wrkflw_tui.engine.terms import ScheduleTerms
from wrkflw_tui.schedules import actions, scheduler

if TYPE_CHECKING:
    from schedules.record import Desk

CROWD = Path(__file__).with_name("crowd.py")
NIGHTS = {
    "spring": ("Europe/Berlin", "2026-03-28 22:00"),
    "autumn": ("Europe/Berlin", "2026-10-24 22:00"),
    "half an hour": ("Australia/Lord_Howe", "2026-04-04 13:00"),
}
EXPRESSIONS = [
    daily(STAR_MINUTE, STAR_HOUR),
    daily(field("*/5", *range(0, 60, 5)), STAR_HOUR),
    daily(field("30", 30), field("2", 2)),
    daily(field("0", 0), field("1-3", 1, 2, 3)),
    daily(field("*/7", *range(0, 60, 7)), field("1-3", 1, 2, 3)),
]
HOURS, KILLS = 5, 60


@pytest.mark.slow
@pytest.mark.parametrize("night", NIGHTS)
def test_none_fires_twice_and_none_is_missing(desk: Desk, file: Path, night: str) -> None:
    zone, begin = NIGHTS[night]
    desk.now = at(begin)
    made = {}
    for expression in EXPRESSIONS:
        terms = ScheduleTerms(
            timing=expression.text, timezone=zone, overlap="allow", catch_up="all"
        )
        made[desk.do(lambda c, t=terms: actions.add(c, "job", t, "1", desk.now))] = expression
    end = desk.now + HOURS * HOUR
    command = [sys.executable, str(CROWD), str(file), str(desk.now), str(end), str(KILLS)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > KILLS / 3
    start = datetime.fromtimestamp(desk.now, UTC)
    # What the fastest clock saw is on record; then the last minute, by a clock that is right.
    desk.tick(end + 60)
    for schedule_id, expression in made.items():
        until = start + timedelta(hours=HOURS, seconds=60)
        check(desk, schedule_id, expected_of(expression, zone, start, until))
    runs = desk.connection.execute(
        "SELECT schedule_id, due_at, run_id FROM wrkflw_workflow_runs"
    ).fetchall()
    assert len({(row[0], row[1]) for row in runs}) == len(runs)
    assert all(row[2] == scheduler.run_id_for(row[0], row[1]) for row in runs)
    assert desk.connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
