"""A command that follows a run: kept within its time, heard to its end, and never left behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from worker.harness import end_process, is_gone

from wrkflw_tui.worker.command import OUTPUT_KEPT, Ended, run_command
from wrkflw_tui.worker.leash import NOT_FOUND

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONG = 20.0


async def shell(folder: Path, script: str, given: str = "", limit: float = LONG) -> Ended:
    return await run_command(["sh", "-c", script], folder, {"WORD": "wo rd"}, given, limit)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not condition():  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.01)


async def pid_in(path: Path) -> int:
    await until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())  # noqa: ASYNC240


async def until_gone(pid: int) -> None:
    await until(lambda: is_gone(pid))


async def test_it_runs_in_the_folder_with_its_input_and_its_variables(tmp_path: Path) -> None:
    ended = await shell(tmp_path, 'cat; echo " $WORD"; pwd; echo err >&2', "given")
    assert ended == Ended(0, f"given wo rd\n{tmp_path}\nerr\n")


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -9 $$", 137)])
async def test_its_exit_code_is_told(tmp_path: Path, script: str, code: int) -> None:
    assert await shell(tmp_path, script) == Ended(code, "")


async def test_what_cannot_be_started_is_named(tmp_path: Path) -> None:
    ended = await run_command(["./nothing"], tmp_path, {}, "", LONG)
    assert ended == Ended(NOT_FOUND, "./nothing cannot be started: No such file or directory\n")


async def test_the_end_of_what_it_prints_is_kept(tmp_path: Path) -> None:
    ended = await shell(tmp_path, "head -c 300000 /dev/zero | tr '\\0' x; echo last")
    assert ended.code == 0
    assert len(ended.output) == OUTPUT_KEPT
    assert ended.output.endswith("xxlast\n")


async def test_an_input_that_it_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    assert await shell(tmp_path, "exit 0", "x" * 1_000_000) == Ended(0, "")


async def test_after_its_time_it_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    ended = await shell(tmp_path, "echo begun; sleep 300 & echo $! > pid; wait", limit=1.5)
    assert ended == Ended(None, "begun\n")
    await until_gone(await pid_in(tmp_path / "pid"))


async def test_it_is_killed_where_its_caller_is_cancelled(tmp_path: Path) -> None:
    going = asyncio.create_task(shell(tmp_path, "sleep 300 & echo $! > pid; wait"))
    pid = await pid_in(tmp_path / "pid")
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    await until_gone(pid)


async def test_what_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    ended = await shell(tmp_path, "sleep 300 & echo $! > pid; exit 1")
    assert ended.code == 1
    await until_gone(await pid_in(tmp_path / "pid"))


async def test_what_succeeds_may_leave_something_behind(tmp_path: Path) -> None:
    ended = await shell(tmp_path, "sleep 300 & echo $! > pid; exit 0")
    pid = await pid_in(tmp_path / "pid")
    try:
        assert ended.code == 0
        assert not is_gone(pid)
    finally:
        end_process(pid)


async def test_the_folder_s_own_modules_do_not_stand_in_for_python_s(tmp_path: Path) -> None:
    (tmp_path / "subprocess.py").write_text("raise SystemExit(5)")
    assert await shell(tmp_path, "exit 0") == Ended(0, "")
