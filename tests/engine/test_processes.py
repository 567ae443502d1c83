"""Several processes over one record: who wins, who is heard, and what one that died has left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from engine import elsewhere
from engine.turning import TurnedClock, asks, begin, until, until_asked, until_status

from wrkflw_tui import (
    RunAlreadyClaimed,
    StepContext,
    WorkflowCancelled,
    WorkflowStorage,
    WorkflowSuspended,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(elsewhere.__file__)


class Elsewhere:
    """Processes over the record of a test."""

    def __init__(self, place: Path, file: Path) -> None:
        self.place = place
        self.file = file
        self._processes: list[subprocess.Popen[str]] = []

    def prepare(self, command: str, argument: str = "null", flow: str = "job") -> Any:
        """Start a process that does something to the run `r` once it is told to."""
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(self.file), flow, command, "r", argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, elsewhere.PLACE: str(self.place)},
        )
        self._processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def go(self, *processes: Any) -> None:
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()

    async def said(self, process: Any) -> str:
        """Wait for a process to end; return what it said."""
        await until(lambda: process.poll() is not None, "the process ends")
        assert process.returncode == 0
        return process.stdout.read().strip()

    async def do(self, command: str, argument: str = "null", flow: str = "job") -> str:
        process = self.prepare(command, argument, flow)
        self.go(process)
        return await self.said(process)

    def let_go(self) -> None:
        """Let the steps that hold go on."""
        (self.place / "go").touch()

    @property
    def notes(self) -> list[str]:
        path = self.place / "notes"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def others(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    monkeypatch.setenv(elsewhere.PLACE, str(tmp_path))
    made = Elsewhere(tmp_path, file)
    yield made
    made.close()


async def killed_at_work(others: Elsewhere) -> Any:
    """Let a process walk the run until its second step is at work; return it, alive."""
    process = others.prepare("start", "1")
    others.go(process)
    await until(lambda: "holds" in others.notes, "the second step is at work")
    return process


# A process that dies


async def test_a_run_whose_process_was_killed_is_taken_up_at_once(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    process = await killed_at_work(others)
    run = await elsewhere.job.get_run("r", storage=storage)
    with pytest.raises(RunAlreadyClaimed, match=f"walked by process {process.pid}"):
        await run.recover()
    assert (await run.snapshot()).status == "running"
    process.send_signal(signal.SIGKILL)
    process.wait()
    others.let_go()
    assert await run.recover() == 3
    assert others.notes == ["before", "holds", "holds"]
    snapshot = await run.snapshot()
    assert [a.status for a in snapshot.attempts("before")] == ["success"]
    assert [(a.attempt, a.status) for a in snapshot.attempts("holds")] == [
        (1, "crashed"),
        (2, "success"),
    ]


async def test_a_run_whose_process_was_killed_is_cancelled_at_once(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    process = await killed_at_work(others)
    process.kill()
    process.wait()
    run = await elsewhere.job.get_run("r", storage=storage)
    await run.cancel()
    snapshot = await run.snapshot()
    assert snapshot.status == "cancelled"
    assert snapshot.step_results["holds"].status == "interrupted"


async def test_a_run_whose_process_was_killed_can_be_forked(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    process = await killed_at_work(others)
    run = await elsewhere.job.get_run("r", storage=storage)
    with pytest.raises(RunAlreadyClaimed):
        await run.fork(at="holds")
    process.kill()
    process.wait()
    others.let_go()
    fork = await run.fork(at="holds", input_data=100)
    assert await fork.start() == 101
    assert (await run.snapshot()).status == "running"
    assert await run.recover() == 3


# Two at once


async def test_of_two_processes_that_recover_one_run_one_walks_it(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    process = await killed_at_work(others)
    process.kill()
    process.wait()
    both = [others.prepare("recover"), others.prepare("recover")]
    others.go(*both)
    await until(lambda: any(p.poll() is not None for p in both), "one was refused")
    others.let_go()
    assert sorted([await others.said(p) for p in both]) == ["3", "RunAlreadyClaimed"]
    assert others.notes == ["before", "holds", "holds"]


async def test_of_two_processes_that_start_one_run_one_walks_it(others: Elsewhere) -> None:
    both = [others.prepare("start", "1"), others.prepare("start", "1")]
    others.go(*both)
    await until(lambda: any(p.poll() is not None for p in both), "one was refused")
    others.let_go()
    assert sorted([await others.said(p) for p in both]) == ["3", "RunAlreadyStarted"]
    assert others.notes == ["before", "holds"]


async def test_of_two_processes_that_answer_one_question_one_is_heard(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    await asks(elsewhere.question.create_run("r", storage=storage).start(1))
    both = [others.prepare("resume", answer, flow="question") for answer in ("5", "6")]
    others.go(*both)
    await until(lambda: any(p.poll() is not None for p in both), "one was refused")
    others.let_go()
    said = [await others.said(p) for p in both]
    assert said in (["6", "NotSuspended"], ["NotSuspended", "7"])
    answer = "5" if said[0] == "6" else "6"
    assert others.notes == [f"answered {answer}", "holds"]


async def test_of_two_processes_that_cancel_one_run_one_is_told_that_it_has_ended(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    run = elsewhere.question.create_run("r", storage=storage)
    await asks(run.start(1))
    both = [others.prepare("cancel", flow="question") for _ in range(2)]
    others.go(*both)
    assert sorted([await others.said(p) for p in both]) == ["None", "RunEnded"]
    assert (await run.snapshot()).status == "cancelled"


# What is told from elsewhere, while the run is walked here


async def test_an_answer_given_elsewhere_reaches_a_walk_whose_other_arm_is_busy(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    inner = begin("inner").then(elsewhere.ask).commit()
    run = (begin("job", tuple[int, int]).parallel(inner, elsewhere.holds).commit()).create_run(
        "r", storage=storage
    )
    task = asyncio.create_task(run.start(1))
    await until_asked(run)
    assert await others.do("answer", "7") == "None"
    await until(lambda: "answered 7" in others.notes, "the answer is heard")
    assert (await run.snapshot()).status == "running"
    others.let_go()
    assert await task == (7, 2)
    assert others.notes.count("holds") == 1


async def test_an_answer_that_does_not_fit_is_refused_elsewhere_too(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    run = elsewhere.question.create_run("r", storage=storage)
    await asks(run.start(1))
    assert await others.do("answer", '"many"') == "InvalidAnswer"
    assert (await run.snapshot()).status == "suspended"


async def test_who_resumes_a_run_that_is_walked_elsewhere_waits_for_what_comes_of_it(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    inner = begin("inner").then(elsewhere.ask).commit()
    flow = begin("job", tuple[int, int]).parallel(inner, elsewhere.holds).commit()
    run = flow.create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    await until_asked(run)
    second = WorkflowStorage(others.file)
    resumed = asyncio.create_task((await flow.get_run("r", storage=second)).resume(7))
    await until(lambda: "answered 7" in others.notes, "the answer is heard")
    others.let_go()
    assert await task == await resumed == (7, 2)
    assert others.notes.count("holds") == 1
    await second.close()


async def test_an_event_sent_elsewhere_reaches_a_walk_whose_other_arm_is_busy(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    inner = begin("inner").wait_for("go", int).then(elsewhere.before).commit()
    flow = begin("job", tuple[int, int]).parallel(inner, elsewhere.holds).commit()
    run = flow.create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    await until_asked(run)
    assert await others.do("event", "7") == "None"
    await until(lambda: "before" in others.notes, "the event is heard")
    others.let_go()
    assert await task == (8, 2)


async def test_a_cancel_from_elsewhere_ends_a_walk_here(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    run = elsewhere.job.create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    await until(lambda: "holds" in others.notes, "it is at work")
    assert await others.do("cancel") == "None"
    with pytest.raises(WorkflowCancelled):
        await asyncio.wait_for(task, 20)
    assert (await run.snapshot()).status == "cancelled"


async def test_a_cancel_from_elsewhere_wakes_who_stays_through_a_sleep(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    run = begin("job").sleep(timedelta(hours=1)).commit().create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    await until_status(run, "sleeping")
    assert await others.do("cancel") == "None"
    with pytest.raises(WorkflowCancelled):
        await asyncio.wait_for(task, 20)


async def test_who_stays_through_a_sleep_hears_how_another_process_ended_it(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    """Walked on elsewhere once its instant had come there, it ends here too."""
    flow = begin("job").sleep(timedelta(hours=1)).then(elsewhere.before).commit()
    run = flow.create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    await until_status(run, "sleeping")
    clock = TurnedClock()
    clock.turn(timedelta(hours=2))
    second = WorkflowStorage(others.file, clock=clock)
    assert await (await flow.get_run("r", storage=second)).recover() == 2
    assert await asyncio.wait_for(task, 20) == 2
    assert others.notes == ["before"]
    await second.close()


async def test_who_stays_through_a_sleep_hears_that_it_was_suspended_elsewhere(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    flow = begin("job").sleep(timedelta(hours=1)).then(elsewhere.ask).commit()
    run = flow.create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    await until_status(run, "sleeping")
    clock = TurnedClock()
    clock.turn(timedelta(hours=2))
    second = WorkflowStorage(others.file, clock=clock)
    await asks((await flow.get_run("r", storage=second)).recover())
    with pytest.raises(WorkflowSuspended, match="How many"):
        await asyncio.wait_for(task, 20)
    await second.close()


async def test_a_run_that_is_walked_here_is_not_taken_up_by_a_clock_that_is_ahead(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    """Leases go by the machine's time, whatever clock the runs go by."""
    run = elsewhere.job.create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    await until(lambda: "holds" in others.notes, "it is at work")
    clock = TurnedClock()
    clock.turn(timedelta(days=1))
    ahead = WorkflowStorage(others.file, clock=clock)
    with pytest.raises(RunAlreadyClaimed):
        await (await elsewhere.job.get_run("r", storage=ahead)).recover()
    others.let_go()
    assert await task == 3
    await ahead.close()


async def test_the_caller_that_is_cancelled_leaves_a_run_for_any_process(
    storage: WorkflowStorage, others: Elsewhere
) -> None:
    run = elsewhere.job.create_run("r", storage=storage)
    task = asyncio.create_task(run.start(1))
    await until(lambda: "holds" in others.notes, "it is at work")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await run.snapshot()).status == "queued"
    others.let_go()
    assert await others.do("recover") == "3"
    assert others.notes == ["before", "holds", "holds"]


async def test_a_step_of_a_run_elsewhere_may_send_the_event_that_is_awaited_here(
    storage: WorkflowStorage,
) -> None:
    waits = begin("waits").wait_for("go", int).commit().create_run("w", storage=storage)
    await asks(waits.start(1))

    @step
    async def sends(value: int, context: StepContext) -> int:
        await waits.send_event("go", value)
        return value

    await begin("sends").then(sends).commit().create_run(storage=storage).start(5)
    assert await waits.recover() == 5
