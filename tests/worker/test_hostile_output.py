"""What a run says in ways that are hard to keep: real processes, all of it on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.harness import all_gone, is_gone
from worker.test_capture import run, wait_lines

if TYPE_CHECKING:
    import pytest
    from worker.harness import Bench


def test_ten_megabytes_in_one_line(shared: Bench) -> None:
    code = """
        @step
        def work(value: int) -> int:
            print("y" * 10_000_000)
            sys.stdout.buffer.write(b"x" * 10_000_000 + b"\\n")
            subprocess.run(["sh", "-c", "head -c 10000000 /dev/zero; echo; echo end"], check=True)
            return value
    """
    run_id = run(shared, "longline", code)
    shared.until(lambda: "end" in shared.lines(run_id), "the end is on record")
    said = "".join(shared.lines(run_id))
    assert said == "y" * 10_000_000 + "x" * 10_000_000 + "\0" * 10_000_000 + "end"


def test_a_step_that_closes_its_output(shared: Bench) -> None:
    code = """
        @step
        def work(value: int) -> int:
            os.close(1)
            os.close(2)
            taken = os.open("taken.txt", os.O_CREAT | os.O_WRONLY)
            print("on", taken)
            print("still heard", file=sys.stderr)
            return value
    """
    run_id = run(shared, "closes", code)
    assert wait_lines(shared, run_id, 1) == ["on 1"]
    assert wait_lines(shared, run_id, 1, "stderr") == ["still heard"]
    assert (shared.folder / "taken.txt").read_text("utf-8") == ""


def test_a_child_that_makes_the_pipe_non_blocking(shared: Bench) -> None:
    code = """
        @step
        def work(value: int) -> int:
            os.set_blocking(1, False)
            for number in range(50_000):
                print(number, "x" * 80)
            return value
    """
    run_id = run(shared, "nonblocking", code)
    lines = wait_lines(shared, run_id, 50_000)
    assert [int(line.split()[0]) for line in lines] == list(range(50_000))


def test_endless_output_ends_with_a_cancel(bench: Bench) -> None:
    bench.automation(
        "endless",
        """
        @step
        def work(value: int) -> int:
            note(f"runner {os.getpid()}")
            child = subprocess.Popen(["yes", "on and on"])
            note(f"child {child.pid}")
            while True:
                print("and on")
        """,
    )
    bench.worker("--max-runs", "2")
    known = "SELECT 1 FROM wrkflw_workflows WHERE workflow_id = 'endless'"
    bench.until(lambda: bench.rows(known), "it is in the catalogue")
    run_id = bench.enqueue("endless")
    pids = [int(bench.wait_note("runner ")), int(bench.wait_note("child "))]
    bench.until(lambda: bench.rows("SELECT 1 FROM wrkflw_run_logs LIMIT 1"), "it says something")
    bench.cancel(run_id)
    bench.wait(run_id, "cancelled")
    bench.until(lambda: all_gone(pids), "its processes have ended")


def test_what_comes_after_its_step_has_ended(shared: Bench) -> None:
    code = """
        @step
        def first(value: int) -> int:
            import contextvars, threading
            def later():
                wait_for("second")
                print("from a thread of the first")
                note("said")
            context = contextvars.copy_context()
            threading.Thread(target=lambda: context.run(later)).start()
            return value

        @step
        def second(value: int) -> int:
            print("from the second")
            Path("second").touch()
            wait_for("notes.txt")
            return value
    """
    run_id = run(shared, "late", code, "first", "second")
    wait_lines(shared, run_id, 2)
    assert shared.lines(run_id, path="first") == ["from a thread of the first"]
    assert shared.lines(run_id, path="second") == ["from the second"]


def test_a_grandchild_that_holds_the_pipe_is_not_waited_for(shared: Bench) -> None:
    code = """
        @step
        def work(value: int) -> int:
            child = subprocess.Popen(
                ["sh", "-c", "echo from the child; while ! test -e leave; do sleep 0.05; done"],
                start_new_session=True,
            )
            Path("pid.txt").write_text(str(child.pid))
            print("no end", end="")
            return value
    """
    run_id = run(shared, "held", code)
    pid = int((shared.folder / "pid.txt").read_text("utf-8"))
    try:
        lines = wait_lines(shared, run_id, 2)
        assert sorted(lines) == ["from the child", "no end"]
        assert not is_gone(pid)
    finally:
        (shared.folder / "leave").touch()
    shared.until(lambda: is_gone(pid), "the grandchild has ended")


def test_two_hundred_children_at_once(shared: Bench) -> None:
    shared.automation(
        "crowd",
        """
        @step
        async def child(value: int) -> int:
            text = f"for n in $(seq 50); do echo {value} $n; echo e{value} $n >&2; done"
            if value % 2:
                process = await asyncio.create_subprocess_exec("sh", "-c", text)
                assert await process.wait() == 0
            else:
                process = subprocess.Popen(["sh", "-c", text])
                while process.poll() is None:
                    await asyncio.sleep(0.01)
            return value

        @step
        def numbers(value: int) -> list[int]:
            return list(range(value))

        @step
        def count(values: list[int]) -> int:
            return len(values)

        workflow = (
            create_workflow(id="crowd", input_schema=int, output_schema=int)
            .then(numbers).foreach(child, concurrency=200).then(count).commit()
        )
        """
        "\n",
        "numbers",
    )
    (shared.folder / "crowd.py").write_text(
        (shared.folder / "crowd.py").read_text("utf-8").rpartition("\nworkflow = ")[0], "utf-8"
    )
    known = "SELECT 1 FROM wrkflw_workflows WHERE workflow_id = 'crowd'"
    shared.until(lambda: shared.rows(known), "crowd is in the catalogue")
    run_id = shared.enqueue("crowd", "200")
    shared.wait(run_id, seconds=60)
    for stream, sign in (("stdout", ""), ("stderr", "e")):
        wait_lines(shared, run_id, 10_000, stream)
        by_step: dict[str, list[str]] = {}
        for stretch in shared.log(run_id):
            if stretch.stream == stream:
                by_step.setdefault(stretch.path, []).extend(stretch.lines)
        assert len(by_step) == 200
        for lines in by_step.values():
            number = lines[0].split()[0]
            assert lines == [f"{number} {n}" for n in range(1, 51)]
            assert number.startswith(sign)


def test_both_streams_keep_their_common_order(shared: Bench) -> None:
    code = """
        @step
        def work(value: int) -> int:
            for number in range(1000):
                print(number, file=sys.stderr if number % 3 else sys.stdout, flush=True)
            return value
    """
    run_id = run(shared, "both", code)
    wait_lines(shared, run_id, 334)
    wait_lines(shared, run_id, 666, "stderr")
    lines = [int(line) for stretch in shared.log(run_id) for line in stretch.lines]
    assert sorted(lines) == list(range(1000))


def test_a_log_beyond_its_limit_keeps_its_beginning_and_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRKFLW_MAX_LOG_MB", "1")
    bench.automation(
        "much",
        """
        @step
        def work(value: int) -> int:
            for number in range(100_000):
                print(f"{number:06} " + "x" * 60)
            return value
        """,
    )
    bench.worker()
    known = "SELECT 1 FROM wrkflw_workflows WHERE workflow_id = 'much'"
    bench.until(lambda: bench.rows(known), "it is in the catalogue")
    run_id = bench.enqueue("much")
    bench.wait(run_id)
    bench.until(lambda: f"{99_999:06} " + "x" * 60 in bench.lines(run_id), "the end is kept")
    lines = bench.lines(run_id)
    assert lines[0].startswith("000000 ")
    assert sum(map(len, lines)) < 1_100_000
    (gap,) = bench.lines(run_id, "stderr")
    assert "not kept here" in gap


def test_the_end_of_a_burst_before_an_exit_is_kept(shared: Bench) -> None:
    code = """
        @step
        def work(value: int, context: StepContext) -> int:
            if context.attempt == 1:
                for number in range(1000):
                    print(number)
                os._exit(3)
            return value
    """
    run_id = run(shared, "leaves", code)
    assert wait_lines(shared, run_id, 1000) == [str(n) for n in range(1000)]


def test_what_a_forked_child_prints(shared: Bench) -> None:
    code = """
        def child():
            for number in range(100):
                print(number)

        @step
        def work(value: int) -> int:
            import multiprocessing
            print("before")
            forked = multiprocessing.get_context("fork").Process(target=child)
            forked.start()
            forked.join()
            return value
    """
    run_id = run(shared, "forks", code)
    assert wait_lines(shared, run_id, 101) == ["before", *(str(n) for n in range(100))]
