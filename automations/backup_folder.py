"""Back a folder up into a dated archive, prove that it can be read back, and keep the last few."""

import errno
import gzip
import hashlib
import os
import re
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TypeAlias

from pydantic import BaseModel, Field

from wrkflw_tui import GiveUp, RetryPolicy, StepCancelled, StepContext, create_workflow, step

DATA = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "wrkflw-tui"
LEFT_OUT = ["node_modules", ".venv", "__pycache__", ".cache", ".wrkflw"]
CHUNK = 1024 * 1024
Advance: TypeAlias = Callable[[int], None]
DATED = re.compile(r".+-\d{4}-\d{2}-\d{2}T\d{6}-[0-9a-f]{8}\.tar\.gz")


class BackupRequest(BaseModel):
    """What to back up, where to, and how many backups to keep."""

    source: Path = Field(default=Path(__file__).parent, description="Folder to back up.")
    destination: Path = Field(default=DATA / "backups", description="Folder for the archives.")
    keep: int = Field(default=7, ge=1, description="How many archives of this source to keep.")
    leave_out: list[str] = Field(default=LEFT_OUT, description="Names to leave out.")


class Plan(BaseModel):
    """What the backup will be."""

    source: Path
    destination: Path
    leave_out: list[str]
    archive: Path
    bytes: int = 0


class Written(BaseModel):
    """An archive, and what was noticed while it was written."""

    archive: Path
    members: int = 0
    bytes: int = 0
    problems: list[str] = []
    """What could not be read, and what changed meanwhile: of that it may hold half a version."""


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
    problems: list[str]
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
    shelf = destination / f"{label}-{mark(str(source))}"
    # Chosen once, on record, and with the run's mark: a retry knows its own archive by name.
    name = f"{label}-{datetime.now():%Y-%m-%dT%H%M%S}-{mark(context.run_id)}.tar.gz"
    plan = Plan(
        source=source, destination=destination, leave_out=request.leave_out, archive=shelf / name
    )
    for path in entries(plan, []):
        context.raise_if_cancelled()
        with suppress(OSError):  # gone, or unreadable: said by the step that reads it
            plan.bytes += os.path.getsize(path) if is_file(path) else 0
    shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(shelf).free
    if plan.bytes > free:
        raise GiveUp(f"{shelf} has {free:,} bytes free and {plan.bytes:,} may be needed")
    return plan


def entries(plan: Plan, problems: list[str]) -> Iterator[str]:
    """Yield what is below the source, parents first, but never the destination."""

    def is_wanted(path: str) -> bool:
        return path != str(plan.destination) and os.path.basename(path) not in plan.leave_out

    walk = os.walk(plan.source, onerror=lambda error: problems.append(describe(error)))
    for where, folders, names in walk:
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
        return Manifest.model_validate_json(manifest_file(plan.archive).read_bytes()).written
    partial = plan.archive.with_name(f".{plan.archive.name}.partial")
    try:
        manifest = pack(plan, partial, context)
        # First the manifest: an archive that is in place always has one.
        with manifest_file(plan.archive).open("w", encoding="utf-8") as file:
            file.write(manifest.model_dump_json(indent=2))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(plan.archive)
    except OSError as error:
        manifest_file(plan.archive).unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise GiveUp(f"no space left in {plan.destination}: free some first") from error
        raise
    finally:
        partial.unlink(missing_ok=True)
    for problem in manifest.written.problems:
        context.log.warning("%s", problem)
    return manifest.written


def pack(plan: Plan, partial: Path, context: StepContext) -> Manifest:
    """Write all that is below the source into `partial`."""
    manifest = Manifest(written=Written(archive=plan.archive))
    written = manifest.written

    def advance(count: int) -> None:
        written.bytes += count
        context.raise_if_cancelled()
        context.report_progress(written.bytes, plan.bytes, f"{written.members} packed")

    with partial.open("wb") as file:
        with tarfile.open(plan.archive, "w:gz", file, compresslevel=6) as tar:
            for path in entries(plan, written.problems):
                context.raise_if_cancelled()
                name = os.path.join(plan.source.name, os.path.relpath(path, plan.source))
                add(path, name, tar, manifest, advance)
        file.flush()
        os.fsync(file.fileno())
    return manifest


def add(path: str, name: str, tar: tarfile.TarFile, manifest: Manifest, advance: Advance) -> None:
    """Add one entry; one that cannot be opened is named and left out."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "rb")) if is_file(path) else None
            member = tar.gettarinfo(path, name, file)
        except OSError as error:
            manifest.written.problems.append(describe(error))
            return
        reader = HashingReader(file, advance) if file and member.isreg() else None
        tar.addfile(member, reader)
        manifest.seals[shown(member.name)] = seal(member, reader.hash.hexdigest() if reader else "")
        manifest.written.members += 1
        now = os.fstat(file.fileno()) if reader and file else None
        if now and (now.st_size, now.st_mtime) != (member.size, member.mtime):
            manifest.written.problems.append(f"{shown(path)}: changed while it was read")


class HashingReader:
    """Reads a file for the archive, and hashes what the archive gets."""

    def __init__(self, file: IO[bytes], advance: Advance) -> None:
        self.file = file
        self.advance = advance
        self.hash = hashlib.sha256()

    def read(self, length: int = -1, /) -> bytes:
        """Return exactly `length` bytes: the rest of a file that has shrunk is zeros."""
        data = self.file.read(length).ljust(length, b"\0")
        self.hash.update(data)
        self.advance(len(data))
        return data


def seal(member: tarfile.TarInfo, digest: str) -> str:
    """Return what a member must keep: the hash of a file, where a link leads."""
    return digest or f"type {member.type.decode()} {shown(member.linkname)}"


@step
def verify_archive(written: Written, context: StepContext) -> Written:
    """Read the whole archive back and compare it with what was read from the source."""
    if not written.archive.exists():
        raise GiveUp(f"{written.archive} is not there any more: start a new backup")
    manifest = Manifest.model_validate_json(manifest_file(written.archive).read_bytes())
    try:
        found = seals_in(written, context)
    except StepCancelled:
        raise
    except Exception as error:  # of damaged data the modules for tar and gzip raise almost anything
        raise GiveUp(set_aside(written.archive, f"cannot be read back: {error}")) from error
    wrong = sorted({name for name, _ in manifest.seals.items() ^ found.items()})
    if wrong:
        why = f"{len(wrong)} members are not what was read, the first is {wrong[0]}"
        raise GiveUp(set_aside(written.archive, why))
    context.log.info("%d members read back, all as they were", len(found))
    return written


def seals_in(written: Written, context: StepContext) -> dict[str, str]:
    """Read an archive from beginning to end and seal its members anew."""
    seals: dict[str, str] = {}
    done = 0
    with gzip.open(written.archive) as unzipped, tarfile.open(fileobj=unzipped) as tar:
        for member in tar:
            hashed = hashlib.sha256()
            file = tar.extractfile(member) if member.isreg() else None
            while file and (chunk := file.read(CHUNK)):
                hashed.update(chunk)
                done += len(chunk)
                context.raise_if_cancelled()
                context.report_progress(done, written.bytes, f"{len(seals)} verified")
            seals[shown(member.name)] = seal(member, hashed.hexdigest() if file else "")
        while unzipped.read(CHUNK):  # to the very end, where gzip has a checksum of its own
            pass
    return seals


def set_aside(archive: Path, why: str) -> str:
    """Rename a bad archive, so that nobody relies on it, and say so."""
    aside = archive.replace(archive.with_name(f"{archive.name}.corrupt"))
    return f"{why}; the archive is {aside} now, the older ones are untouched"


@step
def rotate_archives(written: Written, context: StepContext) -> Backup:
    """Remove the oldest archives of this source, never the new one."""
    keep = context.get_init_data(BackupRequest).keep
    dated = [file for file in written.archive.parent.iterdir() if DATED.fullmatch(file.name)]
    others = sorted((file for file in dated if file != written.archive), reverse=True)
    too_old = others[keep - 1 :]
    for file in too_old:
        file.unlink(missing_ok=True)
        manifest_file(file).unlink(missing_ok=True)
        context.log.info("removed %s", file.name)
    return Backup(
        archive=written.archive,
        archive_bytes=written.archive.stat().st_size,
        source_bytes=written.bytes,
        verified_members=written.members,
        problems=written.problems,
        removed=[file.name for file in too_old],
    )


def manifest_file(archive: Path) -> Path:
    """Return the file beside an archive that says what it must hold."""
    return archive.with_name(archive.name.removesuffix(".tar.gz") + ".json")


def mark(text: str) -> str:
    """Return eight characters that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def describe(error: OSError) -> str:
    """Say in a line which file could not be read, and why."""
    return f"{shown(os.fsdecode(error.filename or '?'))}: {error.strerror}"


def shown(name: str) -> str:
    """Return a name as text that can be stored, different for every name, whatever its bytes."""
    return os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")


backup_folder = (
    create_workflow(
        id="backup-folder",
        description="Back a folder up into a dated, verified archive and keep the last few.",
        input_schema=BackupRequest,
        output_schema=Backup,
        tags=("files",),
    )
    .then(plan_backup)
    .then(write_archive)
    .then(verify_archive)
    .then(rotate_archives)
    .commit()
)
