"""A folder, a record and real worker processes, for one test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from textwrap import dedent
from typing import TYPE_CHECKING, TypeVar

import psutil

from wrkflw_tui.store import claims
from wrkflw_tui.store.file import Turn, connect, prepare, transaction
from wrkflw_tui.store.logs import LogStretch, read_log
from wrkflw_tui.store.runs import list_runs, read_snapshot

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from wrkflw_tui.engine.models import WorkflowSnapshot
    from wrkflw_tui.store.claims import Trigger

T = TypeVar("T")

LOOK = 0.01
PATIENCE = 20.0
"""Seconds after which a state that has not come is given up."""
ENDS = ("success", "failed", "cancelled")

PRELUDE = """\
import asyncio, ctypes, logging, os, signal, subprocess, sys, time
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel
from wrkflw_tui import RetryPolicy, StepContext, create_workflow, step

def note(text):
    fd = os.open("notes.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(fd, f"{text}\\n".encode())
    os.close(fd)

def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.01)

"""


class Worker:
    """One worker process and what it says."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def say(self, word: bytes) -> None:
        """Say a word on its standard input and close it; nothing only breaks the line."""
        line = self.process.stdin
        assert line is not None
        if word:
            line.write(word)
        line.close()

    def wait(self) -> int:
        """Wait for its end, which must come by itself."""
        return self.process.wait(PATIENCE)

    def runners(self) -> list[int]:
        """The ids of its runners, idle ones too."""
        return runners_of(self.pid)


def runners_of(pid: int) -> list[int]:
    """Return the ids of a worker's runners, idle ones too."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(pid).children()
        return [child.pid for child in children if _is_runner(child)]
    return []


def _is_runner(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.name() == "wrkflw-runner" or "wrkflw_tui.worker.runner" in (
            process.cmdline()
        )
    return False


class Bench:
    """A folder of automations, its record, and the workers that a test starts."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.folder = place / "automations"
        self.database = place / "wrkflw.db"
        self.folder.mkdir()
        prepare(self.database)
        self._workers: list[Worker] = []

    # What is in the folder

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(dedent(text), "utf-8")
        return path

    def automation(
        self,
        workflow_id: str,
        code: str,
        *steps: str,
        input: str = "int",
        output: str = "int",
    ) -> Path:
        """Write a file with one workflow: its steps one after the other."""
        chain = "".join(f".then({step})" for step in steps or ("work",))
        made = f"create_workflow(id={workflow_id!r}, input_schema={input}, output_schema={output})"
        text = f"{PRELUDE}{dedent(code)}\nworkflow = {made}{chain}.commit()\n"
        return self.write(f"{workflow_id.replace('-', '_')}.py", text)

    def touch(self, name: str) -> None:
        (self.folder / name).touch()

    @property
    def notes(self) -> list[str]:
        """The lines that steps have noted."""
        path = self.folder / "notes.txt"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    # Workers

    def worker(self, *flags: str) -> Worker:
        """Start a worker."""
        log = self.place / f"worker-{len(self._workers)}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "wrkflw_tui", "worker"),
                    *("--folder", str(self.folder), "--database", str(self.database), *flags),
                ],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                cwd=self.place,
            )
        worker = Worker(process, log)
        self._workers.append(worker)
        return worker

    def close(self) -> None:
        """End every worker that was started, and with it its runners."""
        pids = [pid for worker in self._workers for pid in worker.runners()]
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.kill()
            if worker.process.stdin is not None:
                with suppress(OSError):
                    worker.process.stdin.close()
        for pid in pids:
            wait_until(lambda pid=pid: is_gone(pid), f"runner {pid} outlives its worker", self)

    # The record

    def write_record(self, work: Callable[[sqlite3.Connection], T]) -> T:
        turn = Turn(self.database)
        connection = connect(self.database)
        with closing(turn), closing(connection), turn, transaction(connection):
            return work(connection)

    def read_record(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with closing(connect(self.database, read_only=True)) as connection:
            return work(connection)

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        return self.read_record(lambda c: [tuple(row) for row in c.execute(sql, values)])

    def enqueue(self, workflow_id: str, input: str = "1", trigger: Trigger = "app") -> str:
        return self.write_record(lambda c: claims.enqueue(c, workflow_id, input, trigger))

    def cancel(self, run_id: str) -> str:
        return self.write_record(lambda c: claims.request_cancel(c, run_id))

    def snapshot(self, run_id: str) -> WorkflowSnapshot:
        return self.read_record(lambda c: read_snapshot(c, run_id))

    def attempts(self, run_id: str) -> list[tuple[str, int, str]]:
        """What became of each attempt: path, number and status, in the order of their starts."""
        steps = self.snapshot(run_id).all_attempts
        return [(step.path, step.attempt, step.status) for step in steps]

    def log(self, run_id: str) -> list[LogStretch]:
        return self.read_record(lambda c: read_log(c, run_id, limit=1_000_000))

    def lines(self, run_id: str, stream: str = "stdout", path: str | None = None) -> list[str]:
        """The lines that a run said on a stream, of one step or of all."""
        stretches = [s for s in self.log(run_id) if s.stream == stream and path in (None, s.path)]
        return [line for stretch in stretches for line in stretch.lines]

    # Waiting

    def until(self, condition: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
        return wait_until(condition, what, self, seconds)

    def wait(self, run_id: str, *statuses: str, seconds: float = PATIENCE) -> WorkflowSnapshot:
        """Wait until a run has one of the statuses; an end that is none of them is an error."""
        wanted = statuses or ("success",)

        def there() -> WorkflowSnapshot | None:
            snapshot = self.snapshot(run_id)
            if snapshot.run.status in wanted:
                return snapshot
            if snapshot.run.status in ENDS:
                raise AssertionError(f"run {run_id} ended otherwise\n{self.describe()}")
            return None

        found = self.until(there, f"run {run_id} is {' or '.join(wanted)}", seconds)
        assert found is not None
        return found

    def wait_note(self, text: str, seconds: float = PATIENCE) -> str:
        """Wait for a noted line that begins so; return what follows."""

        def there() -> str | None:
            found = [line for line in self.notes if line.startswith(text)]
            return found[-1] if found else None

        line = self.until(there, f"the note {text!r}", seconds)
        assert line is not None
        return line.removeprefix(text).strip()

    def wait_said(self, worker: Worker, text: str) -> None:
        self.until(lambda: text in worker.said, f"worker {worker.pid} says {text!r}")

    def describe(self) -> str:
        """The record, for an error."""
        parts: list[str] = []
        for run in self.read_record(lambda c: list_runs(c, limit=20)):
            parts.append(f"run {run.run_id} {run.workflow_id}: {run.status}, {run.error}")
            steps = self.snapshot(run.run_id).all_attempts[-12:]
            parts += [f"    {s.path} #{s.attempt} {s.status} {s.error or ''}" for s in steps]
            parts += [f"    | {line}" for line in self.lines(run.run_id, "stderr")[-10:]]
        files = self.rows("SELECT file, status, error FROM wrkflw_automation_files")
        parts += [f"file {file}: {status}, {error}" for file, status, error in files]
        for worker in self._workers:
            parts.append(f"worker {worker.pid} (exit code {worker.process.poll()}):")
            parts += [f"    {line}" for line in worker.said.splitlines()[-20:]]
        for log in self.place.glob("worker.log"):  # of workers that an app started
            parts += [f"worker.log: {line}" for line in log.read_text("utf-8").splitlines()[-20:]]
        return "\n".join(parts)


def wait_until(condition: Callable[[], T], what: str, bench: Bench, seconds: float = PATIENCE) -> T:
    """Return what `condition` returns once that is true; fail with the record if it never is."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{bench.describe()}")
        time.sleep(LOOK)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, reaped or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def all_gone(pids: Iterable[int]) -> bool:
    return all(is_gone(pid) for pid in pids)


def end_process(pid: int) -> None:
    """Kill a process that a test started."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
