"""A server process on loopback, and requests to it."""

from __future__ import annotations

import http.client
import json
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from commands.shell import Shell

TOKEN = "a-token-for-tests"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    json: Any
    headers: Mapping[str, str]

    @property
    def error(self) -> tuple[int, str]:
        return self.status, self.json["error"]["type"]


class Serving:
    """`wrkflw-tui serve`, and a client of it."""

    def __init__(self, shell: Shell, *flags: str, token: str | None = TOKEN) -> None:
        with_token = [] if token is None else ["--token", token]
        self.token = token
        self.process: subprocess.Popen[str] = shell.start(
            "serve", "--port", "0", *with_token, *flags
        )
        assert self.process.stderr is not None
        self.said: list[str] = []
        while not self.said or not self.said[-1].startswith("requests need"):
            line = self.process.stderr.readline()
            assert line, f"it ended: {self.said}"
            self.said.append(line)
        found = re.search(r"http://\S+:(\d+)", "".join(self.said))
        assert found is not None
        self.port = int(found[1])

    def __call__(
        self,
        method: str,
        path: str,
        value: object = None,
        **headers: str,
    ) -> Answer:
        """Send a request; `value` as JSON, or as it is where that is bytes."""
        body = value if isinstance(value, bytes) else None
        if value is not None and body is None:
            body = json.dumps(value).encode()
        given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        given |= {name.replace("_", "-"): text for name, text in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as line:
            line.request(method, path, body, given)
            answer = line.getresponse()
            return Answer(answer.status, json.loads(answer.read()), dict(answer.headers))

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, **headers)

    def post(self, path: str, value: object = None, **headers: str) -> Answer:
        return self("POST", path, value, **headers)

    def start(self, workflow_id: str, value: object = None, **headers: str) -> str:
        """Start a run and return its id."""
        answer = self.post(f"/workflows/{workflow_id}/runs", value, **headers)
        assert answer.status == 202, answer
        return cast("str", answer.json["run_id"])

    def end(self, number: int) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(30)
        assert self.process.stderr is not None
        self.said.append(self.process.stderr.read())  # with what is left in its buffer
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
