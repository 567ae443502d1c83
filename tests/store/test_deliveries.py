"""What follows an end is on record with it, whoever records the end; each attempt has one voice."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any, cast

import pytest
from engine.turning import begin as begin_workflow
from engine.turning import until_status
from pydantic import BaseModel

from wrkflw_tui import ErrorInfo, StepContext, WorkflowFailed, WorkflowSuspended, step
from wrkflw_tui.store import claims, deliveries, ends, follow_ups
from wrkflw_tui.store.deliveries import PAUSES, Delivery
from wrkflw_tui.store.file import closing_connection, connect, prepare, transaction
from wrkflw_tui.store.follow_ups import ALL, FollowUpRule
from wrkflw_tui.store.rows import _FENCE  # pyright: ignore[reportPrivateUsage] - what a commit does

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from wrkflw_tui import WorkflowStorage
    from wrkflw_tui.store.follow_ups import Event

EVENTS: tuple[Event, ...] = ("failure", "success", "question")
NOW = 2_000_000_000_000_000


@pytest.fixture
def record(file: Path) -> Iterator[sqlite3.Connection]:
    prepare(file)
    connection = connect(file)
    yield connection
    connection.close()


def say(record: sqlite3.Connection, *rules: FollowUpRule) -> None:
    with transaction(record):
        follow_ups.replace(record, rules)


def all_notify(workflow_id: str = ALL) -> list[FollowUpRule]:
    return [FollowUpRule(workflow_id, event, "notify") for event in EVENTS]


def claimed(record: sqlite3.Connection, workflow_id: str = "flow") -> claims.Claim:
    claims.enqueue(record, workflow_id, "1", "app", run_id=uuid.uuid4().hex)
    claim = claims.claim_next(record, "me")
    assert claim is not None
    return claim


def end(record: sqlite3.Connection, claim: claims.Claim, status: str) -> None:
    record.execute("UPDATE wrkflw_workflow_runs SET status = ? WHERE id = ?", (status, claim.key))


def ask(record: sqlite3.Connection, claim: claims.Claim, n: int, path: str = "ask") -> None:
    record.execute(
        "INSERT INTO wrkflw_step_results (run, n, path, step_id, kind, attempt, status, started_at,"
        " revision, question) VALUES (?, ?, ?, 'ask', 'step', 1, 'suspended', 1, 1, ?)",
        (claim.key, n, path, json.dumps({"kind": "answer", "key": "", "reason": f"May I {n}?"})),
    )


def followed(record: sqlite3.Connection, claim: claims.Claim) -> list[tuple[str, str]]:
    return [(d.event, d.kind) for d in deliveries.of_run(record, claim.run_id)]


@pytest.mark.parametrize(
    ("status", "event"), [("success", "success"), ("failed", "failure"), ("cancelled", None)]
)
def test_an_end_is_followed_by_what_is_said_of_it(
    record: sqlite3.Connection, status: str, event: str | None
) -> None:
    say(record, *all_notify())
    claim = claimed(record)
    end(record, claim, status)
    assert followed(record, claim) == ([] if event is None else [(event, "notify")])


def test_nothing_follows_where_nothing_is_said(record: sqlite3.Connection) -> None:
    claim = claimed(record)
    for status in ("failed", "running", "suspended", "running", "success"):
        end(record, claim, status)
    assert followed(record, claim) == []


def test_what_a_workflow_says_stands_in_place_of_what_is_said_for_all(
    record: sqlite3.Connection,
) -> None:
    say(
        record,
        *all_notify(),
        FollowUpRule("own", "failure", "command", ["a"]),
        FollowUpRule("own", "failure", "webhook", "http://b"),
        FollowUpRule("quiet", "failure", "nothing"),
    )
    for workflow_id, failure in (
        ("own", [("failure", "command"), ("failure", "webhook")]),
        ("quiet", []),
        ("other", [("failure", "notify")]),
    ):
        claim = claimed(record, workflow_id)
        end(record, claim, "failed")
        assert followed(record, claim) == failure
        claim = claimed(record, workflow_id)
        end(record, claim, "success")
        assert followed(record, claim) == [("success", "notify")]


def test_a_run_that_fails_again_is_followed_again(record: sqlite3.Connection) -> None:
    say(record, *all_notify())
    claim = claimed(record)
    for status in ("failed", "running", "failed", "running", "success"):
        end(record, claim, status)
    assert [event for event, _ in followed(record, claim)] == ["failure", "failure", "success"]


def test_what_is_undone_with_the_end_does_not_follow(record: sqlite3.Connection) -> None:
    say(record, *all_notify())
    claim = claimed(record)
    record.execute("BEGIN")
    end(record, claim, "failed")
    assert followed(record, claim) == [("failure", "notify")]
    record.execute("ROLLBACK")
    assert followed(record, claim) == []


def test_an_end_that_the_worker_records_is_followed(record: sqlite3.Connection) -> None:
    say(record, *all_notify())
    claim = claimed(record)
    claims.finish(record, claim, "failed", ErrorInfo("ProcessDied", "killed"))
    (delivery,) = deliveries.of_run(record, claim.run_id)
    told = ends.read_end(record, delivery.key)
    assert told is not None
    assert json.loads(told.document())["error"]["message"] == "killed"


def test_a_question_is_told_once_however_often_the_run_rests(record: sqlite3.Connection) -> None:
    say(record, *all_notify())
    claim = claimed(record)
    end(record, claim, "suspended")  # it only awaits an event
    assert followed(record, claim) == []
    end(record, claim, "running")
    ask(record, claim, 3)
    for status in ("suspended", "running", "suspended", "running"):
        end(record, claim, status)
    assert followed(record, claim) == [("question", "notify")]
    ask(record, claim, 5, "other")
    ask(record, claim, 7, "ask")  # answered, and asked anew
    ask(record, claim, 9, "ask")
    end(record, claim, "suspended")
    first, second = deliveries.of_run(record, claim.run_id)
    for delivery, reasons in ((first, ["May I 3?"]), (second, ["May I 5?", "May I 9?"])):
        told = ends.read_end(record, delivery.key)
        assert told is not None
        assert [question.reason for question in told.questions] == reasons


def test_a_commit_of_steps_does_not_wake_the_triggers(record: sqlite3.Connection) -> None:
    def programs(sql: str, values: list[object]) -> int:
        rows = record.execute(f"EXPLAIN {sql}", values)
        return sum(row["opcode"] == "Program" for row in rows)

    fence = _FENCE.format("(?, ?, ?, ?, ?, ?, ?)")
    assert programs(fence, [1, 1, "[]", 1, 1, 1, 1]) == 0
    assert programs("UPDATE wrkflw_workflow_runs SET status = ?", ["failed"]) == 2


# -- an end that a program of one's own records


class Approval(BaseModel):
    approved: bool


@step
async def work(value: int) -> int:
    if value < 0:
        raise ValueError("below zero")
    return value


@step
def asks(value: int, context: StepContext) -> int:
    return value if context.suspend(Approval, reason="Go on?").approved else -1


async def test_the_end_of_a_program_s_own_run_is_followed(
    storage: WorkflowStorage, file: Path
) -> None:
    await storage.database.write(lambda c: follow_ups.replace(c, all_notify()))
    flow = begin_workflow().then(asks).then(work).commit()
    good, bad = flow.create_run(storage=storage), flow.create_run(storage=storage)
    for run in (good, bad):
        with pytest.raises(WorkflowSuspended):
            await run.start(1)
    assert await good.resume(Approval(approved=True)) == 1
    with pytest.raises(WorkflowFailed):
        await bad.resume(Approval(approved=False))
    with closing_connection(file) as record:
        events = [[d.event for d in deliveries.of_run(record, r.run_id)] for r in (good, bad)]
        assert events == [["question", "success"], ["question", "failure"]]
        (asked, failed) = deliveries.of_run(record, bad.run_id)
        document = _document(record, asked)
        assert document["status"] == "suspended"
        assert document["questions"][0]["reason"] == "Go on?"
        assert document["questions"][0]["schema"]["required"] == ["approved"]
        document = _document(record, failed)
        assert document["error"]["path"] == "work"
        assert document["result"] is None
        (_, succeeded) = deliveries.of_run(record, good.run_id)
        document = _document(record, succeeded)
        assert (document["result"], document["error"], document["event"]) == (1, None, "success")


def _document(record: sqlite3.Connection, delivery: Delivery) -> dict[str, Any]:
    told = ends.read_end(record, delivery.key)
    assert told is not None
    document = cast("dict[str, Any]", json.loads(told.document()))
    assert (document["run_id"], document["delivery_id"]) == (
        delivery.run_id,
        delivery.delivery_id,
    )
    return document


async def test_a_run_that_is_taken_up_again_is_told_of_as_it_ended(
    storage: WorkflowStorage, file: Path
) -> None:
    await storage.database.write(lambda c: follow_ups.replace(c, all_notify()))
    hold = asyncio.Event()
    failing = [True]

    @step
    async def fails_once(value: int) -> int:
        if failing[0]:
            raise ValueError("the first time")
        await hold.wait()
        return value

    flow = begin_workflow().then(fails_once).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowFailed):
        await run.start(1)
    failing[0] = False
    going = asyncio.create_task(run.recover())
    with closing_connection(file) as record:
        await until_status(run, "running")
        (delivery,) = deliveries.of_run(record, run.run_id)
        document = _document(record, delivery)
    hold.set()
    await going
    assert document["status"] == "failed"
    assert document["error"]["message"] == "the first time"


# -- attempts


@pytest.fixture
def pending(record: sqlite3.Connection) -> Delivery:
    """One that is under way for the first time."""
    say(record, *all_notify())
    claim = claimed(record)
    end(record, claim, "failed")
    (delivery,) = deliveries.begin_due(record, NOW, 10)
    return delivery


def now_of(record: sqlite3.Connection, delivery: Delivery) -> Delivery:
    (found,) = deliveries.of_run(record, delivery.run_id)
    return found


def test_what_fails_is_tried_five_times_within_about_an_hour(
    record: sqlite3.Connection, pending: Delivery
) -> None:
    assert 3000 < sum(pause.total_seconds() for pause in PAUSES) < 4500
    now, delivery = NOW, pending
    for number, pause in enumerate(PAUSES, start=1):
        deliveries.fail(record, delivery, now, f"no {number}")
        found = now_of(record, delivery)
        assert (found.status, found.attempts, found.error) == ("pending", number, f"no {number}")
        due = now + round(pause.total_seconds() * 1_000_000)
        assert deliveries.next_due(record) == due
        assert deliveries.begin_due(record, due - 1, 10) == []
        (delivery,) = deliveries.begin_due(record, due, 10)
        now = due
    deliveries.fail(record, delivery, now, "no 5")
    found = now_of(record, delivery)
    assert (found.status, found.attempts, found.error) == ("failed", 5, "no 5")
    assert deliveries.next_due(record) is None
    assert not deliveries.has_pending(record)


def test_one_under_way_is_begun_by_nobody_else(
    record: sqlite3.Connection, pending: Delivery
) -> None:
    assert deliveries.begin_due(record, NOW, 10) == []
    assert deliveries.next_due(record) is None
    assert deliveries.has_pending(record)


def test_a_worker_before_has_no_say_any_more(record: sqlite3.Connection, pending: Delivery) -> None:
    deliveries.take_over(record, NOW)
    (again,) = deliveries.begin_due(record, NOW, 10)
    assert (again.delivery_id, again.attempts) == (pending.delivery_id, 2)
    deliveries.fail(record, pending, NOW, "late", is_final=True)
    assert not deliveries.succeed(record, pending, NOW, None)
    assert now_of(record, pending).status == "pending"
    assert deliveries.succeed(record, again, NOW, "thanks")
    found = now_of(record, pending)
    assert (found.status, found.output, found.error) == ("delivered", "thanks", None)


def test_what_was_cut_off_is_done_again_at_once(
    record: sqlite3.Connection, pending: Delivery
) -> None:
    deliveries.give_back(record, pending, NOW)
    (again,) = deliveries.begin_due(record, NOW, 10)
    assert again.attempts == 2


def test_a_workflow_is_started_once(record: sqlite3.Connection) -> None:
    say(record, FollowUpRule(ALL, "success", "workflow", "next"))
    claim = claimed(record)
    end(record, claim, "success")
    (delivery,) = deliveries.begin_due(record, NOW, 10)
    with transaction(record):
        run_id = deliveries.start_run(record, delivery, NOW, "7")
    with transaction(record):
        assert deliveries.start_run(record, delivery, NOW, "7") is None
    rows = record.execute(
        "SELECT run_id, workflow_id, input, trigger, follows, follow_depth"
        " FROM wrkflw_workflow_runs WHERE status = 'queued'"
    ).fetchall()
    assert [tuple(row) for row in rows] == [(run_id, "next", "7", "follow-up", claim.run_id, 1)]
    found = now_of(record, delivery)
    assert (found.status, found.started_run) == ("delivered", run_id)


def test_a_run_takes_what_follows_it_along(record: sqlite3.Connection, pending: Delivery) -> None:
    record.execute("DELETE FROM wrkflw_workflow_runs")
    assert not deliveries.has_pending(record)
    assert ends.read_end(record, pending.key) is None
