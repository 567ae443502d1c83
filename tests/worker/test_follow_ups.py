"""What follows a run: delivered by a worker, at least once, whatever becomes of it meanwhile."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from worker.harness import is_gone
from worker.receiver import receiving

from wrkflw_tui.store import deliveries
from wrkflw_tui.store.follow_ups import FollowUpRule, replace

if TYPE_CHECKING:
    from pathlib import Path

    from worker.harness import Bench

    from wrkflw_tui.store.deliveries import Delivery

ENDS_ANY_WAY = """
    class Approval(BaseModel):
        approved: bool

    @step
    def work(value: int, context: StepContext) -> int:
        if value < 0:
            raise ValueError(f"{value} is below zero")
        if value == 0:
            context.suspend(Approval, reason="Is 0 right?")
        return value
"""


def settings(bench: Bench, text: str) -> None:
    (bench.folder / "wrkflw.toml").write_text(text, "utf-8")


def script(bench: Bench, name: str, text: str) -> None:
    path = bench.folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def of_run(bench: Bench, run_id: str) -> list[Delivery]:
    return bench.read_record(lambda c: deliveries.of_run(c, run_id))


def delivered(bench: Bench, run_id: str, status: str = "delivered") -> Delivery:
    """Wait until the one thing that follows a run has a status."""

    def there() -> Delivery | None:
        found = of_run(bench, run_id)
        return found[0] if found and found[0].status == status else None

    found = bench.until(there, f"what follows {run_id} is {status}: {of_run(bench, run_id)}")
    assert found is not None
    return found


def due_now(bench: Bench) -> None:
    """Turn the instant of the next attempt to now."""
    bench.write_record(lambda c: c.execute("UPDATE wrkflw_deliveries SET next_at = 0"))


# -- a webhook


def test_a_webhook_that_fails_is_tried_again_with_the_same_key(bench: Bench) -> None:
    with receiving() as receiver:
        receiver.answers = [500, 302]
        settings(bench, f'[all]\non_failure = [{{ webhook = "{receiver.url}" }}]\n')
        bench.automation("job", ENDS_ANY_WAY)
        bench.worker()
        run_id = bench.enqueue("job", "-1")
        bench.wait(run_id, "failed")
        for number, said in ((1, "HTTP 500"), (2, "HTTP 302: redirected to /elsewhere")):
            bench.until(
                lambda n=number, s=said: (
                    (d := of_run(bench, run_id)[0]).attempts == n and s in (d.error or "")
                ),
                f"attempt {number} failed with {said}",
            )
            assert of_run(bench, run_id)[0].output == "said \x1b[31mno"
            due_now(bench)
        delivery = delivered(bench, run_id)
        assert delivery.attempts == 3
        assert len(receiver.got) == 3
        for headers, document in receiver.got:
            assert headers["idempotency-key"] == delivery.delivery_id
            assert headers["content-type"] == "application/json"
            assert document["delivery_id"] == delivery.delivery_id
            assert document["run_id"] == run_id
            assert (document["workflow_id"], document["status"]) == ("job", "failed")
            assert document["error"]["message"] == "-1 is below zero"


def test_a_server_that_is_not_there_is_given_up_after_five_attempts(bench: Bench) -> None:
    settings(bench, '[all]\non_success = [{ webhook = "http://127.0.0.1:9/nobody" }]\n')
    bench.automation("job", ENDS_ANY_WAY)
    bench.worker()
    run_id = bench.enqueue("job", "1")
    for number in range(1, 6):
        bench.until(
            lambda n=number: (
                [(d.attempts, d.begun_at) for d in of_run(bench, run_id)] == [(n, None)]
            ),
            f"attempt {number} has failed",
        )
        if number < 5:
            due_now(bench)
    delivery = delivered(bench, run_id, "failed")
    assert "ConnectError" in (delivery.error or "")


def test_a_worker_that_is_killed_in_the_middle_is_made_up_for_by_the_next(bench: Bench) -> None:
    with receiving() as receiver:
        receiver.hold.clear()
        settings(bench, f'[all]\non_success = [{{ webhook = "{receiver.url}" }}]\n')
        bench.automation("job", ENDS_ANY_WAY)
        worker = bench.worker()
        run_id = bench.enqueue("job", "1")
        bench.until(lambda: receiver.got, "the server was asked")
        worker.kill()
        assert of_run(bench, run_id)[0].status == "pending"
        receiver.hold.set()
        bench.worker()
        delivery = delivered(bench, run_id)
        keys = [headers["idempotency-key"] for headers, _ in receiver.got]
        assert keys == [delivery.delivery_id] * 2


def test_deliveries_hold_up_neither_runs_nor_one_another(bench: Bench) -> None:
    with receiving() as receiver, receiving() as other:
        receiver.hold.clear()
        settings(
            bench,
            f'[workflow.slow]\non_success = [{{ webhook = "{receiver.url}" }}]\n'
            f'[workflow.quick]\non_success = [{{ webhook = "{other.url}" }}]\n',
        )
        bench.automation("slow", ENDS_ANY_WAY)
        bench.automation("quick", ENDS_ANY_WAY)
        bench.worker()
        slow = [bench.enqueue("slow", "1") for _ in range(3)]
        bench.until(lambda: len(receiver.got) == 3, "three wait for their answers")
        run_id = bench.enqueue("quick", "2")
        bench.wait(run_id)
        delivered(bench, run_id)
        slow += [bench.enqueue("slow", "1") for _ in range(3)]
        for each in slow:
            bench.wait(each)
        bench.until(lambda: len(receiver.got) == 4, "no more than four at once")
        receiver.hold.set()
        for each in slow:
            delivered(bench, each)
        assert len(receiver.got) == 6


# -- a command


def test_a_command_is_told_what_has_happened(bench: Bench) -> None:
    script(
        bench,
        "tell.sh",
        """cat > given.json
        env | grep ^WRKFLW_ | sort > environment.txt
        echo "told $1"; echo "and more" >&2""",
    )
    settings(bench, '[workflow.job]\non_failure = [{ command = ["./tell.sh", "a b"] }]\n')
    bench.automation("job", ENDS_ANY_WAY)
    bench.worker()
    run_id = bench.enqueue("job", "-2")
    bench.wait(run_id, "failed")
    delivery = delivered(bench, run_id)
    assert delivery.output == "told a b\nand more\n"
    given = json.loads((bench.folder / "given.json").read_text())
    assert (given["run_id"], given["event"]) == (run_id, "failure")
    assert given["error"]["message"] == "-2 is below zero"
    lines = (bench.folder / "environment.txt").read_text().splitlines()
    assert lines == [
        f"WRKFLW_DATABASE={bench.database}",
        f"WRKFLW_DELIVERY_ID={delivery.delivery_id}",
        "WRKFLW_EVENT=failure",
        f"WRKFLW_FOLDER={bench.folder}",
        f"WRKFLW_RUN_ID={run_id}",
        "WRKFLW_STATUS=failed",
        "WRKFLW_WORKFLOW_ID=job",
    ]


def test_a_command_that_fails_is_tried_again_and_what_it_says_is_kept(bench: Bench) -> None:
    script(bench, "tell.sh", "echo no room >&2; test -e go || exit 3")
    settings(bench, '[all]\non_question = [{ command = ["./tell.sh"] }]\n')
    bench.automation("job", ENDS_ANY_WAY)
    bench.worker()
    run_id = bench.enqueue("job", "0")
    bench.wait(run_id, "suspended")
    bench.until(lambda: of_run(bench, run_id)[0].error, "it failed")
    delivery = of_run(bench, run_id)[0]
    assert (delivery.event, delivery.status, delivery.attempts) == ("question", "pending", 1)
    assert delivery.error == "exit code 3: no room"
    assert delivery.next_at > delivery.created_at
    bench.touch("go")
    due_now(bench)
    assert delivered(bench, run_id).attempts == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "term"])
def test_a_command_ends_with_the_worker_and_is_done_again(bench: Bench, number: int) -> None:
    script(bench, "tell.sh", "echo $$ >> pids; test -e go && exit 0; sleep 300 & wait")
    settings(bench, '[all]\non_success = [{ command = ["./tell.sh"] }]\n')
    bench.automation("job", ENDS_ANY_WAY)
    worker = bench.worker()
    run_id = bench.enqueue("job", "1")
    pid = int(bench.until(lambda: pids(bench.folder), "the command has begun")[0])
    group = os.getpgid(pid)
    worker.signal(number)
    worker.wait()
    bench.until(lambda: is_gone(pid), "the command is gone")
    bench.until(lambda: no_group(group), "and so is all that it started")
    assert of_run(bench, run_id)[0].status == "pending"
    bench.touch("go")
    bench.worker()
    assert delivered(bench, run_id).attempts == 2
    assert len(pids(bench.folder)) == 2


def pids(folder: Path) -> list[str]:
    path = folder / "pids"
    return path.read_text().split() if path.exists() else []


def no_group(group: int) -> bool:
    """Whether nothing of a process group lives; what is dead may wait to be reaped by whoever."""
    for pid in psutil.pids():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(pid) == group and not is_gone(pid):
                return False
    return True


# -- a notification


def test_a_notification_says_what_happened(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = bench.place / "tools"
    tools.mkdir()
    path = tools / "notify-send"
    path.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > shown.txt\n', "utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    settings(bench, "[all]\non_failure = [{ notify = true }]\n")
    bench.automation("job", ENDS_ANY_WAY)
    bench.worker()
    run_id = bench.enqueue("job", "-3")
    bench.wait(run_id, "failed")
    delivered(bench, run_id)
    shown = (bench.folder / "shown.txt").read_text().splitlines()
    assert shown[-2:] == ["job failed", "ValueError in work: -3 is below zero"]


def test_where_nothing_shows_notifications_that_is_said_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(bench.place))
    settings(bench, "[all]\non_success = [{ notify = true }]\n")
    bench.automation("job", ENDS_ANY_WAY)
    bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id)
    delivery = delivered(bench, run_id, "failed")
    assert delivery.attempts == 1
    assert "install notify-send" in (delivery.error or "")


# -- another workflow

REPORT = """
    class Told(BaseModel):
        workflow_id: str
        status: str
        error: dict | None

    @step
    def work(told: Told) -> str:
        return f"{told.workflow_id} {told.status}: {told.error['message']}"
"""


def started(bench: Bench, run_id: str) -> str:
    found = delivered(bench, run_id).started_run
    assert found is not None
    return found


def test_a_workflow_follows_with_what_it_takes(bench: Bench) -> None:
    settings(
        bench,
        '[workflow.job]\non_success = [{ workflow = "double" }]\n'
        'on_failure = [{ workflow = "report" }]\non_question = [{ workflow = "bell" }]\n',
    )
    bench.automation("job", ENDS_ANY_WAY)
    bench.automation("double", "@step\ndef work(value: int) -> int:\n    return value * 2\n")
    bench.automation("report", REPORT, input="Told", output="str")
    bench.automation(
        "bell",
        "@step\ndef work(value: None) -> str:\n    return 'rung'\n",
        input="None",
        output="str",
    )
    bench.worker()
    for given, status, result in (
        ("21", "success", 42),
        ("-1", "failed", "job failed: -1 is below zero"),
        ("0", "suspended", "rung"),
    ):
        run_id = bench.enqueue("job", given)
        bench.wait(run_id, status)
        follower = bench.wait(started(bench, run_id))
        assert follower.result == result
        assert (follower.run.trigger, follower.run.follows) == ("follow-up", run_id)


def test_a_workflow_that_takes_none_of_it_is_refused(bench: Bench) -> None:
    settings(bench, '[workflow.job]\non_success = [{ workflow = "words" }]\n')
    bench.automation("job", ENDS_ANY_WAY)
    bench.automation(
        "words",
        "@step\ndef work(value: str) -> str:\n    return value\n",
        input="str",
        output="str",
    )
    bench.worker()
    run_id = bench.enqueue("job", "1")
    delivery = delivered(bench, run_id, "failed")
    assert delivery.error == "neither the result nor the end fits its input: must be a text"
    assert delivery.attempts == 1


def test_an_unknown_workflow_is_waited_for(bench: Bench) -> None:
    settings(bench, '[workflow.job]\non_success = [{ workflow = "later" }]\n')
    bench.automation("job", ENDS_ANY_WAY)
    bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.until(lambda: (d := of_run(bench, run_id)) and d[0].error, "it failed")
    assert "no workflow 'later'" in (of_run(bench, run_id)[0].error or "")
    bench.automation("later", "@step\ndef work(value: int) -> int:\n    return value + 1\n")
    bench.until(
        lambda: bench.rows("SELECT 1 FROM wrkflw_workflows WHERE workflow_id = 'later'"),
        "it is seen",
    )
    due_now(bench)
    assert bench.wait(started(bench, run_id)).result == 2


def test_a_workflow_that_follows_itself_comes_to_an_end(bench: Bench) -> None:
    settings(bench, '[workflow.job]\non_success = [{ workflow = "job" }]\n')
    bench.automation("job", ENDS_ANY_WAY)
    bench.worker()
    bench.wait(bench.enqueue("job", "1"))
    bench.until(
        lambda: bench.rows("SELECT 1 FROM wrkflw_deliveries WHERE status = 'failed'"),
        "it is refused",
    )
    depths = bench.rows("SELECT follow_depth FROM wrkflw_workflow_runs ORDER BY id")
    assert [depth for (depth,) in depths] == list(range(21))
    ((error,),) = bench.rows("SELECT error FROM wrkflw_deliveries WHERE status = 'failed'")
    assert "20 runs have followed one another" in str(error)


# -- the settings


def test_broken_settings_leave_the_last_good_ones_in_force(bench: Bench) -> None:
    script(bench, "tell.sh", "echo told >> told.txt")
    settings(bench, '[all]\non_success = [{ command = ["./tell.sh"] }]\n')
    bench.automation("job", ENDS_ANY_WAY)
    bench.worker()
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id)
    delivered(bench, run_id)
    settings(bench, "[all]\non_succes = []\n")

    def file() -> list[tuple[object, ...]]:
        return bench.rows(
            "SELECT status, error FROM wrkflw_automation_files WHERE file = 'wrkflw.toml'"
        )

    bench.until(lambda: file()[0][0] == "broken", "they are seen to be broken")
    assert "all.on_succes" in str(file()[0][1])
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id)
    delivered(bench, run_id)
    settings(bench, "")
    bench.until(lambda: file()[0][0] == "ok", "they are mended")
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id)
    assert of_run(bench, run_id) == []
    (bench.folder / "wrkflw.toml").unlink()
    bench.until(lambda: file() == [], "they are gone")


def test_settings_that_are_taken_away_are_in_force_no_more(bench: Bench) -> None:
    settings(bench, "[all]\non_success = [{ notify = true }]\n")
    bench.automation("job", ENDS_ANY_WAY)
    bench.worker()
    bench.until(lambda: bench.rows("SELECT * FROM wrkflw_follow_ups"), "they are on record")
    (bench.folder / "wrkflw.toml").unlink()
    bench.until(lambda: not bench.rows("SELECT * FROM wrkflw_follow_ups"), "they are gone")
    run_id = bench.enqueue("job", "1")
    bench.wait(run_id)
    assert of_run(bench, run_id) == []


# -- the worker


def test_a_worker_until_idle_delivers_before_it_ends(bench: Bench) -> None:
    script(bench, "tell.sh", "echo told")
    settings(bench, '[all]\non_success = [{ command = ["./tell.sh"] }]\n')
    bench.automation("job", ENDS_ANY_WAY)
    run_id = bench.enqueue("job", "1")
    worker = bench.worker("--until-idle")
    assert worker.wait() == 0
    (delivery,) = of_run(bench, run_id)
    assert (delivery.status, delivery.output) == ("delivered", "told\n")


NOT_TOGETHER = """
    SELECT run_id, r.status FROM wrkflw_workflow_runs AS r
     WHERE (r.status = 'success') <> EXISTS (SELECT 1 FROM wrkflw_deliveries WHERE run = r.id)
"""


def test_an_end_and_what_follows_it_are_there_together(bench: Bench) -> None:
    """Wherever about its end the process dies: both, or none."""
    bench.automation(
        "dies",
        """
        import threading

        @step
        async def work(value: int) -> int:
            end = time.monotonic() + value / 4000
            def kill():
                while time.monotonic() < end: pass
                os.kill(os.getpid(), signal.SIGKILL)
            if not Path(f"died-{value}").exists():
                Path(f"died-{value}").touch()
                threading.Thread(target=kill, daemon=True).start()
            return value
        """,
    )
    bench.write_record(lambda c: replace(c, [FollowUpRule("", "success", "workflow", "nothing")]))
    bench.worker()
    runs = [bench.enqueue("dies", str(number)) for number in range(16)]

    def all_done() -> bool:
        assert bench.rows(NOT_TOGETHER) == []
        (ended,) = bench.rows("SELECT count(*) FROM wrkflw_workflow_runs WHERE status = 'success'")
        return ended == (len(runs),)

    bench.until(all_done, "all have succeeded")
    assert [len(of_run(bench, run_id)) for run_id in runs] == [1] * len(runs)


PROGRAM = """
import asyncio, sys
from wrkflw_tui import WorkflowStorage, create_workflow, step

@step
async def work(value: int) -> int:
    return value

flow = create_workflow(id="mine", input_schema=int, output_schema=int).then(work).commit()

async def main() -> None:
    storage = WorkflowStorage(sys.argv[1])
    await flow.create_run(storage=storage, run_id="own").start(5)
    await storage.close()

asyncio.run(main())
"""


def test_the_worker_delivers_what_follows_a_program_s_own_run(bench: Bench) -> None:
    script(bench, "tell.sh", "echo told")
    settings(bench, '[workflow.mine]\non_success = [{ command = ["./tell.sh"] }]\n')
    bench.worker()
    bench.until(lambda: bench.rows("SELECT * FROM wrkflw_follow_ups"), "the settings are seen")
    subprocess.run([sys.executable, "-c", PROGRAM, str(bench.database)], check=True)
    assert delivered(bench, "own").output == "told\n"
