"""Runs, forks, streams and snapshots: must pass both checkers with no error and no cast."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, assert_never, assert_type

from pydantic import BaseModel

from wrkflw_tui import (
    ErrorInfo,
    Event,
    ForkedRun,
    ForkOrigin,
    JsonValue,
    Question,
    RunEndedEvent,
    RunStatus,
    RunSummary,
    StepEnded,
    StepProgressed,
    StepResult,
    StepStarted,
    StepStatus,
    Workflow,
    WorkflowCancelled,
    WorkflowFailed,
    WorkflowRun,
    WorkflowSnapshot,
    WorkflowStorage,
    WorkflowSuspended,
    create_workflow,
    step,
)


class Letter(BaseModel):
    text: str


class Approval(BaseModel):
    approved: bool


class Receipt(BaseModel):
    sent: bool


class Stamped(Receipt):
    at: datetime


@step
def send(letter: Letter) -> Receipt:
    return Receipt(sent=bool(letter.text))


@step
def stamp(letter: Letter) -> Stamped:
    return Stamped(sent=bool(letter.text), at=datetime.now(UTC))


@step
def tick(_: None) -> None: ...


flow = create_workflow(id="flow", input_schema=Letter, output_schema=Receipt).then(send).commit()
stamps = create_workflow(id="stamps", input_schema=Letter, output_schema=Stamped).then(stamp).commit()
clock = create_workflow(id="clock", input_schema=None, output_schema=None).then(tick).commit()


async def go(storage: WorkflowStorage) -> None:
    assert_type(flow.create_run(), WorkflowRun[Letter, Receipt])
    assert_type(flow.create_run("an-id"), WorkflowRun[Letter, Receipt])
    assert_type(flow.create_run(run_id="an-id", storage=storage), WorkflowRun[Letter, Receipt])
    run = await flow.get_run("an-id", storage)
    assert_type(run, WorkflowRun[Letter, Receipt])
    assert_type(await flow.get_run("an-id"), WorkflowRun[Letter, Receipt])
    assert_type(run.run_id, str)
    assert_type(await run.start(Letter(text="")), Receipt)
    assert_type(await run.start(input_data=Letter(text="")), Receipt)
    assert_type(await run.recover(), Receipt)
    assert_type(await run.resume(Approval(approved=True)), Receipt)
    assert_type(await run.resume(Approval(approved=True), "send"), Receipt)
    assert_type(await run.resume({"approved": True}, path="send", key="second"), Receipt)
    await run.send_event("paid", {"amount": 3})
    await run.send_event("go")
    await run.cancel()
    await clock.create_run().start(None)
    await clock.create_run().recover()
    assert_type(await stamps.create_run().start(Letter(text="")), Stamped)


async def fork(run: WorkflowRun[Letter, Receipt]) -> Receipt:
    forked = await run.fork(at="send", input_data=Letter(text="other"))
    assert_type(forked, ForkedRun[Receipt])
    assert_type(await run.fork("each[2]/send", input_data=None), ForkedRun[Receipt])
    assert_type(await forked.fork(at="send"), ForkedRun[Receipt])
    assert_type(await forked.recover(), Receipt)
    assert_type(await forked.resume("yes"), Receipt)
    assert_type(await forked.snapshot(), WorkflowSnapshot)
    assert_type(forked.stream(), AsyncIterator[Event])
    assert_type(await forked.start(), Receipt)
    return await forked.start()


async def ends(run: WorkflowRun[Letter, Receipt]) -> Receipt | None:
    try:
        return await run.start(Letter(text=""))
    except WorkflowSuspended as suspended:
        assert_type(suspended.run_id, str)
        assert_type(suspended.questions, tuple[Question, ...])
        question = suspended.questions[0]
        assert_type(question.path, str)
        assert_type(question.kind, Literal["answer", "event"])
        assert_type(question.key, str)
        assert_type(question.reason, str)
        return await run.resume(Approval(approved=True), question.path, question.key)
    except WorkflowFailed as failed:
        assert_type(failed.path, str)
        assert_type(failed.error, ErrorInfo)
        assert_type(failed.error.message, str)
        assert_type(failed.error.cause, ErrorInfo | None)
    except WorkflowCancelled as cancelled:
        assert_type(cancelled.run_id, str)
    return None


# The stream's events, told apart in three ways.
async def by_class(run: WorkflowRun[Letter, Receipt]) -> str:
    async for event in run.stream(since=0):
        assert_type(event, Event)
        assert_type(event.path, str)
        assert_type(event.revision, int)
        match event:
            case StepStarted(attempt=attempt, wake_at=wake_at):
                assert_type(attempt, int)
                assert_type(wake_at, datetime | None)
            case StepProgressed():
                assert_type(event.progress.done, float)
                assert_type(event.progress.total, float | None)
            case StepEnded(output=output, error=error):
                assert_type(output, JsonValue)
                assert_type(error, ErrorInfo | None)
                assert_type(event.retry_at, datetime | None)
            case RunEndedEvent(result=result):
                assert_type(result, JsonValue)
                return show(result)
            case _:
                assert_never(event)
    return ""


async def by_isinstance(run: WorkflowRun[Letter, Receipt]) -> None:
    async for event in run.stream():
        if isinstance(event, StepEnded):
            assert_type(event, StepEnded)
        elif isinstance(event, StepStarted | StepProgressed):
            assert_type(event, StepStarted | StepProgressed)
        else:
            assert_type(event, RunEndedEvent)


async def by_type(run: WorkflowRun[Letter, Receipt]) -> None:
    async for event in run.stream():
        if event.type == "step-started":
            assert_type(event, StepStarted)
        elif event.type == "step-progressed":
            assert_type(event, StepProgressed)
        elif event.type == "step-ended":
            assert_type(event, StepEnded)
        else:
            assert_type(event, RunEndedEvent)


async def by_match_on_type(run: WorkflowRun[Letter, Receipt]) -> None:
    async for event in run.stream():
        match event.type:
            case "step-started":
                assert_type(event, StepStarted)
            case "step-progressed":
                assert_type(event, StepProgressed)
            case "step-ended":
                assert_type(event, StepEnded)
            case "run-ended":
                assert_type(event, RunEndedEvent)


# What is on record.
def show(value: JsonValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return " ".join(show(item) for item in value)
    if isinstance(value, Mapping):
        return " ".join(key + show(item) for key, item in value.items())
    return str(value)


async def look(run: WorkflowRun[Letter, Receipt]) -> None:
    snapshot = await run.snapshot()
    assert_type(snapshot, WorkflowSnapshot)
    assert_type(snapshot.run_id, str)
    assert_type(snapshot.workflow_id, str)
    assert_type(snapshot.status, RunStatus)
    assert_type(snapshot.execution_path, tuple[str, ...])
    assert_type(snapshot.step_results, Mapping[str, StepResult])
    assert_type(snapshot.state, JsonValue)
    assert_type(snapshot.input_data, JsonValue)
    assert_type(snapshot.result, JsonValue)
    assert_type(snapshot.error, ErrorInfo | None)
    assert_type(snapshot.created_at, datetime)
    assert_type(snapshot.updated_at, datetime)
    assert_type(snapshot.wake_at, datetime | None)
    assert_type(snapshot.forked_from, ForkOrigin | None)
    assert_type(snapshot.questions, tuple[Question, ...])
    assert_type(snapshot.attempts("send"), list[StepResult])
    if snapshot.forked_from is not None:
        assert_type((snapshot.forked_from.run_id, snapshot.forked_from.path), tuple[str, str])
    result = snapshot.step_results["send"]
    assert_type(result.path, str)
    assert_type(result.status, StepStatus)
    assert_type(result.attempt, int)
    assert_type(result.input, JsonValue)
    assert_type(result.output, JsonValue)
    assert_type(result.error, ErrorInfo | None)
    assert_type(result.started_at, datetime)
    assert_type(result.finished_at, datetime | None)
    if result.progress is not None:
        assert_type(result.progress.fraction, float | None)


async def stored(path: Path, snapshot: WorkflowSnapshot) -> None:
    storage = WorkflowStorage(path)
    WorkflowStorage("runs.db")
    assert_type(await storage.load_snapshot("an-id"), WorkflowSnapshot)
    await storage.save_snapshot(snapshot)
    assert_type(await storage.list_runs(), list[RunSummary])
    status: RunStatus = "failed"
    await storage.list_runs("flow", status, since=datetime.now(UTC), limit=5)
    await storage.list_runs(workflow_id="flow", status="success", text="x", before="an-id")
    await storage.close()


# What gives less and takes more stands in.
def takes_run(run: WorkflowRun[Letter, Receipt]) -> None: ...


def takes_fork(run: ForkedRun[Receipt]) -> None: ...


def takes_workflow(workflow: Workflow[Letter, Receipt]) -> None: ...


async def stand_in() -> None:
    takes_run(stamps.create_run())
    takes_fork(await stamps.create_run().fork("stamp"))
    takes_workflow(stamps)
