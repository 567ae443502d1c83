"""Runs that rest under the worker: no process while they do, and walked on when it is time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from worker.harness import all_gone, is_gone

from wrkflw_tui import InvalidAnswer, NotSuspended, WorkflowStorage
from wrkflw_tui.store import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from worker.harness import Bench, Worker


STEPS = """
    @step
    def before(value: int) -> int:
        note(f"before {os.getpid()}")
        return value + 1

    @step
    def ask(value: int, context: StepContext) -> int:
        answer = context.suspend(int, reason="How many?", payload={"so_far": value})
        note(f"answered {answer} {os.getpid()}")
        return value + answer

    @step
    def behind(value: int) -> int:
        note(f"behind {os.getpid()}")
        return value * 10
"""
MADE = "workflow = create_workflow(id='job', input_schema=int, output_schema={output}){chain}"


def job(bench: Bench, chain: str, code: str = STEPS, output: str = "int") -> None:
    """Write the workflow `job`; `chain` is what comes after `create_workflow(...)`."""
    from textwrap import dedent

    from worker.harness import PRELUDE

    made = MADE.format(output=output, chain=chain)
    bench.write("job.py", f"{PRELUDE}{dedent(code)}\n{made}.commit()\n")


def answer(bench: Bench, run_id: str, value: object, path: str | None = None) -> None:
    text = json.dumps(value)
    bench.write_record(
        lambda c: messages.answer(c, run_id, path, None, text, time.time_ns() // 1000)
    )


def send_event(bench: Bench, run_id: str, name: str, payload: object) -> None:
    text = json.dumps(payload)
    bench.write_record(lambda c: messages.send_event(c, run_id, name, text, time.time_ns() // 1000))


def busy(bench: Bench) -> list[int]:
    """The processes that steps have noted and that still live."""
    noted = [int(line.split()[-1]) for line in bench.notes if line.split()[-1].isdigit()]
    return [pid for pid in noted if not is_gone(pid)]


def until_no_process(bench: Bench, worker: Worker) -> None:
    bench.until(lambda: not busy(bench), "no process of the run is left")
    bench.until(lambda: len(worker.runners()) <= 1, "only the idle runner is left")


def now() -> int:
    return time.time_ns() // 1000


def turn_clock(bench: Bench, run_id: str, seconds: float = 0) -> None:
    """Let the instant that a resting run waits for come in so many seconds."""
    due = now() + round(seconds * 1_000_000)
    bench.write_record(
        lambda c: (
            c.execute(
                "UPDATE wrkflw_step_results SET wake_at = ? WHERE status = 'waiting' AND"
                " wake_at IS NOT NULL AND run = (SELECT id FROM wrkflw_workflow_runs"
                " WHERE run_id = ?)",
                (due, run_id),
            ),
            c.execute(
                "UPDATE wrkflw_workflow_runs SET wake_at = ? WHERE run_id = ?", (due, run_id)
            ),
        )
    )


def in_storage(
    bench: Bench, call: Callable[[WorkflowStorage], Coroutine[Any, Any, object]]
) -> None:
    """Do something with a storage on the record, as an author's own code would."""

    async def do() -> None:
        storage = WorkflowStorage(bench.database)
        try:
            await call(storage)
        finally:
            await storage.close()

    asyncio.run(do())


# Questions


def test_a_run_that_asks_holds_no_process_and_its_answer_walks_it_on(bench: Bench) -> None:
    job(bench, ".then(before).then(ask).then(behind)")
    worker = bench.worker()
    run_id = bench.enqueue("job", "1")
    snapshot = bench.wait(run_id, "suspended")
    (question,) = snapshot.questions
    assert (question.path, question.reason, question.payload) == ("ask", "How many?", {"so_far": 2})
    until_no_process(bench, worker)
    answer(bench, run_id, 5)
    assert bench.wait(run_id).result == 70
    assert bench.attempts(run_id) == [
        ("before", 1, "success"),
        ("ask", 1, "suspended"),
        ("ask", 2, "success"),
        ("behind", 1, "success"),
    ]
    first, second = (int(line.split()[-1]) for line in bench.notes[:2])
    assert first != second


def test_an_answer_that_an_authors_own_code_gives(bench: Bench) -> None:
    job(bench, ".then(ask).then(behind)")
    bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id, "suspended")
    with pytest.raises(InvalidAnswer):
        in_storage(bench, lambda storage: storage.answer(run_id, None, None, '"many"'))
    in_storage(bench, lambda storage: storage.answer(run_id, "ask", None, "5"))
    assert bench.wait(run_id).result == 60


def test_an_answer_while_another_arm_is_at_work(bench: Bench) -> None:
    code = """
        @step
        def ask(value: int, context: StepContext) -> int:
            answer = context.suspend(int)
            note(f"answered {answer}")
            return answer

        @step
        def holds(value: int) -> int:
            note(f"holds {os.getpid()}")
            wait_for("go")
            return value
    """
    job(bench, ".parallel(ask, holds).map(sum, output_schema=int)", code)
    bench.worker()
    run_id = bench.enqueue("job", "1")
    pid = int(bench.wait_note("holds"))
    bench.until(lambda: bench.snapshot(run_id).questions, "the question is open")
    answer(bench, run_id, 5)
    bench.wait_note("answered 5")
    assert bench.snapshot(run_id).status == "running"
    assert not is_gone(pid)
    bench.touch("go")
    assert bench.wait(run_id).result == 6
    assert sum(line.startswith("holds") for line in bench.notes) == 1


def test_an_answer_given_while_no_worker_is_there(bench: Bench) -> None:
    job(bench, ".then(ask).then(behind)")
    worker = bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id, "suspended")
    worker.kill()
    answer(bench, run_id, 5)
    with pytest.raises(NotSuspended):
        answer(bench, run_id, 6)
    assert bench.snapshot(run_id).status == "queued"
    bench.worker()
    assert bench.wait(run_id).result == 60


def test_an_answer_that_only_the_validator_refuses(bench: Bench) -> None:
    code = """
        from typing import Annotated
        from pydantic import AfterValidator, TypeAdapter

        def even(value: int) -> int:
            if value % 2:
                raise ValueError("only even numbers will do")
            return value

        EVEN = TypeAdapter(Annotated[int, AfterValidator(even)])

        @step
        def ask(value: int, context: StepContext) -> int:
            return context.suspend(EVEN, reason="How many?")
    """
    job(bench, ".then(ask)", code)
    bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id, "suspended")
    answer(bench, run_id, 3)
    bench.until(lambda: len(bench.attempts(run_id)) == 2, "it was asked again")
    (question,) = bench.wait(run_id, "suspended").questions
    assert "only even numbers will do" in question.reason
    answer(bench, run_id, 4)
    assert bench.wait(run_id).result == 4


def test_a_cancel_of_a_suspended_run_needs_no_worker(bench: Bench) -> None:
    job(bench, ".then(ask).then(behind)")
    worker = bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id, "suspended")
    worker.kill()
    assert bench.cancel(run_id) == "cancelled"
    snapshot = bench.snapshot(run_id)
    assert (snapshot.status, snapshot.questions) == ("cancelled", ())


# Sleeping


def test_a_sleeping_run_holds_no_process_and_the_worker_wakes_it(bench: Bench) -> None:
    job(bench, ".then(before).sleep(timedelta(hours=1)).then(behind)")
    worker = bench.worker()
    run_id = bench.enqueue("job", "1")
    snapshot = bench.wait(run_id, "sleeping")
    assert snapshot.wake_at is not None
    assert 3500 < snapshot.wake_at.timestamp() - time.time() < 3600
    until_no_process(bench, worker)
    turn_clock(bench, run_id, 0.3)
    assert bench.wait(run_id).result == 20
    assert bench.attempts(run_id) == [
        ("before", 1, "success"),
        ("sleep-1", 1, "success"),
        ("behind", 1, "success"),
    ]


def test_a_sleep_ends_under_a_new_worker_after_the_first_was_killed(bench: Bench) -> None:
    job(bench, ".then(before).sleep(timedelta(hours=1)).then(behind)")
    worker = bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id, "sleeping")
    worker.kill()
    turn_clock(bench, run_id)
    assert bench.snapshot(run_id).status == "sleeping"
    bench.worker()
    assert bench.wait(run_id).result == 20
    assert sum(line.startswith("before") for line in bench.notes) == 1


def test_a_cancel_of_a_sleeping_run_is_at_once(bench: Bench) -> None:
    job(bench, ".sleep(timedelta(hours=1)).then(behind)")
    bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id, "sleeping")
    assert bench.cancel(run_id) == "cancelled"
    assert bench.notes == []


def test_a_retry_that_is_far_off_holds_no_process(bench: Bench) -> None:
    code = """
        @step(retry=RetryPolicy(max_attempts=2, initial_delay=timedelta(minutes=5)))
        def shaky(value: int, context: StepContext) -> int:
            note(f"attempt {os.getpid()}")
            if context.attempt == 1:
                raise OSError("once")
            return value
    """
    job(bench, ".then(shaky)", code)
    worker = bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id, "sleeping")
    until_no_process(bench, worker)
    bench.write_record(
        lambda c: (
            c.execute("UPDATE wrkflw_step_results SET wake_at = ?", (now(),)),
            c.execute("UPDATE wrkflw_workflow_runs SET wake_at = ?", (now(),)),
        )
    )
    assert bench.wait(run_id).result == 1
    assert bench.attempts(run_id) == [("shaky", 1, "failed"), ("shaky", 2, "success")]


# Events


def test_an_event_walks_a_run_on_and_its_timeout_fails_it(bench: Bench) -> None:
    job(bench, ".wait_for('go', int, timedelta(hours=1)).then(behind)")
    worker = bench.worker()
    served, late = bench.enqueue("job", "1"), bench.enqueue("job", "1")
    for run_id in (served, late):
        bench.wait(run_id, "suspended")
    until_no_process(bench, worker)
    send_event(bench, served, "go", 7)
    assert bench.wait(served).result == 70
    turn_clock(bench, late)
    error = bench.wait(late, "failed").error
    assert error is not None
    assert (error.type, error.path) == ("EventTimeout", "wait-for-1")


def test_an_event_that_comes_before_the_run_was_walked(bench: Bench) -> None:
    job(bench, ".wait_for('go', int).then(behind)")
    run_id = bench.enqueue("job", "1")
    send_event(bench, run_id, "go", 7)
    bench.worker()
    assert bench.wait(run_id).result == 70


# A definition that was edited meanwhile


def test_a_definition_that_changed_is_named_and_put_back_it_goes_on(bench: Bench) -> None:
    job(bench, ".then(before).then(ask).then(behind)")
    bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id, "suspended")
    until_known(bench, lambda: job(bench, ".then(before).then(behind).then(ask)"))
    answer(bench, run_id, 5)
    failed = bench.wait(run_id, "failed")
    assert failed.error is not None
    assert failed.error.type == "DefinitionChanged"
    assert "behind comes before ask, which was reached" in failed.error.message
    assert failed.questions == ()
    assert failed.run.steps_done == 1
    assert failed.run.finished_at is not None
    until_known(bench, lambda: job(bench, ".then(before).then(ask).then(behind)"))
    recover(bench, run_id)
    assert bench.wait(run_id).result == 70
    assert sum(line.startswith("before") for line in bench.notes) == 1


def test_a_sleep_goes_on_where_it_was_after_the_definition_was_put_back(bench: Bench) -> None:
    right, wrong = ".sleep(timedelta(hours=1)).then(behind)", ".then(before).sleep(timedelta(1))"
    job(bench, right)
    bench.worker()
    run_id = bench.enqueue("job", "1")
    due = bench.wait(run_id, "sleeping").wake_at
    until_known(bench, lambda: job(bench, wrong))
    bench.write_record(lambda c: c.execute("UPDATE wrkflw_workflow_runs SET wake_at = ?", (now(),)))
    failed = bench.wait(run_id, "failed")
    assert failed.error is not None
    assert failed.error.type == "DefinitionChanged"
    # Taken up once more as it is, it still does not guess.
    recover(bench, run_id)
    again = bench.wait(run_id, "failed")
    assert again.error is not None
    assert again.error.type == "DefinitionChanged"
    until_known(bench, lambda: job(bench, right))
    recover(bench, run_id)
    assert bench.wait(run_id, "sleeping").wake_at == due


def test_a_file_that_is_gone_while_its_run_rests(bench: Bench) -> None:
    job(bench, ".then(before).then(ask).then(behind)")
    bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id, "suspended")
    (bench.folder / "job.py").rename(bench.folder / "job.txt")
    bench.until(
        lambda: not bench.rows("SELECT 1 FROM wrkflw_workflows WHERE workflow_id = 'job'"),
        "the file is forgotten",
    )
    answer(bench, run_id, 5)
    failed = bench.wait(run_id, "failed")
    assert failed.error is not None
    assert failed.error.type == "WorkflowNotFound"
    (bench.folder / "job.txt").rename(bench.folder / "job.py")
    bench.until(
        lambda: bench.rows("SELECT 1 FROM wrkflw_workflows WHERE workflow_id = 'job'"),
        "the file is back",
    )
    recover(bench, run_id)
    assert bench.wait(run_id).result == 70


def until_known(bench: Bench, write: Callable[[], None]) -> None:
    """Write the file, and wait until the worker has looked at it."""

    def graph() -> object:
        return bench.rows("SELECT graph FROM wrkflw_workflows WHERE workflow_id = 'job'")

    before = graph()
    write()
    bench.until(lambda: graph() not in (before, []), "the changed file is known")


def recover(bench: Bench, run_id: str) -> None:
    """Queue a failed run again, as the app and the CLI do."""
    from wrkflw_tui.store import claims

    def again(connection: Any) -> None:
        select = "SELECT id FROM wrkflw_workflow_runs WHERE run_id = ?"
        key = connection.execute(select, (run_id,)).fetchone()[0]
        claims.renew_budget(connection, key)
        connection.execute(
            "UPDATE wrkflw_workflow_runs SET status = 'queued', finished_at = NULL, error = NULL"
            " WHERE id = ? AND status = 'failed'",
            (key,),
        )

    bench.write_record(again)


# Steps that would not end


def test_a_synchronous_step_past_its_workflows_time_ends_with_its_process(bench: Bench) -> None:
    code = """
        from wrkflw_tui import StepFailure

        @step
        def hangs(value: int) -> int:
            note(f"hangs {os.getpid()}")
            while True:
                time.sleep(600)

        @step
        def mend(failure: StepFailure) -> int:
            note(f"mend {os.getpid()} {failure.type}")
            return -1

        @step
        def behind(value: int) -> int:
            return value * 10

        inner = create_workflow(id="inner", input_schema=int, output_schema=int,
            timeout=timedelta(seconds=0.5)).then(hangs).commit()
    """
    job(bench, ".then(inner, recover=mend).then(behind)", code)
    bench.worker()
    run_id = bench.enqueue("job", "1")
    assert bench.wait(run_id).result == -10
    hung = int(bench.notes[0].split()[1])
    mended = int(bench.notes[1].split()[1])
    assert bench.notes[1].endswith("StepTimeout")
    assert hung != mended
    bench.until(lambda: all_gone([hung]), "the process that hung is gone")
    assert bench.attempts(run_id) == [
        ("inner", 1, "failed"),
        ("inner/hangs", 1, "interrupted"),
        ("mend", 1, "success"),
        ("behind", 1, "success"),
    ]


def test_a_run_past_its_time_fails_and_its_process_ends(bench: Bench) -> None:
    code = """
        @step
        def hangs(value: int) -> int:
            note(f"hangs {os.getpid()}")
            while True:
                pass
    """
    from textwrap import dedent

    from worker.harness import PRELUDE

    made = (
        "workflow = create_workflow(id='job', input_schema=int, output_schema=int,"
        " timeout=timedelta(seconds=0.5)).then(hangs).commit()"
    )
    bench.write("job.py", f"{PRELUDE}{dedent(code)}\n{made}\n")
    bench.worker()
    run_id = bench.enqueue("job", "1")
    error = bench.wait(run_id, "failed").error
    assert error is not None
    assert (error.type, error.path) == ("StepTimeout", "")
    pid = int(bench.wait_note("hangs"))
    bench.until(lambda: is_gone(pid), "its process is gone")


def test_a_bail_leaves_no_synchronous_step_behind(bench: Bench) -> None:
    code = """
        @step
        def hangs(value: int) -> int:
            note(f"hangs {os.getpid()}")
            while True:
                time.sleep(600)

        @step
        def leaves(value: int, context: StepContext) -> int:
            while not Path("notes.txt").exists():
                time.sleep(0.01)
            context.bail(7)

        @step
        def behind(value: int) -> int:
            note(f"behind {os.getpid()}")
            return value * 10

        inner = (create_workflow(id="inner", input_schema=int, output_schema=int)
            .parallel(hangs, leaves).map(sum, output_schema=int).commit())
    """
    job(bench, ".then(inner).then(behind)", code)
    bench.worker()
    run_id = bench.enqueue("job", "1")
    assert bench.wait(run_id).result == 70
    hung, behind = (int(line.split()[1]) for line in bench.notes)
    assert hung != behind
    bench.until(lambda: is_gone(hung), "the process that hung is gone")
    assert ("inner", 1, "success") in bench.attempts(run_id)


def test_the_decision_to_give_up_outlives_the_process(bench: Bench) -> None:
    """One arm gave up, the other's process dies: only the other is called again."""
    code = """
        from wrkflw_tui import GiveUp

        @step(retry=RetryPolicy(max_attempts=5, initial_delay=timedelta(0)))
        def gives_up(value: int) -> int:
            note("gives up")
            raise GiveUp("for good")

        @step
        def dies_once(value: int, context: StepContext) -> int:
            if context.attempt == 1:
                while not Path("die").exists():
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGKILL)
            return value
    """
    job(bench, ".parallel(gives_up, dies_once).map(sum, output_schema=int)", code)
    bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.until(lambda: ("gives-up", 1, "failed") in bench.attempts(run_id), "it is on record")
    bench.touch("die")
    error = bench.wait(run_id, "failed").error
    assert error is not None
    assert (error.type, error.path) == ("GiveUp", "gives-up")
    assert bench.notes == ["gives up"]
    assert bench.attempts(run_id)[1:] == [("dies-once", 1, "crashed"), ("dies-once", 2, "success")]


def test_a_result_over_the_configured_limit_fails_its_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
        @step
        def give(value: int) -> str:
            return "x" * value
    """
    monkeypatch.setenv("WRKFLW_MAX_RESULT_MB", "2")
    job(bench, ".then(give)", code, output="str")
    bench.worker()
    fits, too_large = bench.enqueue("job", "1500000"), bench.enqueue("job", "2500000")
    assert len(str(bench.wait(fits).result)) == 1_500_000
    error = bench.wait(too_large, "failed").error
    assert error is not None
    assert (error.type, error.path) == ("TooLarge", "give")


def test_a_runner_that_is_killed_as_its_run_rests_loses_nothing(bench: Bench) -> None:
    job(bench, ".then(before).then(ask).then(behind)")
    worker = bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id, "suspended")
    for pid in worker.runners():
        os.kill(pid, signal.SIGKILL)
    answer(bench, run_id, 5)
    assert bench.wait(run_id).result == 70
