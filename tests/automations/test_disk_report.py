from __future__ import annotations

import os
import re
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui import GiveUp, StepCancelled, WorkflowFailed
from wrkflw_tui.testing import step_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from wrkflw_tui import WorkflowStorage

KB = 1024
needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")


@pytest.fixture
def disk(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("disk_report")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three equal files, one that differs at its very end, one that only has their size."""
    folder = tmp_path / "full"
    (folder / "photos" / "old").mkdir(parents=True)
    content = os.urandom(200 * KB)
    for name in ("a.jpg", "photos/b.jpg", "photos/old/c `copy`.jpg"):
        (folder / name).write_bytes(content)
    (folder / "differs-at-the-end").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (folder / "differs-at-once").write_bytes(bytes([content[0] ^ 1]) + content[1:])
    (folder / "big.iso").write_bytes(b"\0" * 500 * KB)
    for name in ("small-1", "small-2"):
        (folder / name).write_bytes(b"the same" * KB)
    return folder


async def test_a_whole_run(
    disk: ModuleType, storage: WorkflowStorage, folder: Path, tmp_path: Path
) -> None:
    report = tmp_path / "new" / "report.md"
    request = disk.ReportRequest(folder=folder, biggest=2, duplicates_from_kb=1, report=report)
    run = disk.disk_report.create_run(storage=storage)
    result = await run.start(input_data=request)

    assert result.files == 8
    assert result.bytes == (5 * 200 + 500 + 2 * 8) * KB
    assert result.biggest[0].path == "big.iso"
    assert len(result.biggest) == 2
    assert result.duplicate_groups == 2
    assert result.wasted_bytes == (2 * 200 + 8) * KB
    assert result.unreadable == 0
    assert result.headline == ("8 files, 1.5 MB; 2 groups of duplicates waste 408.0 kB; 0 not read")

    text = report.read_text()
    assert "- 500.0 kB  `big.iso`" in text
    assert "- 400.0 kB wasted: 200.0 kB each\n    - `a.jpg`\n    - `photos/b.jpg`" in text
    assert "    - `` photos/old/c `copy`.jpg ``" in text
    assert "differs-at" not in text.partition("## Duplicates")[2]

    snapshot = await storage.load_snapshot(run.run_id)
    assert list(snapshot.step_results) == ["scan-folder", "find-duplicates", "write-report"]


async def test_it_starts_from_an_empty_form(
    disk: ModuleType, storage: WorkflowStorage, home: Path
) -> None:
    (home / "note.txt").write_text("hello")
    result = await disk.disk_report.create_run(storage=storage).start({})
    assert result.files == 1
    assert result.report == home / ".local/share/wrkflw-tui/disk-report.md"
    assert "`note.txt`" in result.report.read_text()


async def test_a_second_report_replaces_the_first(
    disk: ModuleType, storage: WorkflowStorage, folder: Path, tmp_path: Path
) -> None:
    request = disk.ReportRequest(folder=folder, report=tmp_path / "report.md")
    await disk.disk_report.create_run(storage=storage).start(input_data=request)
    (folder / "big.iso").unlink()
    await disk.disk_report.create_run(storage=storage).start(input_data=request)
    assert "big.iso" not in (tmp_path / "report.md").read_text()


async def test_links_and_special_files_are_no_duplicates(disk: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "file").write_bytes(b"x" * 2 * KB)
    (folder / "hard").hardlink_to(folder / "file")
    (folder / "soft").symlink_to("file")
    (folder / "round").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        request = disk.ReportRequest(folder=folder, duplicates_from_kb=1)
        inventory = await disk.scan_folder(request, step_context(disk.scan_folder))
    assert inventory.files == 1
    assert inventory.bytes == 2 * KB
    assert inventory.same_size == []
    assert inventory.unreadable == []


async def test_small_files_are_not_compared(disk: ModuleType, folder: Path) -> None:
    request = disk.ReportRequest(folder=folder, duplicates_from_kb=9)
    inventory = await disk.scan_folder(request, step_context(disk.scan_folder))
    assert [group.bytes for group in inventory.same_size] == [200 * KB]


@pytest.mark.skipif(sys.platform == "darwin", reason="every name is UTF-8 there")
async def test_a_name_that_is_not_utf8_is_counted_and_named(
    disk: ModuleType, storage: WorkflowStorage, tmp_path: Path
) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in (b"caf\xe9", "café".encode(), b"copy", b"line\nbreak"):
        (folder / os.fsdecode(name)).write_bytes(b"x" * 2 * KB)
    request = disk.ReportRequest(folder=folder, duplicates_from_kb=1, report=tmp_path / "report.md")
    result = await disk.disk_report.create_run(storage=storage).start(input_data=request)
    assert result.files == 4
    assert {file.path for file in result.biggest} == {
        "caf\\xe9",
        "café",
        "copy",
        "line\\x0abreak",
    }
    assert result.wasted_bytes == 2 * 2 * KB
    text = request.report.read_text()
    assert "- `caf\\xe9: its name is not UTF-8`" in text
    assert "    - `line\\x0abreak`" in text


@needs_permissions
async def test_what_may_not_be_read_is_named_and_not_fatal(
    disk: ModuleType, storage: WorkflowStorage, folder: Path, tmp_path: Path
) -> None:
    (folder / "photos" / "old").chmod(0)
    (folder / "a.jpg").chmod(0)
    request = disk.ReportRequest(
        folder=folder, duplicates_from_kb=100, report=tmp_path / "report.md"
    )
    try:
        result = await disk.disk_report.create_run(storage=storage).start(input_data=request)
    finally:
        (folder / "photos" / "old").chmod(0o700)
    assert result.unreadable == 2
    assert result.duplicate_groups == 0
    text = request.report.read_text()
    assert "- `photos/old: Permission denied`" in text
    assert "- `a.jpg: Permission denied`" in text


async def test_a_file_that_went_away_is_named_and_not_fatal(disk: ModuleType, folder: Path) -> None:
    request = disk.ReportRequest(folder=folder, duplicates_from_kb=100)
    inventory = await disk.scan_folder(request, step_context(disk.scan_folder))
    (folder / "a.jpg").unlink()
    duplicates = await disk.find_duplicates(inventory, step_context(disk.find_duplicates))
    assert duplicates.unreadable == ["a.jpg: No such file or directory"]
    [group] = duplicates.groups
    assert group.paths == ["photos/b.jpg", "photos/old/c `copy`.jpg"]


async def test_progress_is_told_up_to_the_end(disk: ModuleType, folder: Path) -> None:
    request = disk.ReportRequest(folder=folder, duplicates_from_kb=100)
    context = step_context(disk.scan_folder)
    inventory = await disk.scan_folder(request, context)
    assert context.progress[-1].message == "photos/old"

    context = step_context(disk.find_duplicates)
    await disk.find_duplicates(inventory, context)
    heads = [p for p in context.progress if p.total == 5 * disk.HEAD]
    whole = [p for p in context.progress if p.total == 4 * 200 * KB]
    assert heads[-1].fraction == 1
    assert whole[-1].fraction == 1
    assert len(heads) + len(whole) == len(context.progress)


async def test_a_cancelled_step_stops(disk: ModuleType, folder: Path) -> None:
    request = disk.ReportRequest(folder=folder, duplicates_from_kb=1)
    inventory = await disk.scan_folder(request, step_context(disk.scan_folder))
    with pytest.raises(StepCancelled):
        await disk.scan_folder(request, step_context(disk.scan_folder, cancelled=True))
    with pytest.raises(StepCancelled):
        await disk.find_duplicates(inventory, step_context(disk.find_duplicates, cancelled=True))


async def test_no_such_folder(disk: ModuleType, storage: WorkflowStorage, tmp_path: Path) -> None:
    request = disk.ReportRequest(folder=tmp_path / "nowhere")
    with pytest.raises(WorkflowFailed, match="nowhere is not a folder") as failure:
        await disk.disk_report.create_run(storage=storage).start(input_data=request)
    assert isinstance(failure.value.__cause__, GiveUp)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 kB"),
        (1536, "1.5 kB"),
        (5 * KB**3, "5.0 GB"),
        (3 * KB**5, "3072.0 TB"),
    ],
)
def test_sizes_are_readable(disk: ModuleType, count: int, text: str) -> None:
    assert disk.human(count) == text


def test_the_form_has_a_default_and_a_description_for_every_field(disk: ModuleType) -> None:
    for name, field in disk.ReportRequest.model_json_schema()["properties"].items():
        assert "default" in field, name
        assert re.fullmatch(r"[A-Z].*\.", field["description"]), name
