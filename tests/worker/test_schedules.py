"""A worker and its schedules: what a file says fires, waits its turn, and stops with the file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wrkflw_tui.schedules import actions, scheduler
from wrkflw_tui.schedules.policy import Instant
from wrkflw_tui.schedules.schedule import terms_of
from wrkflw_tui.store import fires, schedules

if TYPE_CHECKING:
    from worker.harness import Bench

IN_CODE = """
    from wrkflw_tui import Schedule, create_workflow, step

    @step
    def work(value: int) -> int:
        return value * 2

    workflow = create_workflow(id="job", input_schema=int, output_schema=int, schedules=[
        Schedule(every="{every}", input_data=21, id="often", overlap="allow"),
    ]).then(work).commit()
"""
HELD = """
    @step
    def work(value: int) -> int:
        note("begin")
        wait_for("go")
        return value
"""
FAILS = """
    @step
    def work(value: int) -> int:
        raise ValueError
"""


def outcomes(bench: Bench, schedule_id: str) -> list[str]:
    found = bench.read_record(lambda c: fires.list_fires(c, schedule_id))
    return [fire.outcome for fire in reversed(found)]


def add(bench: Bench, timing: str, overlap: str = "skip", **settings: object) -> str:
    terms = terms_of(timing, overlap=overlap, **settings)  # pyright: ignore[reportArgumentType] - of the test's own
    return bench.write_record(lambda c: actions.add(c, "job", terms, "1", int(time.time())))


def test_a_schedule_in_code_fires_until_it_is_taken_out(bench: Bench) -> None:
    bench.write("job.py", IN_CODE.replace("{every}", "1s"))
    bench.worker()
    done = "SELECT result FROM wrkflw_workflow_runs WHERE status = 'success'"
    bench.until(lambda: len(bench.rows(done)) >= 2, "it has fired twice")
    assert set(bench.rows(done)) == {("42",)}
    bench.write("job.py", IN_CODE.replace("{every}", "400d"))
    slow = "SELECT 1 FROM wrkflw_schedules WHERE timing = 'every 57w1d' AND next_at > unixepoch()"
    bench.until(lambda: bench.rows(slow), "the file is followed")
    bench.write("job.py", "")
    bench.until(lambda: not bench.read_record(schedules.list_schedules), "it is gone")
    assert "started" in outcomes(bench, "job.often")


def test_fires_that_wait_go_one_after_the_other(bench: Bench) -> None:
    bench.automation("job", HELD, "work")
    schedule_id = add(bench, "every 1s", "queue_all", catch_up="all", max_runs=3)
    worker = bench.worker()
    bench.until(
        lambda: outcomes(bench, schedule_id) == ["started", "waiting", "waiting"],
        "two wait for the first",
    )
    assert bench.notes == ["begin"]
    (bench.folder / "go").touch()
    bench.until(lambda: outcomes(bench, schedule_id) == ["started"] * 3, "all have started")
    all_done = "SELECT count(*) FROM wrkflw_workflow_runs WHERE status = 'success'"
    bench.until(lambda: bench.rows(all_done) == [(3,)], "all are done")
    assert worker.process.poll() is None


def test_a_worker_that_ends_when_idle_leaves_none_waiting(bench: Bench) -> None:
    bench.automation("job", HELD, "work")
    (bench.folder / "go").touch()
    schedule_id = add(bench, "0 0 1 1 *", "queue_all", timezone="UTC")
    now = int(time.time())
    row = bench.read_record(lambda c: schedules.get(c, schedule_id))
    for due_at in (now - 300, now - 200, now - 100):
        instant = Instant(due_at, due_at)
        bench.write_record(lambda c, one=instant: scheduler.start(c, row, one, now))
    assert outcomes(bench, schedule_id) == ["started", "waiting", "waiting"]
    assert bench.worker("--until-idle").wait() == 0
    assert outcomes(bench, schedule_id) == ["started"] * 3
    assert bench.notes == ["begin"] * 3


def test_failures_in_a_row_pause_it(bench: Bench) -> None:
    bench.automation("job", FAILS, "work")
    schedule_id = add(bench, "every 1s", pause_after_failures=2)
    bench.worker()

    def paused() -> bool:
        return bench.read_record(lambda c: schedules.get(c, schedule_id)).paused

    bench.until(paused, "it is paused")
    row = bench.read_record(lambda c: schedules.get(c, schedule_id))
    assert row.note == "paused after 2 failed runs in a row"
    failed = "SELECT count(*) FROM wrkflw_workflow_runs WHERE status = 'failed'"
    assert bench.rows(failed) == [(2,)]


def test_pointers_of_a_clock_that_was_ahead_are_computed_anew(bench: Bench) -> None:
    bench.automation("job", HELD, "work")
    schedule_id = add(bench, "every 1s")
    ahead = int(time.time()) + 10**7
    bench.write_record(lambda c: schedules.move_pointer(c, schedule_id, "UTC", ahead, ahead))
    bench.worker()
    bench.until(lambda: outcomes(bench, schedule_id), "it fires by the clock as it is")
