"""A worker process: walks what is queued, hands over, stands by, follows its app."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from worker.harness import all_gone

from wrkflw_tui.commands.care import has_worker
from wrkflw_tui.store import claims

if TYPE_CHECKING:
    from worker.harness import Bench

SUMS = """
    @step
    async def add_one(value: int) -> int:
        note(f"add_one {value}")
        return value + 1

    @step
    def double(value: int) -> int:
        note(f"double {value}")
        return value * 2
"""
TWO_STEPS = """
    @step
    def first(value: int) -> int:
        note("first")
        return value + 1

    @step
    def second(value: int) -> int:
        note(f"second {value}")
        wait_for("go")
        return value + 1
"""
TWO_ASYNC_STEPS = TWO_STEPS.replace("def second", "async def second").replace(
    'wait_for("go")', 'while not Path("go").exists(): await asyncio.sleep(0.01)'
)
ONE_AT_A_TIME = """
    @step
    def work(value: int) -> int:
        note(f"begin {value}")
        time.sleep(0.05)
        note(f"end {value}")
        return value
"""


def test_walks_a_queued_run_to_success(bench: Bench) -> None:
    bench.automation("sums", SUMS, "add_one", "double")
    bench.worker()
    run_id = bench.enqueue("sums", "20")
    snapshot = bench.wait(run_id)
    assert snapshot.result == 42
    assert bench.notes == ["add_one 20", "double 21"]
    assert bench.attempts(run_id) == [("add-one", 1, "success"), ("double", 1, "success")]
    assert (snapshot.run.steps_done, snapshot.run.steps_total) == (2, 2)
    assert snapshot.run.trigger == "app"
    assert snapshot.run.execution_path == ()


def test_starts_what_was_queued_before_it(bench: Bench) -> None:
    # A fresh record: the folder was never looked at when the run was queued.
    bench.automation("sums", SUMS, "add_one", "double")
    run_id = bench.enqueue("sums", "1")
    bench.worker()
    assert bench.wait(run_id).result == 4


def test_starts_a_run_of_a_file_that_moved_meanwhile(bench: Bench) -> None:
    path = bench.automation("sums", SUMS, "add_one", "double")
    first = bench.worker()
    bench.wait(bench.enqueue("sums", "1"))
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    path.rename(path.with_name("renamed.py"))
    run_id = bench.enqueue("sums", "2")
    bench.worker()
    assert bench.wait(run_id).result == 6


def test_walks_two_runs_at_once(bench: Bench) -> None:
    bench.automation(
        "meet",
        """
        @step
        def work(value: int) -> int:
            Path(f"here-{value}").touch()
            wait_for(f"here-{1 - value}")
            return value
        """,
    )
    bench.worker()
    runs = [bench.enqueue("meet", str(number)) for number in range(2)]
    assert [bench.wait(run).result for run in runs] == [0, 1]


def test_walks_no_more_runs_at_once_than_allowed(bench: Bench) -> None:
    bench.automation("job", ONE_AT_A_TIME)
    bench.worker("--max-runs", "1")
    runs = [bench.enqueue("job", str(number)) for number in range(4)]
    for run in runs:
        bench.wait(run)
    assert bench.notes == [f"{word} {n}" for n in range(4) for word in ("begin", "end")]


def test_refuses_an_unknown_workflow(bench: Bench) -> None:
    bench.automation("sums", SUMS, "add_one", "double")
    bench.worker()
    run_id = bench.enqueue("nothing-like-it")
    error = bench.wait(run_id, "failed").run.error
    assert error is not None
    assert error.type == "WorkflowNotFound"
    assert "'nothing-like-it'" in error.message
    assert str(bench.folder) in error.message
    # The refusal holds nobody else up.
    bench.wait(bench.enqueue("sums"))


def test_names_the_field_of_an_input_that_does_not_fit(bench: Bench) -> None:
    bench.automation(
        "letter",
        """
        class Letter(BaseModel):
            address: str
            copies: int

        @step
        def work(letter: Letter) -> int:
            note("called")
            return letter.copies
        """,
        input="Letter",
    )
    bench.worker()
    run_id = bench.enqueue("letter", '{"address": "Kiel", "copies": "many"}')
    error = bench.wait(run_id, "failed").run.error
    assert error is not None
    assert error.type == "InvalidInput"
    assert "'letter'" in error.message
    assert "copies" in error.message
    assert "address" not in error.message
    assert bench.notes == []
    assert bench.attempts(run_id) == []


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (TWO_STEPS, signal.SIGTERM),
        (TWO_ASYNC_STEPS, signal.SIGTERM),
        (TWO_STEPS, signal.SIGHUP),
        (TWO_ASYNC_STEPS, signal.SIGINT),
    ],
    ids=["sync-TERM", "async-TERM", "sync-HUP", "async-INT"],
)
def test_hands_over_what_runs_when_told_to_end(bench: Bench, code: str, number: int) -> None:
    bench.automation("job", code, "first", "second")
    worker = bench.worker()
    run_id = bench.enqueue("job")
    bench.wait_note("second")
    worker.signal(number)
    assert worker.wait() == 0
    assert bench.snapshot(run_id).run.status == "queued"
    assert bench.attempts(run_id) == [("first", 1, "success"), ("second", 1, "interrupted")]
    bench.touch("go")
    bench.worker()
    assert bench.wait(run_id).result == 3
    assert bench.notes == ["first", "second 2", "second 2"]
    assert bench.attempts(run_id)[2:] == [("second", 2, "success")]


TIDY = {
    "sync": """
        @step
        def work(value: int, context: StepContext) -> int:
            note("at work")
            while not context.cancelled and not Path("go").exists():
                time.sleep(0.01)
            if context.cancelled:
                time.sleep(0.3)
                note("tidy")
            return value
    """,
    "async": """
        @step
        async def work(value: int, context: StepContext) -> int:
            note("at work")
            try:
                while not Path("go").exists():
                    await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                await asyncio.sleep(0.3)
                note("tidy")
                raise
            return value
    """,
}


@pytest.mark.parametrize("code", TIDY.values(), ids=TIDY)
def test_steps_have_time_to_tidy_up_before_they_are_handed_over(bench: Bench, code: str) -> None:
    bench.automation("job", code)
    worker = bench.worker()
    run_id = bench.enqueue("job")
    bench.wait_note("at work")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert bench.notes == ["at work", "tidy"]
    assert bench.attempts(run_id) == [("work", 1, "interrupted")]
    bench.touch("go")
    bench.worker()
    bench.wait(run_id)


def test_gives_up_the_lease_at_its_end(bench: Bench) -> None:
    worker = bench.worker()
    bench.wait_said(worker, "holds")
    assert len(bench.rows("SELECT * FROM wrkflw_leases")) == 1
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert bench.rows("SELECT * FROM wrkflw_leases") == []


def test_stands_by_and_takes_over_from_one_that_was_killed(bench: Bench) -> None:
    bench.automation("job", TWO_STEPS, "first", "second")
    worker = bench.worker()
    bench.wait_said(worker, "holds")
    other = bench.worker()
    bench.wait_said(other, "standing by")
    run_id = bench.enqueue("job")
    bench.wait_note("second")
    assert other.runners() == []
    worker.kill()
    bench.wait_said(other, "holds")
    bench.touch("go")
    bench.wait(run_id)
    steps = bench.attempts(run_id)
    assert steps[:2] == [("first", 1, "success"), ("second", 1, "crashed")]
    assert steps[-1] == ("second", 2, "success")
    assert bench.notes.count("first") == 1
    lost = bench.snapshot(run_id).all_attempts[1].error
    assert lost is not None
    assert lost.type == "WorkerLost"


def test_one_that_stands_by_ends_when_told_to(bench: Bench) -> None:
    worker = bench.worker()
    bench.wait_said(worker, "holds")
    other = bench.worker()
    bench.wait_said(other, "standing by")
    other.signal(signal.SIGTERM)
    assert other.wait() == 0
    # The lease stays with the one that holds it.
    assert bench.rows("SELECT pid FROM wrkflw_leases") == [(worker.pid,)]


def test_ends_when_its_lease_was_taken(bench: Bench) -> None:
    bench.automation("job", TWO_STEPS, "first", "second")
    worker = bench.worker()
    run_id = bench.enqueue("job")
    bench.wait_note("second")
    worker.signal(signal.SIGSTOP)
    # As if it had been asleep for longer than its lease.
    bench.write_record(lambda c: c.execute("UPDATE wrkflw_leases SET expires_at = 0"))
    other = bench.worker()
    bench.wait_said(other, "holds")
    bench.touch("go")
    bench.wait(run_id)
    worker.signal(signal.SIGCONT)
    assert worker.wait() == 0
    assert "the lease was taken" in worker.said
    assert bench.snapshot(run_id).run.status == "success"
    assert bench.rows("SELECT pid FROM wrkflw_leases") == [(other.pid,)]


class TestForApp:
    """A worker that an app started follows the line that the app holds."""

    def test_ends_gently_at_the_stop_word(self, bench: Bench) -> None:
        bench.automation("job", TWO_STEPS, "first", "second")
        worker = bench.worker("--for-app")
        run_id = bench.enqueue("job")
        bench.wait_note("second")
        worker.say(b"stop\n")
        assert worker.wait() == 0
        assert bench.snapshot(run_id).run.status == "queued"
        assert bench.attempts(run_id)[-1] == ("second", 1, "interrupted")

    def test_goes_on_after_the_leave_word(self, bench: Bench) -> None:
        bench.automation("job", TWO_STEPS, "first", "second")
        worker = bench.worker("--for-app")
        run_id = bench.enqueue("job")
        bench.wait_note("second")
        worker.say(b"leave\n")
        bench.touch("go")
        bench.wait(run_id)
        bench.wait(bench.enqueue("job"))  # idle in between, and still there
        assert worker.process.poll() is None

    def test_finishes_what_runs_when_the_line_breaks(self, bench: Bench) -> None:
        bench.automation("job", TWO_STEPS, "first", "second")
        worker = bench.worker("--for-app")
        run_id = bench.enqueue("job")
        bench.wait_note("second")
        runners = worker.runners()
        worker.say(b"")
        assert bench.snapshot(run_id).run.status == "running"
        bench.touch("go")
        bench.wait(run_id)
        assert worker.wait() == 0
        assert bench.attempts(run_id) == [("first", 1, "success"), ("second", 1, "success")]
        bench.until(lambda: all_gone(runners), "its runners are gone")

    def test_ends_when_the_line_breaks_and_nothing_runs(self, bench: Bench) -> None:
        worker = bench.worker("--for-app")
        bench.wait_said(worker, "holds")
        worker.say(b"")
        assert worker.wait() == 0
        assert bench.rows("SELECT * FROM wrkflw_leases") == []

    def test_a_worker_without_an_app_ignores_its_line(self, bench: Bench) -> None:
        bench.automation("sums", SUMS, "add_one", "double")
        worker = bench.worker()
        worker.say(b"stop\n")
        bench.wait(bench.enqueue("sums"))
        assert worker.process.poll() is None


class TestUntilIdle:
    def test_ends_when_nothing_is_left_to_do(self, bench: Bench) -> None:
        bench.automation("sums", SUMS, "add_one", "double")
        runs = [bench.enqueue("sums"), bench.enqueue("sums")]
        worker = bench.worker("--until-idle")
        assert worker.wait() == 0
        assert [bench.snapshot(run_id).run.status for run_id in runs] == ["success"] * 2
        assert bench.rows("SELECT * FROM wrkflw_leases") == []

    def test_ends_at_once_beside_another(self, bench: Bench) -> None:
        other = bench.worker()
        bench.wait_said(other, "holds")
        worker = bench.worker("--until-idle")
        assert worker.wait() == 0
        assert "another worker holds the lease: ending" in worker.said
        assert other.process.poll() is None

    @pytest.mark.parametrize("looks", [0, 5, 50, 500])
    def test_a_run_queued_about_its_end_is_done_or_its_end_is_seen(
        self, bench: Bench, looks: int
    ) -> None:
        bench.automation("sums", SUMS, "add_one", "double")
        worker = bench.worker("--until-idle")
        bench.wait_said(worker, "holds")
        for _ in range(looks):
            bench.read_record(has_worker)
        run_id, is_there = bench.write_record(
            lambda c: (claims.enqueue(c, "sums", "1", "cli"), has_worker(c))
        )
        assert worker.wait() == 0
        assert bench.snapshot(run_id).run.status == ("success" if is_there else "queued")
