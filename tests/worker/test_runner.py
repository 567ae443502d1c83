"""A run's own process: cancelled, hanging, crashing, and dying with its worker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from worker.harness import all_gone, end_process, is_gone

if TYPE_CHECKING:
    from worker.harness import Bench

ASYNC = """
    @step
    async def work(value: int) -> int:
        note(f"at work {os.getpid()}")
        await asyncio.sleep(600)
        return value
"""
SYNC = """
    @step
    def work(value: int) -> int:
        note(f"at work {os.getpid()}")
        time.sleep(600)
        return value
"""
WITH_CHILD = """
    CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"

    @step
    def work(value: int) -> int:
        child = subprocess.Popen([sys.executable, "-c", CHILD])
        note(f"at work {os.getpid()} {child.pid}")
        child.wait()
        return value
"""
STUBBORN = """
    @step
    async def work(value: int) -> int:
        note(f"at work {os.getpid()}")
        while True:
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                pass
"""
BUSY = """
    @step
    async def work(value: int) -> int:
        note(f"at work {os.getpid()}")
        while True:
            pass
"""
HOLDS_ALL = """
    @step
    def work(value: int) -> int:
        note(f"at work {os.getpid()}")
        ctypes.PyDLL(None).pause()  # no other thread of the process gets its turn
        return value
"""
KINDS = {
    "async": ASYNC,
    "sync": SYNC,
    "child": WITH_CHILD,
    "stubborn": STUBBORN,
    "busy": BUSY,
    "holds-all": HOLDS_ALL,
}
kinds = pytest.mark.parametrize("code", KINDS.values(), ids=KINDS)


def start(bench: Bench, code: str) -> tuple[str, list[int]]:
    """Start a run; return its id and the processes that it is once its step is at work."""
    bench.automation("job", code)
    run_id = bench.enqueue("job")
    return run_id, [int(pid) for pid in bench.wait_note("at work").split()]


@kinds
def test_cancel_ends_the_run_and_all_its_processes(bench: Bench, code: str) -> None:
    bench.worker()
    run_id, pids = start(bench, code)
    asked = time.monotonic()
    bench.cancel(run_id)
    snapshot = bench.wait(run_id, "cancelled", seconds=10)
    bench.until(lambda: all_gone(pids), f"{pids} are gone", 10)
    assert time.monotonic() - asked < 10
    assert bench.attempts(run_id) == [("work", 1, "interrupted")]
    assert snapshot.run.finished_at is not None


def test_cancel_lets_an_async_step_clean_up(bench: Bench) -> None:
    code = """
        @step
        async def work(value: int) -> int:
            note("at work")
            try:
                await asyncio.sleep(600)
            finally:
                await asyncio.sleep(0.1)
                note("tidy")
    """
    bench.worker()
    run_id, _ = start(bench, code)
    bench.cancel(run_id)
    bench.wait(run_id, "cancelled")
    assert bench.notes[-1] == "tidy"


def test_cancel_during_the_import(bench: Bench) -> None:
    # The catalogue has seen the file; only then does its import take for ever.
    bench.automation("job", "if Path('slow').exists(): note('importing'); time.sleep(600)\n" + WORK)
    worker = bench.worker()
    bench.wait(bench.enqueue("job"))
    bench.touch("slow")
    run_id = bench.enqueue("job")
    bench.wait_note("importing")
    bench.cancel(run_id)
    bench.wait(run_id, "cancelled", seconds=10)
    assert worker.process.poll() is None


WORK = """
@step
def work(value: int) -> int:
    return value
"""


def test_cancel_of_a_queued_run_starts_nothing(bench: Bench) -> None:
    bench.automation("job", "@step\ndef work(value: int) -> int:\n    note('called'); return value")
    run_id = bench.enqueue("job")
    assert bench.cancel(run_id) == "cancelled"
    bench.worker()
    bench.wait(bench.enqueue("job"))
    assert bench.notes == ["called"]
    assert bench.attempts(run_id) == []


def test_a_cancel_asked_for_just_before_a_kill_still_holds(bench: Bench) -> None:
    worker = bench.worker()
    run_id, _ = start(bench, SYNC)
    worker.signal(19)  # SIGSTOP: it does not get to see the cancel
    bench.cancel(run_id)
    worker.kill()
    bench.worker()
    bench.wait(run_id, "cancelled")


HANGS_ONCE = """
    @step(timeout=timedelta(seconds=0.3), retry=RetryPolicy(
        max_attempts={attempts}, initial_delay=timedelta(0)))
    def work(value: int, context: StepContext) -> int:
        note(f"at work {os.getpid()}")
        if context.attempt < {good}:
            time.sleep(600)
        return value

    @step
    def before(value: int) -> int:
        note(f"before")
        return value
"""


def test_goes_on_in_a_new_process_when_a_step_hangs_past_its_timeout(bench: Bench) -> None:
    code = HANGS_ONCE.replace("{attempts}", "3").replace("{good}", "3")
    bench.automation("job", code, "before", "work")
    bench.worker()
    run_id = bench.enqueue("job", "7")
    assert bench.wait(run_id).result == 7
    assert bench.attempts(run_id) == [
        ("before", 1, "success"),
        ("work", 1, "failed"),
        ("work", 2, "failed"),
        ("work", 3, "success"),
    ]
    assert bench.notes.count("before") == 1
    pids = [int(line.split()[-1]) for line in bench.notes if line.startswith("at work")]
    assert len(set(pids)) == 3
    bench.until(lambda: all_gone(pids), f"{pids} are gone")


def test_the_retry_policy_counts_attempts_across_processes(bench: Bench) -> None:
    code = HANGS_ONCE.replace("{attempts}", "2").replace("{good}", "9")
    bench.automation("job", code, "before", "work")
    bench.worker()
    run_id = bench.enqueue("job")
    error = bench.wait(run_id, "failed").run.error
    assert error is not None
    assert (error.type, error.path) == ("StepTimeout", "work")
    assert "0.3 s" in error.message
    assert [what for path, _, what in bench.attempts(run_id) if path == "work"] == ["failed"] * 2


CRASH_ONCE = """
    @step
    def work(value: int, context: StepContext) -> int:
        if context.attempt == 1:
            {crash}
        return value
"""
CRASHES = {
    "os._exit(3)": "exit code 3",
    "ctypes.string_at(0)": "SIGSEGV",
    "os.kill(os.getpid(), signal.SIGKILL)": "SIGKILL",
    "os.abort()": "SIGABRT",
}


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crashed_attempt_names_its_cause_and_the_walk_goes_on(bench: Bench, crash: str) -> None:
    bench.automation("job", CRASH_ONCE.replace("{crash}", crash))
    bench.worker()
    run_id = bench.enqueue("job", "5")
    assert bench.wait(run_id).result == 5
    assert bench.attempts(run_id) == [("work", 1, "crashed"), ("work", 2, "success")]
    error = bench.snapshot(run_id).all_attempts[0].error
    assert error is not None
    assert CRASHES[crash] in error.message


def test_a_step_that_crashes_three_times_in_a_row_fails(bench: Bench) -> None:
    bench.automation("job", "@step\ndef work(value: int) -> int:\n    note('called'); os._exit(3)")
    worker = bench.worker()
    run_id = bench.enqueue("job")
    error = bench.wait(run_id, "failed").run.error
    assert error is not None
    assert (error.type, error.path) == ("StepCrashed", "work")
    assert "exit code 3" in error.message
    assert bench.notes == ["called"] * 3
    assert [what for _, _, what in bench.attempts(run_id)] == ["crashed"] * 3 + ["failed"]
    assert worker.process.poll() is None


def test_a_crash_leaves_no_child_behind(bench: Bench) -> None:
    head = "def work(value: int) -> int:"
    once = f"{head}\n        if Path('crashed').exists(): return value"
    code = WITH_CHILD.replace("child.wait()", "Path('crashed').touch(); os._exit(1)")
    code = code.replace(head, once)
    bench.worker()
    run_id, pids = start(bench, code)
    bench.wait(run_id)
    bench.until(lambda: all_gone(pids), f"{pids} are gone", 5)


def test_sys_exit_in_a_step_is_a_failed_step(bench: Bench) -> None:
    bench.automation("job", "@step\ndef work(value: int) -> int:\n    sys.exit('enough')")
    bench.worker()
    run_id = bench.enqueue("job")
    error = bench.wait(run_id, "failed").run.error
    assert error is not None
    assert (error.type, error.message, error.path) == ("SystemExit", "enough", "work")
    assert bench.attempts(run_id) == [("work", 1, "failed")]


def test_a_process_that_dies_on_import_fails_the_run(bench: Bench) -> None:
    bench.automation("job", "if Path('die').exists(): note('died'); os._exit(9)\n" + WORK)
    bench.worker()
    bench.wait(bench.enqueue("job"))
    bench.touch("die")
    run_id = bench.enqueue("job")
    error = bench.wait(run_id, "failed").run.error
    assert error is not None
    assert "exit code 9" in error.message
    assert bench.notes == ["died"] * 3
    # It is not held against the next run.
    (bench.folder / "die").unlink()
    bench.wait(bench.enqueue("job"))


def test_a_file_broken_since_the_last_look_fails_the_run(bench: Bench) -> None:
    bench.automation("job", "if Path('bad').exists(): raise RuntimeError('not today')\n" + WORK)
    bench.worker()
    bench.wait(bench.enqueue("job"))
    bench.touch("bad")
    error = bench.wait(bench.enqueue("job"), "failed").run.error
    assert error is not None
    assert "not today" in error.message


def test_a_run_that_succeeds_leaves_its_background_child_alone(bench: Bench) -> None:
    code = """
        @step
        def work(value: int) -> int:
            note(f"child {subprocess.Popen(['sleep', '600']).pid}")
            return value
    """
    bench.automation("job", code)
    bench.automation("other", WORK)
    bench.worker("--max-runs", "1")
    bench.wait(bench.enqueue("job"))
    child = int(bench.wait_note("child"))
    try:
        # It holds the run's pipes open, but not the only place for runs.
        bench.wait(bench.enqueue("other"), seconds=10)
        assert not is_gone(child)
    finally:
        end_process(child)


@kinds
def test_dies_with_its_worker(bench: Bench, code: str) -> None:
    worker = bench.worker()
    run_id, pids = start(bench, code)
    runners = worker.runners()
    assert pids[0] in runners
    worker.kill()
    bench.until(lambda: all_gone([*pids, *runners]), f"{pids} and {runners} are gone", 2)
    # Nobody was left to record anything.
    assert bench.snapshot(run_id).run.status == "running"


def test_dies_with_its_worker_during_the_import(bench: Bench) -> None:
    code = "if Path('slow').exists(): note(f'importing {os.getpid()}'); time.sleep(600)\n"
    bench.automation("job", code + WORK)
    worker = bench.worker()
    bench.wait(bench.enqueue("job"))
    bench.touch("slow")
    bench.enqueue("job")
    pid = int(bench.wait_note("importing"))
    worker.kill()
    bench.until(lambda: is_gone(pid), f"{pid} is gone", 2)
