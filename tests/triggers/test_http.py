"""Each route and each refusal of `serve`, by real requests to a real process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.store.file import connect

if TYPE_CHECKING:
    from commands.shell import Shell
    from triggers.client import Serving


def test_the_workflows_are_those_of_the_folder(server: Serving) -> None:
    answer = server.get("/workflows")
    assert answer.status == 200
    found = {workflow["workflow_id"]: workflow for workflow in answer.json["workflows"]}
    assert {"buy", "order", "twice", "hangs"} <= found.keys()
    assert found["twice"]["input_schema"] == {"type": "integer"}
    assert answer.json["broken"] == []


def test_a_file_that_is_new_can_be_started_at_once(server: Serving, desk: Shell) -> None:
    code = "@step\ndef work(value: int) -> int:\n    return value + 1\n"
    desk.bench.automation("fresh", code)
    answer = server.post("/workflows/fresh/runs?wait=20", 1)
    assert (answer.status, answer.json["result"]) == (200, 2)


def test_a_run_is_queued_and_told_where_it_is(server: Serving, desk: Shell) -> None:
    answer = server.post("/workflows/twice/runs", 21)
    run_id = answer.json["run_id"]
    assert answer.status == 202
    assert answer.json.keys() == {"run_id", "status"}
    assert answer.headers["Location"] == f"/runs/{run_id}"
    assert desk.bench.wait(run_id).result == 42
    there = server.get(answer.headers["Location"])
    assert (there.status, there.json["status"], there.json["result"]) == (200, "success", 42)
    assert (there.json["input"], there.json["trigger"]) == (21, "http")
    assert [step["path"] for step in there.json["steps"]] == ["double"]
    assert "HTTP" in desk("show", run_id).out


def test_waiting_answers_with_the_run_once_it_has_ended(server: Serving) -> None:
    answer = server.post("/workflows/twice/runs?wait=20", 4)
    assert (answer.status, answer.json["status"], answer.json["result"]) == (200, "success", 8)
    answer = server.post("/workflows/fails/runs?wait=20", 4)
    assert (answer.status, answer.json["status"]) == (200, "failed")
    assert answer.json["error"]["type"] == "RuntimeError"


def test_a_run_that_takes_longer_or_asks_is_told_as_it_is(server: Serving) -> None:
    answer = server.post("/workflows/hangs/runs?wait=0.1", 1)
    assert (answer.status, answer.json["status"] in ("queued", "running")) == (202, True)
    assert server.post(f"/runs/{answer.json['run_id']}/cancel").status in (200, 202)
    answer = server.post("/workflows/buy/runs?wait=20", {"name": "tea"})
    assert (answer.status, answer.json["status"]) == (202, "suspended")


def test_a_workflow_with_defaults_alone_needs_no_body(server: Serving, desk: Shell) -> None:
    code = """
    class Plan(BaseModel):
        amount: int = 3

    @step
    def work(plan: Plan) -> int:
        return plan.amount
    """
    desk.bench.automation("defaults", code, input="Plan")
    assert server.post("/workflows/defaults/runs?wait=20").json["result"] == 3


def test_a_run_is_told_answers_and_events(server: Serving, desk: Shell) -> None:
    run_id = server.start("buy", {"name": "tea"})
    desk.bench.wait(run_id, "suspended")
    bad = server.post(f"/runs/{run_id}/answer", {"approved": "perhaps"})
    assert bad.error == (422, "DoesNotFit")
    assert bad.json["error"]["fields"] == {"approved": "must be true or false"}
    assert server.post(f"/runs/{run_id}/answer?path=nowhere", {}).error == (404, "UnknownPath")
    assert server.post(f"/runs/{run_id}/answer?key=other", {}).error == (409, "NotSuspended")
    answer = server.post(f"/runs/{run_id}/answer?path=ask", {"approved": True})
    assert (answer.status, answer.json["run_id"]) == (202, run_id)
    again = server.post(f"/runs/{run_id}/answer", {"approved": True})
    assert again.error == (409, "NotSuspended")
    assert server.post(f"/runs/{run_id}/events/lost", {}).error == (409, "NotSuspended")
    assert server.post(f"/runs/{run_id}/events/paid", {}).error == (422, "DoesNotFit")
    assert server.post(f"/runs/{run_id}/events/paid", {"cents": 5}).status == 202
    assert desk.bench.wait(run_id).result == "paid 5"
    assert server.post(f"/runs/{run_id}/events/paid", {"cents": 5}).error == (409, "RunEnded")


def test_several_questions_have_to_be_told_apart(server: Serving, desk: Shell) -> None:
    code = """
    @step
    def ask(number: int, context: StepContext) -> int:
        return context.suspend(int)

    @step
    def add(numbers: tuple[int, int]) -> int:
        return sum(numbers)

    both = create_workflow(id="both", input_schema=int, output_schema=int)
    both = both.parallel(ask.with_id("a"), ask.with_id("b")).then(add).commit()
    """
    desk.bench.automation("unused", code, "ask")
    run_id = server.start("both", 1)
    desk.bench.wait(run_id, "suspended")
    questions = server.get(f"/runs/{run_id}").json["questions"]
    assert server.post(f"/runs/{run_id}/answer", 1).error == (409, "AmbiguousAnswer")
    for number, question in enumerate(questions, start=3):
        told = server.post(f"/runs/{run_id}/answer?path={question['path']}", number)
        assert told.status == 202
    assert desk.bench.wait(run_id).result == 7


def test_a_run_is_cancelled_once(server: Serving, desk: Shell) -> None:
    run_id = server.start("hangs", 1)
    desk.bench.until(lambda: desk.bench.lines(run_id) == ["hanging"], "the step is at work")
    assert server.post(f"/runs/{run_id}/cancel").status == 202
    desk.bench.wait(run_id, "cancelled")
    assert server.post(f"/runs/{run_id}/cancel").error == (409, "RunEnded")


def test_runs_are_listed_by_page(server: Serving) -> None:
    ids = [server.start("order", {"name": str(number)}) for number in range(3)]
    first = server.get("/runs?workflow=order&limit=2").json["runs"]
    assert [run["run_id"] for run in first] == [ids[2], ids[1]]
    rest = server.get(f"/runs?workflow=order&before={ids[1]}").json["runs"]
    assert rest[0]["run_id"] == ids[0]
    server.post("/workflows/fails/runs?wait=20", 4)
    failed = server.get("/runs?status=failed").json["runs"]
    assert {run["status"] for run in failed} == {"failed"}


@pytest.mark.parametrize(
    "query", ["status=fine", "limit=0", "limit=x", "limit=1001", "limit=1.5"], ids=str
)
def test_a_query_that_cannot_be_meant_is_refused(server: Serving, query: str) -> None:
    assert server.get(f"/runs?{query}").error == (400, "BrokenRequest")


def test_a_log_is_read_on_from_where_it_was_left(server: Serving, desk: Shell) -> None:
    run_id = server.start("many", 3)
    desk.bench.wait(run_id)
    desk.bench.until(lambda: len(desk.bench.lines(run_id)) == 3, "all lines are on record")
    whole = server.get(f"/runs/{run_id}/logs").json
    assert sorted(line["line"] for line in whole["lines"]) == [f"doubling {n}" for n in range(3)]
    assert whole["lines"][0].keys() == {"at", "step", "stream", "line"}
    first = server.get(f"/runs/{run_id}/logs?limit=1").json
    rest = server.get(f"/runs/{run_id}/logs?after={first['last']}").json
    assert first["lines"] + rest["lines"] == whole["lines"]
    assert server.get(f"/runs/{run_id}/logs?after={whole['last']}").json["lines"] == []


@pytest.mark.parametrize("path", ["", "/logs"], ids=["run", "logs"])
def test_a_run_that_is_not_there_is_404(server: Serving, path: str) -> None:
    assert server.get(f"/runs/nowhere{path}").error == (404, "RunNotFound")


@pytest.mark.parametrize("path", ["cancel", "answer", "events/paid"])
def test_a_run_that_is_not_there_is_told_nothing(server: Serving, path: str) -> None:
    assert server.post(f"/runs/nowhere/{path}", 1).error == (404, "RunNotFound")


def test_what_is_not_there_or_not_so_asked_is_refused(server: Serving) -> None:
    assert server.post("/workflows/twic/runs", 1).error == (404, "UnknownId")
    assert "near it are twice" in server.post("/workflows/twic/runs", 1).json["error"]["message"]
    assert server.get("/nowhere").error == (404, "NotFound")
    answer = server("DELETE", "/runs")
    assert answer.error == (405, "MethodNotAllowed")
    assert "GET" in answer.headers["Allow"]


def test_an_input_that_does_not_fit_names_its_fields(server: Serving) -> None:
    before = len(server.get("/runs?workflow=order&limit=1000").json["runs"])
    answer = server.post("/workflows/order/runs", {"amount": 0, "tags": "x"})
    assert answer.error == (422, "DoesNotFit")
    assert answer.json["error"]["fields"] == {
        "name": "is needed",
        "amount": "must be at least 1",
        "tags": "must be a list",
    }
    assert server.post("/workflows/twice/runs").error == (422, "DoesNotFit")
    assert server.post("/workflows/twice/runs", "@shop.py").error == (422, "DoesNotFit")
    assert len(server.get("/runs?workflow=order&limit=1000").json["runs"]) == before


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b"NaN", b"[" * 100_000, b"1" * 5_000, b'{"name": "\\ud800"}'],
    ids=["open", "bytes", "nan", "deep", "digits", "surrogate"],
)
def test_a_body_that_is_no_json_is_refused(server: Serving, body: bytes) -> None:
    answer = server("POST", "/workflows/order/runs", body)
    assert answer.error == (400, "BrokenRequest")


def test_a_body_that_is_too_long_is_refused(server: Serving) -> None:
    answer = server.post("/workflows/order/runs", {"name": "x" * 600_000})
    assert answer.error == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize("wait", ["-1", "301", "nan", "soon"])
def test_a_wait_that_cannot_be_meant_is_refused(server: Serving, wait: str) -> None:
    answer = server.post(f"/workflows/twice/runs?wait={wait}", 1)
    assert answer.error == (400, "BrokenRequest")


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer wrong", "Basic a-token-for-tests", "a-token-for-tests", "Bearer ü"],
)
def test_nothing_is_done_without_the_token(server: Serving, given: str) -> None:
    for method, path in (("GET", "/runs"), ("POST", "/workflows/twice/runs"), ("GET", "/x")):
        answer = server(method, path, Authorization=given)
        assert answer.error == (401, "Unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert server.get("/health", Authorization=given).json == {"status": "ok", "worker": True}


def test_a_page_that_has_its_name_point_here_is_refused(server: Serving) -> None:
    for host in (
        "evil.example",
        f"evil.example:{server.port}",
        "localhost.evil.example",
        "10.0.0.1",
    ):
        assert server.get("/health", Host=host).error == (403, "WrongHost")
    for host in ("localhost", f"127.0.0.1:{server.port}", "[::1]:9000", "LOCALHOST:1"):
        assert server.get("/health", Host=host).status == 200


def test_twenty_requests_at_once_with_one_key_are_one_run(server: Serving, desk: Shell) -> None:
    with ThreadPoolExecutor(20) as pool:
        ids = list(pool.map(lambda n: server.start("twice", n, Idempotency_Key="k"), range(20)))
    assert len(set(ids)) == 1
    desk.bench.wait(ids[0])
    assert server.start("twice", 5, Idempotency_Key="other") != ids[0]
    assert server.start("many", 2, Idempotency_Key="k") != ids[0]
    answer = server.post("/workflows/twice/runs?wait=5", 1, Idempotency_Key="k")
    assert (answer.status, answer.json["run_id"]) == (200, ids[0])
    assert desk.bench.rows(
        "SELECT count(*) FROM wrkflw_workflow_runs WHERE run_id = ?", ids[0]
    ) == [(1,)]


def test_a_key_of_a_run_that_was_removed_starts_no_second_one(server: Serving, desk: Shell) -> None:
    run_id = server.start("fails", 1, Idempotency_Key="removed")
    desk.bench.wait(run_id, "failed")
    assert desk("prune", "fails", "--keep-runs", "0").code == 0
    answer = server.post("/workflows/fails/runs", 1, Idempotency_Key="removed")
    assert answer.error == (410, "RunRemoved")


@pytest.mark.parametrize("key", ["", "x" * 256, "ü"], ids=["empty", "long", "foreign"])
def test_a_key_that_cannot_be_meant_is_refused(server: Serving, key: str) -> None:
    answer = server.post("/workflows/twice/runs", 1, Idempotency_Key=key)
    assert answer.error == (400, "BrokenRequest")


def test_a_record_that_cannot_be_written_is_503(desk: Shell, server: Serving) -> None:
    with closing(connect(desk.bench.database)) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON wrkflw_workflow_runs WHEN NEW.trigger = 'http'"
            " BEGIN SELECT raise(ABORT, 'no room'); END"
        )
        try:
            answer = server.post("/workflows/twice/runs", 1)
        finally:
            connection.execute("DROP TRIGGER full")
    assert answer.error == (503, "StorageError")
    assert "no room" in answer.json["error"]["message"]
    assert server.post("/workflows/twice/runs?wait=20", 1).status == 200
