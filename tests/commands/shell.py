"""The command as a person or a script calls it: a process of its own, on a folder of its own."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
from worker.harness import Bench, is_gone, wait_until

import wrkflw_tui
from wrkflw_tui.store import leases
from wrkflw_tui.store.file import connect

LIMIT = 30.0
"""Seconds that anything here may take before it counts as hung."""

AUTOMATIONS = '''
import asyncio
import sys
import time
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, Field
from wrkflw_tui import StepContext, create_workflow, step


class Order(BaseModel):
    name: str = Field(description="What to buy.")
    amount: int = Field(default=1, ge=1)
    tags: list[str] = []
    express: bool = False
    target: Path | None = None


class Approval(BaseModel):
    approved: bool
    note: str = ""


class Paid(BaseModel):
    cents: int


@step
def look_up(order: Order) -> Order:
    """Find it."""
    print("looked up", order.name)
    print("\\x1b[31mnot cheap\\x1b[0m\\x1b[2J", file=sys.stderr)
    return order


@step
def ask(order: Order, context: StepContext) -> Order:
    """Ask a person."""
    approval = context.suspend(Approval, reason=f"Buy {order.name}?", payload=order)
    if not approval.approved:
        raise ValueError(f"refused: {approval.note}")
    return order


@step
def pay(paid: Paid) -> str:
    """Say what was paid."""
    return f"paid {paid.cents}"


@step
def double(number: int) -> int:
    """Twice as much."""
    print("doubling", number)
    return number * 2


@step
def fail(number: int) -> int:
    """Break."""
    raise RuntimeError(f"it broke\\nat {number}")


@step
async def hang(number: int) -> int:
    """Wait for a file named go."""
    print("hanging", flush=True)
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    return number


@step
def numbers(amount: int) -> list[int]:
    """Count."""
    return list(range(amount))


@step
def add(found: list[int]) -> int:
    """Add up."""
    return sum(found)


buy = (
    create_workflow(id="buy", input_schema=Order, output_schema=str, description="Buys something.")
    .then(look_up).then(ask).wait_for("paid", Paid).then(pay).commit()
)
order = create_workflow(id="order", input_schema=Order, output_schema=Order).then(look_up).commit()
twice = create_workflow(id="twice", input_schema=int, output_schema=int).then(double).commit()
fails = (
    create_workflow(id="fails", input_schema=int, output_schema=int)
    .then(double).then(fail).commit()
)
hangs = create_workflow(id="hangs", input_schema=int, output_schema=int).then(hang).commit()
many = (
    create_workflow(id="many", input_schema=int, output_schema=int)
    .then(numbers).foreach(double, concurrency=4).then(add).commit()
)
naps = (
    create_workflow(id="naps", input_schema=int, output_schema=int)
    .then(double).sleep(timedelta(seconds=7)).commit()
)
'''


@dataclass(frozen=True, slots=True)
class Said:
    """What a call came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)

    @property
    def last_line(self) -> str:
        return self.out.splitlines()[-1]


class Shell:
    """Calls the command on a folder, with a home of its own."""

    def __init__(self, place: Path) -> None:
        self.bench = Bench(place)
        self.bench.folder.joinpath("shop.py").write_text(AUTOMATIONS, "utf-8")
        self.place = place
        home = {"HOME": str(place), "XDG_CONFIG_HOME": str(place / "config"), "TERM": "xterm"}
        places = {
            "WRKFLW_FOLDER": str(self.bench.folder),
            "WRKFLW_DATABASE": str(self.bench.database),
        }
        # Children run the tree that the test has imported, wherever another one is installed.
        tree = str(Path(wrkflw_tui.__file__).parents[1])
        path = os.pathsep.join([tree, os.environ.get("PYTHONPATH", "")])
        own = {"COLUMNS": "100", "NO_COLOR": "", "PYTHONPATH": path}
        self.environment = {**os.environ, **home, **places, **own}

    def __call__(self, *arguments: str, stdin: str = "") -> Said:
        """Call it without a terminal."""
        done = subprocess.run(
            [sys.executable, "-m", "wrkflw_tui", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.place,
            env=self.environment,
            timeout=LIMIT * 2,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    def id(self, *arguments: str) -> str:
        """Start a run without waiting; return its id."""
        said = self("run", *arguments, "--detach")
        assert said.code == 0, said
        return said.last_line

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Call it without a terminal, and do not wait."""
        return subprocess.Popen(
            [sys.executable, "-m", "wrkflw_tui", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.place,
            env=self.environment,
        )

    def lease(self) -> leases.Lease | None:
        """The lease of the worker, wherever that came from."""
        with closing(connect(self.bench.database, read_only=True)) as connection:
            return leases.find(connection, leases.WORKER)

    def close(self) -> None:
        """End every worker, those too that commands have started."""
        self.bench.close()
        lease = self.lease()
        if lease is not None and not is_gone(lease.pid):
            with suppress(psutil.NoSuchProcess):
                psutil.Process(lease.pid).terminate()
            wait_until(lambda: is_gone(lease.pid), f"worker {lease.pid} ends", self.bench)


class Terminal:
    """The command on a pseudo-terminal of 80 by 24."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        import fcntl
        import struct
        import termios

        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.seen = b""
        environment = {k: v for k, v in shell.environment.items() if k != "COLUMNS"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wrkflw_tui", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=shell.place,
            env=environment,
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    @property
    def text(self) -> str:
        return self.seen.decode("utf-8", "replace").replace("\r\n", "\n")

    def read_until(self, text: str) -> None:
        """Read until `text` was printed."""
        deadline = time.monotonic() + LIMIT
        while text not in self.text:
            assert time.monotonic() < deadline, f"never saw {text!r}: {self.text[-2000:]!r}"
            self._read()

    def _read(self) -> None:
        if select.select([self.master], [], [], 0.1)[0]:
            with suppress(OSError):  # its other end is closed
                self.seen += os.read(self.master, 65536)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Read what is still printed and return the exit code."""
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it did not end: {self.text[-2000:]!r}"
            self._read()
        self._read()
        return cast("int", self.process.returncode)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


def _take_terminal() -> None:
    """Make the pseudo-terminal the controlling one, so that ctrl-c is a signal."""
    import fcntl
    import termios

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests may hear none
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
