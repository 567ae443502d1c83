"""What a run has started and that has left its process group: ended with it, or left alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psutil
import pytest
from worker.harness import all_gone, end_process, is_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.harness import Bench, Worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="found by what only Linux has")

STRAYS = """
    def stray_program():
        program = [sys.executable, "-c", "import signal, time\\n"
                   "signal.signal(signal.SIGTERM, signal.SIG_IGN)\\ntime.sleep(600)"]
        return subprocess.Popen(program, start_new_session=True).pid

    def daemon():
        out, given = os.pipe()
        if os.fork() == 0:
            os.setsid()
            pid = os.fork()
            if pid == 0:
                for descriptor in range(3):
                    os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
                time.sleep(600)
                os._exit(0)
            os.write(given, str(pid).encode())
            os._exit(0)
        os.wait()
        return int(os.read(out, 20))

    def start_strays():
        if not Path("strays").exists():
            Path("strays").touch()
            note(f"strays {stray_program()} {daemon()}")
"""
WAITS = """
    @step
    def work(value: int) -> int:
        start_strays()
        note(f"at work {os.getpid()}")
        time.sleep(600)
        return value
"""
ENDS = """
    @step
    def work(value: int) -> int:
        start_strays()
        note(f"at work {os.getpid()}")
        if value < 0:
            raise ValueError("below nothing")
        return value
"""
HANGS_ONCE = """
    @step(timeout=timedelta(seconds=0.3), retry=RetryPolicy(max_attempts=2))
    def work(value: int, context: StepContext) -> int:
        if context.attempt == 1:
            start_strays()
            time.sleep(600)
        note(f"again {os.getpid()}")
        return value
"""


@pytest.fixture
def strays(bench: Bench) -> Iterator[Callable[[], list[int]]]:
    """Gives the processes that the run has started; ends them after the test."""

    def found() -> list[int]:
        return [int(pid) for pid in bench.wait_note("strays").split()]

    yield found
    for line in bench.notes:
        if line.startswith("strays"):
            for pid in line.split()[1:]:
                end_process(int(pid))


def start(bench: Bench, code: str, input: str = "1") -> str:
    bench.automation("job", f"{STRAYS}\n{code}")
    return bench.enqueue("job", input)


def test_a_cancel_ends_them(bench: Bench, strays: Callable[[], list[int]]) -> None:
    bench.worker()
    run_id = start(bench, WAITS)
    bench.wait_note("at work")
    pids = strays()
    assert not any(is_gone(pid) for pid in pids)
    bench.cancel(run_id)
    bench.wait(run_id, "cancelled")
    bench.until(lambda: all_gone(pids), f"{pids} are gone")


def test_a_timeout_ends_them_before_the_next_attempt(
    bench: Bench, strays: Callable[[], list[int]]
) -> None:
    bench.worker()
    run_id = start(bench, HANGS_ONCE)
    bench.wait(run_id)
    assert all_gone(strays())
    assert [attempt[1:] for attempt in bench.attempts(run_id)] == [(1, "failed"), (2, "success")]


def test_a_crash_ends_them(bench: Bench, strays: Callable[[], list[int]]) -> None:
    bench.worker()
    run_id = start(bench, WAITS)
    first = int(bench.wait_note("at work"))
    pids = strays()
    end_process(first)
    bench.until(lambda: bench.wait_note("at work") != str(first), "it is at work again")
    assert all_gone(pids)
    assert bench.attempts(run_id)[0] == ("work", 1, "crashed")


def test_a_run_that_fails_takes_them_with_it(bench: Bench, strays: Callable[[], list[int]]) -> None:
    bench.worker()
    bench.wait(start(bench, ENDS, "-1"), "failed")
    bench.until(lambda: all_gone(strays()), "they are gone")


def test_a_run_that_succeeds_leaves_them_alone(
    bench: Bench, strays: Callable[[], list[int]]
) -> None:
    worker = bench.worker()
    bench.wait(start(bench, ENDS))
    pids = strays()
    bench.until(lambda: is_gone(int(bench.wait_note("at work"))), "its process is gone")
    # The next run, and the end of the worker, do not touch them either.
    bench.wait(bench.enqueue("job"))
    worker.signal(15)
    assert worker.wait() == 0
    assert not any(is_gone(pid) for pid in pids)


def test_what_was_left_alone_is_reaped_when_it_ends(
    bench: Bench, strays: Callable[[], list[int]]
) -> None:
    bench.worker()
    bench.wait(start(bench, ENDS))
    for pid in strays():
        end_process(pid)
        bench.until(lambda pid=pid: not psutil.pid_exists(pid), f"{pid} is no zombie any more")


def test_the_next_worker_ends_what_a_killed_one_has_left(
    bench: Bench, strays: Callable[[], list[int]]
) -> None:
    worker = bench.worker()
    run_id = start(bench, WAITS)
    first = bench.wait_note("at work")
    pids = strays()
    worker.kill()
    assert not any(is_gone(pid) for pid in pids)
    bench.worker()
    bench.until(lambda: bench.wait_note("at work") != first, "it is at work again")
    assert all_gone(pids)
    bench.cancel(run_id)
    bench.wait(run_id, "cancelled")


def forks_of(worker: Worker) -> list[psutil.Process]:
    children = psutil.Process(worker.pid).children()
    return [child for child in children if child.name() == "wrkflw-forks"]


def test_the_process_that_forks_has_one_thread_and_no_record(bench: Bench) -> None:
    bench.automation("job", WORK)
    worker = bench.worker()
    bench.wait(bench.enqueue("job"))
    (server,) = forks_of(worker)
    assert server.num_threads() == 1
    assert not [file.path for file in server.open_files() if file.path.endswith(".db")]
    for pid in worker.runners():
        assert psutil.Process(pid).ppid() == worker.pid


def test_runs_go_on_when_the_process_that_forks_was_killed(bench: Bench) -> None:
    bench.automation("job", WORK)
    worker = bench.worker("--max-runs", "2")
    bench.wait(bench.enqueue("job"))
    (server,) = forks_of(worker)
    end_process(server.pid)
    for _ in range(3):
        bench.wait(bench.enqueue("job"))
    bench.until(lambda: forks_of(worker), "there is another")


def test_a_run_has_the_code_that_is_there_when_it_is_started(bench: Bench) -> None:
    bench.automation("job", WORK)
    bench.worker()
    for number in range(4):
        bench.automation("job", WORK.replace("return value", f"return value + {number}"))
        assert bench.wait(bench.enqueue("job", "1")).result == 1 + number


WORK = """
    @step
    def work(value: int) -> int:
        return value
"""
