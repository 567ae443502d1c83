"""What somebody calls who does not know the program yet, or has mistyped."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from worker.harness import is_gone

if TYPE_CHECKING:
    from commands.shell import Shell


def test_the_version_is_told(shell: Shell) -> None:
    said = shell("--version")
    assert (said.code, said.out.split()[0]) == (0, "wrkflw-tui")
    assert said.out.split()[1][0].isdigit()


def test_a_folder_that_is_not_there_is_no_empty_one(shell: Shell) -> None:
    said = shell("--folder", str(shell.place / "mistyped"), "list")
    assert said.code == 1
    assert f"there is no folder {shell.place / 'mistyped'}" in said.err


def test_what_init_says_next_names_the_folder_that_was_given(shell: Shell) -> None:
    other = shell.place / "other"
    said = shell("--folder", str(other), "init")
    assert said.code == 0
    assert f"wrkflw-tui --folder {other} run folder-report" in said.err


def test_a_status_may_be_named_as_tables_show_it(shell: Shell) -> None:
    run_id = shell.id("twice", "--input", "3")
    shell.bench.wait(run_id)
    for word in ("done", "success"):
        said = shell("runs", "--status", word, "--json")
        assert said.out.count(run_id) == 1


def test_the_worker_that_is_there_can_be_stopped(shell: Shell) -> None:
    said = shell("worker", "--stop")
    assert said.code == 1
    assert "no worker is there" in said.err
    worker = shell.bench.worker()
    shell.bench.wait_said(worker, "holds")
    said = shell("worker", "--stop")
    assert said.code == 0
    assert f"worker {worker.pid} has ended" in said.err
    assert worker.wait() == 0


def test_a_worker_that_will_not_end_is_named(shell: Shell) -> None:
    worker = shell.bench.worker()
    shell.bench.wait_said(worker, "holds")
    os.kill(worker.pid, signal.SIGSTOP)
    said = shell("worker", "--stop")
    os.kill(worker.pid, signal.SIGCONT)
    assert said.code == 1
    assert f"process {worker.pid}) was told to end and has not yet" in said.err
    shell.bench.until(lambda: is_gone(worker.pid), "it ends once it can")
