"""Back a folder up into a dated archive, prove that it can be read back, and keep the last few."""

import errno
import hashlib
import os
import re
import shutil
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from pydantic import BaseModel, Field

from wrkflw_tui import GiveUp, RetryPolicy, StepContext, create_workflow, step

DATA = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "wrkflw-tui"
LEFT_OUT = ["node_modules", ".venv", "__pycache__", ".cache", ".wrkflw"]
CHUNK = 1024 * 1024
DATED = re.compile(r".+-\d{4}-\d{2}-\d{2}T\d{6}-[0-9a-f]{8}\.tar\.gz")


class BackupRequest(BaseModel):
    """What to back up, where to, and how many backups to keep."""

    source: Path = Field(
        default=Path(__file__).parent,
        description="Folder to back up; at first the one that this automation is in.",
    )
    destination: Path = Field(
        default=DATA / "backups", description="Folder for the archives, better on another disk."
    )
    keep: int = Field(default=7, ge=1, description="How many archives of this source to keep.")
    leave_out: list[str] = Field(
        default=LEFT_OUT, description="Names of files and folders to leave out; *.tmp works too."
    )


class Plan(BaseModel):
    """What the backup will be."""

    source: Path
    destination: Path
    leave_out: list[str]
    archive: Path
    bytes: int


class Written(BaseModel):
    """An archive, and what was noticed while it was written."""

    archive: Path
    members: int = 0
    bytes: int = 0
    changed: list[str] = []
    """Files that changed while they were read: the archive may hold half of each version."""
    unreadable: list[str] = []


class Manifest(BaseModel):
    """What an archive must hold; kept in a file beside it."""

    written: Written
    seals: dict[str, str] = {}
    """By member: the SHA-256 of what was read, or where a link leads."""


class Backup(BaseModel):
    """A verified backup, and what became of the older ones."""

    archive: Path
    archive_bytes: int
    source_bytes: int
    verified_members: int
    changed_while_read: list[str]
    unreadable: list[str]
    removed: list[str]


@step
def plan_backup(request: BackupRequest, context: StepContext) -> Plan:
    """Measure the source and choose the archive's name."""
    source = request.source.expanduser().resolve()
    destination = request.destination.expanduser().resolve()
    if not source.is_dir():
        raise GiveUp(f"there is no folder {source} to back up")
    if destination == source:
        raise GiveUp(f"{source} cannot be backed up into itself: choose another destination")
    # A folder for each source: rotation must not count the archives of a namesake.
    label = source.name or "root"
    shelf = destination / f"{label}-{short_hash(str(source))}"
    # Chosen once, on record, and with the run's mark: a retry knows its own archive by name.
    mark = f"{datetime.now():%Y-%m-%dT%H%M%S}-{short_hash(context.run_id)}"
    plan = Plan(
        source=source,
        destination=destination,
        leave_out=request.leave_out,
        archive=shelf / f"{label}-{mark}.tar.gz",
        bytes=0,
    )
    for path in entries(plan, []):
        context.raise_if_cancelled()
        with suppress(OSError):  # gone, or unreadable: said by the step that reads it
            plan.bytes += os.path.getsize(path) if is_file(path) else 0
    shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(shelf).free
    if plan.bytes > free:
        raise GiveUp(
            f"{destination} has {free / 1e6:,.1f} MB free, {plan.bytes / 1e6:,.1f} MB may be needed"
        )
    return plan


def entries(plan: Plan, unreadable: list[str]) -> Iterator[str]:
    """Yield what is below the source, parents first, but never the destination."""

    def is_wanted(path: str) -> bool:
        name = os.path.basename(path)
        return path != str(plan.destination) and not any(
            fnmatchcase(name, pattern) for pattern in plan.leave_out
        )

    def note(error: OSError) -> None:
        unreadable.append(problem(error))

    for where, folders, names in os.walk(plan.source, onerror=note):
        folders[:] = sorted(name for name in folders if is_wanted(os.path.join(where, name)))
        paths = (os.path.join(where, name) for name in (*folders, *sorted(names)))
        yield from filter(is_wanted, paths)


def is_file(path: str) -> bool:
    """Tell a file from a folder or a link. Raises `OSError` for a socket and its like."""
    kind = stat.S_IFMT(os.lstat(path).st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise OSError(errno.EINVAL, "neither a file, a folder nor a link", path)
    return kind == stat.S_IFREG


@step(retry=RetryPolicy(max_attempts=3, initial_delay=timedelta(seconds=2), retry_on=(OSError,)))
def write_archive(plan: Plan, context: StepContext) -> Written:
    """Write the archive under a temporary name, and put it in place once it is on the disk."""
    if plan.archive.exists():
        context.log.info("%s is in place: an earlier attempt got this far", plan.archive.name)
        return read_manifest(plan.archive).written
    partial = plan.archive.with_name(f".{plan.archive.name}.partial")
    try:
        manifest = pack(plan, partial, context)
        # First the manifest: an archive that is in place always has one.
        with manifest_file(plan.archive).open("w", encoding="utf-8") as file:
            file.write(manifest.model_dump_json(indent=2))
            sync(file)
        partial.replace(plan.archive)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise GiveUp(f"no space left in {plan.destination}: free some first") from error
        raise
    finally:
        partial.unlink(missing_ok=True)
    for line in manifest.written.unreadable:
        context.log.warning("left out: %s", line)
    for line in manifest.written.changed:
        context.log.warning("changed while it was read: %s", line)
    return manifest.written


def pack(plan: Plan, partial: Path, context: StepContext) -> Manifest:
    """Write all that is below the source into `partial`."""
    written = Written(archive=plan.archive)
    manifest = Manifest(written=written)

    def advance(count: int) -> None:
        written.bytes += count
        context.raise_if_cancelled()
        context.report_progress(written.bytes, plan.bytes, f"{written.members} packed")

    with partial.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz") as tar:
            for path in entries(plan, written.unreadable):
                name = os.path.join(plan.source.name, os.path.relpath(path, plan.source))
                try:
                    add(tar, path, name, manifest, advance)
                except OSError as error:
                    ...
        sync(file)
    return manifest
