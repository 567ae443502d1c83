"""`wrkflw-tui serve` as a process: its token, its address, its worker and its end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from triggers.client import Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from commands.shell import Shell, Terminal


@pytest.fixture
def serve(shell: Shell) -> Generator[Callable[..., Serving]]:
    """Start servers on a folder without a worker."""
    made: list[Serving] = []

    def start(*flags: str, token: str | None = "abc") -> Serving:
        made.append(Serving(shell, *flags, token=token))
        return made[-1]

    yield start
    for serving in made:
        serving.close()


def test_a_token_is_made_once_and_kept_for_its_owner(
    shell: Shell, serve: Callable[..., Serving]
) -> None:
    first = serve(token=None)
    file = shell.bench.database.with_name("token")
    token = file.read_text("utf-8").strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(token) >= 32
    assert first.get("/runs", Authorization=f"Bearer {token}").status == 200
    assert first.get("/runs").status == 401
    assert first.end(signal.SIGTERM) == 0
    second = serve(token=None)
    assert second.get("/runs", Authorization=f"Bearer {token}").status == 200
    second.end(signal.SIGTERM)
    said = "".join(first.said + second.said)
    assert str(file) in said
    assert token not in said
    assert [path.name for path in file.parent.glob("*token*")] == ["token"]


def test_on_a_terminal_the_token_is_shown(shell: Shell, terminal: Callable[..., Terminal]) -> None:
    seen = terminal(shell, "serve", "--port", "0")
    seen.read_until("Authorization: Bearer ")
    seen.read_until("no worker is there")
    token = shell.bench.database.with_name("token").read_text("utf-8").strip()
    assert f"Authorization: Bearer {token}\n" in seen.text
    seen.type(b"\x03")
    assert seen.end() == 0


def test_the_environment_gives_the_token_and_the_flag_holds_over_it(
    shell: Shell, serve: Callable[..., Serving]
) -> None:
    shell.environment["WRKFLW_TOKEN"] = "from-outside"
    plain = serve(token=None)
    assert plain.get("/runs", Authorization="Bearer from-outside").status == 200
    flagged = serve(token="from-flag")
    assert flagged.get("/runs", Authorization="Bearer from-outside").status == 401
    assert flagged.get("/runs").status == 200
    assert not shell.bench.database.with_name("token").exists()


def test_a_token_that_others_may_read_is_not_used(shell: Shell) -> None:
    file = shell.bench.database.with_name("token")
    file.write_text("known-to-all\n", "utf-8")
    file.chmod(0o644)
    said = shell("serve", "--port", "0")
    assert (said.code, said.out) == (1, "")
    assert f"others may read the token in {file}" in said.err


@pytest.mark.parametrize("token", ["", "two words", "grün"])
def test_a_token_that_no_header_can_hold_is_a_wrong_call(shell: Shell, token: str) -> None:
    said = shell("serve", "--port", "0", "--token", token)
    assert said.code == 2
    assert "ASCII" in said.err


def test_a_port_in_use_is_said(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = shell("serve", "--token", "abc", "--port", str(port))
    assert (said.code, said.out) == (1, "")
    expected = f"cannot listen to 127.0.0.1 port {port}: Address already in use"
    assert said.err.splitlines() == [f"wrkflw-tui: {expected}"]


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7", "a" * 70, "x..y"])
def test_a_host_that_is_none_is_said(shell: Shell, host: str) -> None:
    said = shell("serve", "--token", "abc", "--port", "0", "--host", host)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert f"cannot listen to {host} port 0: " in said.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_whoever_waits_is_answered(
    shell: Shell, serve: Callable[..., Serving], number: signal.Signals
) -> None:
    shell.bench.worker()
    server = serve()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.post, "/workflows/hangs/runs?wait=60", 7)
        shell.bench.until(
            lambda: shell.bench.rows("SELECT 1 FROM wrkflw_step_results WHERE status = 'running'"),
            "the step is at work",
        )
        assert server.end(number) == 0
        answer = waiting.result(20)
    assert (answer.status, answer.json["status"]) == (202, "running")
    assert "runs go on" in server.said[-1]
    run_id = answer.json["run_id"]
    assert shell.bench.snapshot(run_id).status == "running"
    shell.bench.touch("go")
    assert shell.bench.wait(run_id).result == 7


def test_a_run_starts_a_worker_where_none_is_and_again_if_that_is_killed(
    shell: Shell, serve: Callable[..., Serving]
) -> None:
    server = serve()
    assert server.get("/health").json == {"status": "ok", "worker": False}
    assert shell.lease() is None
    run_id = server.start("hangs", 3)
    shell.bench.until(lambda: shell.bench.lines(run_id) == ["hanging"], "the step is at work")
    assert server.get("/health").json["worker"] is True
    lease = shell.lease()
    assert lease is not None
    os.kill(lease.pid, signal.SIGKILL)
    shell.bench.until(lambda: (now := shell.lease()) and now.pid != lease.pid, "another worker")
    shell.bench.touch("go")
    assert shell.bench.wait(run_id).result == 3


def test_a_killed_server_leaves_its_runs_and_the_next_one_takes_requests(
    shell: Shell, serve: Callable[..., Serving]
) -> None:
    shell.bench.worker()
    server = serve()
    run_id = server.start("hangs", 5, Idempotency_Key="k")
    shell.bench.until(lambda: shell.bench.lines(run_id) == ["hanging"], "the step is at work")
    server.process.kill()
    server.process.wait(20)
    shell.bench.touch("go")
    assert shell.bench.wait(run_id).result == 5
    assert shell.bench.rows("PRAGMA integrity_check") == [("ok",)]
    following = serve()
    assert following.start("hangs", 5, Idempotency_Key="k") == run_id
    assert following.post("/workflows/twice/runs?wait=20", 4).json["result"] == 8


def test_the_next_server_cares_for_what_the_last_one_queued(
    shell: Shell, serve: Callable[..., Serving]
) -> None:
    run_id = shell.bench.enqueue("twice", "4", "http")
    serve()
    assert shell.bench.wait(run_id).result == 8


def test_it_says_who_can_reach_it(serve: Callable[..., Serving]) -> None:
    server = serve("--host", "0.0.0.0")
    assert server.get("/health", Host="my.name.example").status == 200
    assert server.get("/runs", Authorization="").status == 401
    server.end(signal.SIGTERM)
    assert "others can reach it, by plain HTTP" in "".join(server.said)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_request_in_the_readme_is_answered(shell: Shell, serve: Callable[..., Serving]) -> None:
    readme = Path(__file__).parents[2].joinpath("README.md").read_text("utf-8")
    (automation,) = re.findall(r"^```python\n(.+?count_downloads = .+?)^```$", readme, re.S | re.M)[
        :1
    ]
    (request,) = re.findall(r"^```sh\n(curl .+?)^```$", readme, re.S | re.M)
    shell.bench.write("count_downloads.py", automation)
    shell.place.joinpath("Downloads").mkdir()
    server = serve(token=None)
    token = shell.bench.database.with_name("token")
    request = request.replace("automations/.wrkflw/token", str(token))
    request = request.replace("127.0.0.1:8484", f"127.0.0.1:{server.port}")
    done = subprocess.run(
        ["sh", "-c", request], env=shell.environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["result"] == {"count": 0}


def test_a_worker_that_cannot_begin_is_said_and_the_next_request_tries_again(
    shell: Shell, serve: Callable[..., Serving]
) -> None:
    log = shell.bench.database.with_name("worker.log")
    log.mkdir()
    server = serve()
    first = server.start("twice", 1)
    assert server.process.stderr is not None
    said = ""
    while "cannot write" not in said:
        said = server.process.stderr.readline()
        assert said
    assert str(log) in said
    log.rmdir()
    second = server.start("twice", 2)
    assert [shell.bench.wait(run_id).result for run_id in (first, second)] == [2, 4]
