from __future__ import annotations

import errno
import gzip
import os
import re
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from wrkflw_tui import GiveUp, StepCancelled, WorkflowFailed, create_step, create_workflow
from wrkflw_tui.testing import step_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from wrkflw_tui import WorkflowStorage
    from wrkflw_tui.engine.models import Progress

KB = 1024
needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")


@pytest.fixture
def backup(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("backup_folder")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with everything that a home directory has."""
    source = tmp_path / "Documents"
    (source / "letters" / "empty").mkdir(parents=True)
    (source / "big.bin").write_bytes(os.urandom(300 * KB))
    (source / "letters" / "an Ärger.txt").write_text("never again")
    (source / "letters" / "nothing.txt").touch()
    if sys.platform != "darwin":  # where every name is UTF-8
        (source / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"latin")
    (source / "hard.bin").hardlink_to(source / "big.bin")
    (source / "soft").symlink_to("letters/an Ärger.txt")
    (source / "folder-link").symlink_to("letters", target_is_directory=True)
    (source / "node_modules").mkdir()
    (source / "node_modules" / "index.js").write_text("left out")
    return source


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """Return all that is below a folder: contents, where links lead, `None` for a folder."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = os.fsencode(path.relative_to(folder)).decode("latin-1")
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def unpacked(archive: Path, into: Path) -> dict[str, bytes | str | None]:
    into.mkdir()
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(into)], check=True)
    return tree(into)


class Steps:
    """Calls the steps one by one, each with a context of its own."""

    def __init__(self, module: ModuleType, request: Any) -> None:
        self.module = module
        self.request = request
        self.progress: list[Progress] = []
        """What the last step reported."""

    async def plan(self, run_id: str = "run-1") -> Any:
        return await self.module.plan_backup(
            self.request, step_context(self.module.plan_backup, run_id=run_id)
        )

    async def write(self, plan: Any, *, cancelled: bool = False) -> Any:
        context = step_context(self.module.write_archive, cancelled=cancelled)
        self.progress = context.progress
        return await self.module.write_archive(plan, context)

    async def verify(self, written: Any, *, cancelled: bool = False) -> Any:
        context = step_context(self.module.verify_archive, cancelled=cancelled)
        self.progress = context.progress
        return await self.module.verify_archive(written, context)


@pytest.fixture
def steps(backup: ModuleType, source: Path, shelf: Path) -> Steps:
    return Steps(backup, backup.BackupRequest(source=source, destination=shelf))


async def run(
    backup: ModuleType, storage: WorkflowStorage, source: Path, shelf: Path, **request: object
) -> Any:
    request_ = backup.BackupRequest(source=source, destination=shelf, **request)
    return await backup.backup_folder.create_run(storage=storage).start(input_data=request_)


async def test_a_whole_run(
    backup: ModuleType, storage: WorkflowStorage, source: Path, shelf: Path, tmp_path: Path
) -> None:
    run_ = backup.backup_folder.create_run(storage=storage)
    result = await run_.start(input_data=backup.BackupRequest(source=source, destination=shelf))

    assert re.fullmatch(
        r"Documents-\d{4}-\d\d-\d\dT\d{6}-[0-9a-f]{8}\.tar\.gz", result.archive.name
    )
    assert result.archive_bytes == result.archive.stat().st_size
    assert result.source_bytes >= 300 * KB + 11
    assert result.source_bytes < 600 * KB  # a hard link is stored once
    assert result.problems == result.removed == []
    assert sorted(file.suffix for file in result.archive.parent.iterdir()) == [".gz", ".json"]
    assert result.archive.parent.stat().st_mode & 0o777 == 0o700

    shutil.rmtree(source / "node_modules")
    assert result.verified_members == len(tree(source))
    assert unpacked(result.archive, tmp_path / "restored") == {
        "Documents": None,
        **{f"Documents/{name}": content for name, content in tree(source).items()},
    }

    snapshot = await storage.load_snapshot(run_.run_id)
    assert list(snapshot.step_results) == [
        "plan-backup",
        "write-archive",
        "verify-archive",
        "rotate-archives",
    ]


async def test_it_starts_from_an_empty_form(
    backup: ModuleType, storage: WorkflowStorage, home: Path
) -> None:
    result = await backup.backup_folder.create_run(storage=storage).start({})
    assert result.archive.is_relative_to(home / ".local/share/wrkflw-tui/backups")
    assert result.verified_members >= 4  # the automations themselves


async def test_only_the_last_few_of_the_same_source_are_kept(
    backup: ModuleType, storage: WorkflowStorage, source: Path, shelf: Path, tmp_path: Path
) -> None:
    namesake = tmp_path / "other" / "Documents"
    namesake.mkdir(parents=True)
    other = await run(backup, storage, namesake, shelf, keep=1)

    first = await run(backup, storage, source, shelf, keep=2)
    folder = first.archive.parent
    aged = folder / re.sub(r"\d{4}-\d\d", "2020-01", first.archive.name)
    first.archive.rename(aged)
    backup.manifest_file(first.archive).rename(backup.manifest_file(aged))
    (folder / "mine.tar.gz").touch()

    second = await run(backup, storage, source, shelf, keep=2)
    assert second.removed == []
    third = await run(backup, storage, source, shelf, keep=2)
    assert third.removed == [aged.name]
    kept = {"mine.tar.gz", second.archive.name, third.archive.name}
    kept |= {backup.manifest_file(a.archive).name for a in (second, third)}
    assert {file.name for file in folder.iterdir()} == kept
    assert other.archive.exists()


async def test_even_an_archive_from_the_future_does_not_push_the_new_one_out(
    backup: ModuleType, storage: WorkflowStorage, source: Path, shelf: Path
) -> None:
    first = await run(backup, storage, source, shelf, keep=1)
    first.archive.rename(
        first.archive.with_name(re.sub(r"\d{4}-\d\d", "2999-01", first.archive.name))
    )
    second = await run(backup, storage, source, shelf, keep=1)
    assert second.archive.exists()
    assert len(second.removed) == 1


async def test_a_destination_inside_the_source_is_left_out(
    backup: ModuleType, storage: WorkflowStorage, source: Path, tmp_path: Path
) -> None:
    inside = source / "letters" / "backups"
    for number in range(2):
        result = await run(backup, storage, source, inside)
        found = unpacked(result.archive, tmp_path / f"restored-{number}")
        assert "Documents/letters/empty" in found
        assert not [name for name in found if "backups" in name]


@pytest.mark.parametrize(
    ("source_", "destination", "message"),
    [
        ("nowhere", "backups", "there is no folder .*nowhere to back up"),
        ("Documents/big.bin", "backups", "there is no folder .*big.bin to back up"),
        ("Documents", "Documents/letters/..", "cannot be backed up into itself"),
    ],
)
async def test_what_cannot_work_is_refused(
    backup: ModuleType,
    storage: WorkflowStorage,
    source: Path,
    tmp_path: Path,
    source_: str,
    destination: str,
    message: str,
) -> None:
    with pytest.raises(WorkflowFailed, match=message) as failure:
        await run(backup, storage, tmp_path / source_, tmp_path / destination)
    assert failure.value.path == "plan-backup"
    assert isinstance(failure.value.__cause__, GiveUp)
    assert not (tmp_path / "backups").exists()


async def test_too_little_space_is_refused_before_anything_is_written(
    backup: ModuleType, steps: Steps, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=200 * KB)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(GiveUp, match=r"has 204,800 bytes free and 614,4\d\d may be needed"):
        await steps.plan()
    assert [content for content in tree(shelf).values() if content is not None] == []


@pytest.mark.parametrize("files", [0, 1], ids=["archive", "manifest"])
async def test_space_that_runs_out_is_a_clear_error_and_leaves_nothing(
    steps: Steps, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = [None] * files

    def full(descriptor: int) -> None:
        if not fit:
            raise OSError(errno.ENOSPC, "No space left on device")
        fit.pop()

    plan = await steps.plan()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GiveUp, match=r"no space left in .*backups: free some first"):
        await steps.write(plan)
    assert list(plan.archive.parent.iterdir()) == []


async def test_a_trouble_that_passes_is_retried(
    backup: ModuleType,
    storage: WorkflowStorage,
    source: Path,
    shelf: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pack = backup.pack
    failures = [OSError(errno.EIO, "the network drive went away")]

    def break_once(*arguments: object) -> object:
        if failures:
            raise failures.pop()
        return pack(*arguments)

    monkeypatch.setattr(backup, "pack", break_once)
    result = await run(backup, storage, source, shelf)
    assert result.verified_members == len(tree(source)) - 2  # node_modules is left out
    assert len(list(result.archive.parent.iterdir())) == 2


async def test_what_a_killed_attempt_left_is_replaced(steps: Steps) -> None:
    plan = await steps.plan()
    (plan.archive.parent / f".{plan.archive.name}.partial").write_bytes(b"half" * KB)
    written = await steps.write(plan)
    await steps.verify(written)
    assert sorted(file.suffix for file in plan.archive.parent.iterdir()) == [".gz", ".json"]


async def test_an_archive_that_is_in_place_is_not_written_again(steps: Steps, source: Path) -> None:
    plan = await steps.plan()
    written = await steps.write(plan)
    before = plan.archive.stat()
    (source / "later.txt").write_text("not in this backup")

    assert await steps.write(plan) == written
    after = plan.archive.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    await steps.verify(written)


async def test_two_runs_have_two_archives(steps: Steps) -> None:
    assert (await steps.plan("run-1")).archive != (await steps.plan("run-2")).archive


@pytest.mark.parametrize("size", [0, 10 * KB, 400 * KB], ids=["emptied", "shrunk", "grown"])
async def test_a_file_that_changes_while_it_is_read_is_noticed(
    backup: ModuleType,
    steps: Steps,
    source: Path,
    tmp_path: Path,
    size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changing = source / "big.bin"
    original = changing.read_bytes()
    read = backup.HashingReader.read

    def read_then_change(reader: Any, length: int) -> bytes:
        data = read(reader, length)
        if reader.file.name == str(changing):
            os.truncate(changing, size)
        return data

    monkeypatch.setattr(backup.HashingReader, "read", read_then_change)
    written = await steps.write(await steps.plan())
    assert written.problems == [f"{changing}: changed while it was read"]

    await steps.verify(written)  # what was read is what is in the archive
    restored = unpacked(written.archive, tmp_path / "restored")["Documents/big.bin"]
    assert isinstance(restored, bytes)
    assert len(restored) == len(original)
    assert restored[: 10 * KB] == original[: 10 * KB]


async def test_what_is_no_file_is_named_and_left_out(
    steps: Steps, source: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(source / "socket"))
        written = await steps.write(await steps.plan())
    assert written.problems == [
        f"{source}/pipe: neither a file, a folder nor a link",
        f"{source}/socket: neither a file, a folder nor a link",
    ]
    assert f"{source}/pipe: neither" in caplog.text
    await steps.verify(written)


@needs_permissions
async def test_what_may_not_be_read_is_named_and_left_out(steps: Steps, source: Path) -> None:
    (source / "letters" / "empty").chmod(0)
    (source / "big.bin").chmod(0)
    written = await steps.write(await steps.plan())
    (source / "letters" / "empty").chmod(0o700)
    assert sorted(written.problems) == [
        f"{source}/big.bin: Permission denied",
        f"{source}/hard.bin: Permission denied",
        f"{source}/letters/empty: Permission denied",
    ]
    await steps.verify(written)


async def test_a_file_that_went_away_is_named(
    backup: ModuleType, steps: Steps, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = backup.entries

    def entries_and_remove(plan: Any, problems: list[str]) -> Any:
        for path in entries(plan, problems):
            if path.endswith("nothing.txt"):
                os.unlink(path)
            yield path

    plan = await steps.plan()
    monkeypatch.setattr(backup, "entries", entries_and_remove)
    written = await steps.write(plan)
    assert written.problems == [f"{source}/letters/nothing.txt: No such file or directory"]
    await steps.verify(written)


async def test_every_damaged_byte_is_found_or_harmless(steps: Steps, source: Path) -> None:
    for name in ("big.bin", "hard.bin"):
        (source / name).unlink()
    written = await steps.write(await steps.plan())
    good = written.archive.read_bytes()
    found = 0
    for position in range(len(good)):
        damaged = bytearray(good)
        damaged[position] ^= 0x10
        written.archive.write_bytes(damaged)
        try:
            await steps.verify(written)
        except GiveUp:
            found += 1
        else:
            assert gzip.decompress(damaged) == gzip.decompress(good), position
    # What is harmless is mostly the archive's own name, which stands at the very beginning.
    assert found > len(good) - good.index(b".tar\0") - 10


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.0])
async def test_a_truncated_archive_is_set_aside(steps: Steps, keep: float) -> None:
    written = await steps.write(await steps.plan())
    os.truncate(written.archive, int(written.archive.stat().st_size * keep))
    with pytest.raises(GiveUp, match=r"the archive is .*\.tar\.gz\.corrupt now"):
        await steps.verify(written)
    assert not written.archive.exists()
    assert written.archive.with_name(f"{written.archive.name}.corrupt").exists()
    with pytest.raises(GiveUp, match="is not there any more: start a new backup"):
        await steps.verify(written)


async def test_a_bad_archive_removes_no_older_one(
    backup: ModuleType, storage: WorkflowStorage, source: Path, shelf: Path
) -> None:
    good = await run(backup, storage, source, shelf, keep=1)

    def overwrite_the_middle(written: Any) -> Any:
        with written.archive.open("r+b") as file:
            file.seek(file.seek(0, os.SEEK_END) // 2)
            file.write(b"damage" * 10)
        return written

    damage = create_step(
        id="damage",
        input_schema=backup.Written,
        output_schema=backup.Written,
        execute=overwrite_the_middle,
    )
    damaged_backup = (
        create_workflow(
            id="damaged", input_schema=backup.BackupRequest, output_schema=backup.Backup
        )
        .then(backup.plan_backup)
        .then(backup.write_archive)
        .then(damage)
        .then(backup.verify_archive)
        .then(backup.rotate_archives)
        .commit()
    )
    request = backup.BackupRequest(source=source, destination=shelf, keep=1)
    with pytest.raises(WorkflowFailed) as failure:
        await damaged_backup.create_run(storage=storage).start(input_data=request)
    assert failure.value.path == "verify-archive"
    assert isinstance(failure.value.__cause__, GiveUp)
    assert good.archive.exists()


async def test_a_cancelled_step_stops_and_leaves_no_temporary_file(steps: Steps) -> None:
    plan = await steps.plan()
    with pytest.raises(StepCancelled):
        await steps.write(plan, cancelled=True)
    assert list(plan.archive.parent.iterdir()) == []

    written = await steps.write(plan)
    with pytest.raises(StepCancelled):
        await steps.verify(written, cancelled=True)
    assert written.archive.exists()


async def test_progress_is_told_in_bytes_up_to_the_end(steps: Steps) -> None:
    (steps.request.source / "hard.bin").unlink()
    plan = await steps.plan()
    written = await steps.write(plan)
    assert (steps.progress[-1].done, steps.progress[-1].total) == (plan.bytes, plan.bytes)
    assert len(steps.progress) > 10

    await steps.verify(written)
    assert (steps.progress[-1].done, steps.progress[-1].total) == (plan.bytes, plan.bytes)
