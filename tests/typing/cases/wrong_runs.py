"""What a run does not take or give: each marked line must fail in both checkers, and no other."""

from datetime import datetime

from pydantic import BaseModel

from wrkflw_tui import (
    Event,
    ForkedRun,
    RunEndedEvent,
    StepEnded,
    StepStarted,
    WorkflowRun,
    WorkflowSnapshot,
    WorkflowStorage,
    create_workflow,
    step,
)


class Letter(BaseModel):
    text: str


class Receipt(BaseModel):
    sent: bool


class Stamped(Receipt):
    at: datetime


@step
def send(letter: Letter) -> Receipt:
    return Receipt(sent=bool(letter.text))


@step
def tick(_: None) -> None: ...


flow = create_workflow(id="flow", input_schema=Letter, output_schema=Receipt).then(send).commit()
clock = create_workflow(id="clock", input_schema=None, output_schema=None).then(tick).commit()


async def go(run: WorkflowRun[Letter, Receipt]) -> None:
    letter: Letter = await run.recover()  # E: Letter
    letter = await run.resume("yes")  # E: Letter
    text: str = await run.start(Letter(text=""))  # E: str
    await run.start(Receipt(sent=True))  # E: Letter
    await run.start(None)  # E: Letter
    await run.start({"text": ""})  # E: Letter
    await run.resume()  # E: answer
    await run.resume("yes", 3)  # E: str \| None
    await run.resume("yes", key=3)  # E: str \| None
    await run.recover("yes")  # E: positional|Too many
    await run.send_event()  # E: event
    await run.send_event(3)  # E: "str"
    await run.cancel("now")  # E: positional|Too many
    await clock.create_run().start()  # E: input_data
    await clock.create_run().start(3)  # E: None
    run.run_id = "other"  # E: run_id
    flow.create_run(3)  # E: str \| None
    flow.create_run(storage="runs.db")  # E: RunStorage
    await flow.get_run()  # E: run_id
    flow.get_run("an-id").recover()  # E: recover
    run.start(Letter(text="")).sent  # E: sent
    print(letter, text)


async def fork(run: WorkflowRun[Letter, Receipt]) -> None:
    await run.fork()  # E: at
    await run.fork(send)  # E: Step
    await run.fork("send", Letter(text=""))  # E: positional
    forked = await run.fork(at="send")
    await forked.start(Letter(text=""))  # E: positional|Too many
    await forked.start(input_data=Letter(text=""))  # E: input_data
    letter: Letter = await forked.start()  # E: Letter
    stamped: ForkedRun[Stamped] = forked  # E: Stamped
    whole: WorkflowRun[Letter, Receipt] = forked  # E: ForkedRun
    print(letter, stamped, whole)


async def follow(run: WorkflowRun[Letter, Receipt]) -> None:
    await run.stream()  # E: await|AsyncIterator
    run.stream("all")  # E: str
    async for event in run.stream():
        print(event.attempt)  # E: attempt
        print(event.at)  # E: at
        if event.type == "step-ended":
            print(event.attempt)  # E: attempt
        if isinstance(event, StepStarted):
            print(event.output)  # E: output
        if event.type == "ended":  # E: overlap
            print("never")
        event.path = "x"  # E: path
        match event:
            case RunEndedEvent():
                print(event.progress)  # E: progress
            case StepEnded():
                print(event.wake_at)  # E: wake_at
            case _:
                pass


def tell(event: Event) -> int:  # E: return
    if isinstance(event, StepStarted):
        return 1
    elif event.type == "step-ended":
        return 2


def look(snapshot: WorkflowSnapshot) -> None:
    print(snapshot.result["sent"])  # E: subscript|index|__getitem__
    print(snapshot.forked_from.path)  # E: None
    print(snapshot.error.message)  # E: None
    print(snapshot.nothing)  # E: nothing
    snapshot.state = None  # E: state
    snapshot.step_results["send"] = None  # E: __setitem__|assignment
    snapshot.step_results["send"].output.sent  # E: sent
    if snapshot.status == "done":  # E: overlap
        print("never")


async def stored(storage: WorkflowStorage, snapshot: WorkflowSnapshot) -> None:
    await storage.list_runs(status="done")  # E: done|RunStatus
    await storage.list_runs(limit="5")  # E: limit
    await storage.save_snapshot("an-id")  # E: WorkflowSnapshot
    await storage.save_snapshot(await storage.list_runs())  # E: list
    await storage.load_snapshot(3)  # E: "str"
    WorkflowStorage(3)  # E: str \| Path
    print(snapshot)
