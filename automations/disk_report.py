"""Find what fills a folder: its biggest files, and the files that are there more than once."""

import hashlib
import heapq
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, Field

from wrkflw_tui import GiveUp, StepContext, create_workflow, step

DATA = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "wrkflw-tui"
HEAD = 64 * 1024
CHUNK = 1024 * 1024


class ReportRequest(BaseModel):
    """What to look at, and where to write what was found."""

    folder: Path = Field(default=Path("~"), description="Folder to look through.")
    biggest: int = Field(default=20, ge=1, le=1000, description="How many big files to list.")
    duplicates_from_kb: int = Field(
        default=1024, ge=1, description="Look for duplicates among files of at least this many kB."
    )
    same_disk: bool = Field(default=True, description="Leave out other disks mounted inside.")
    report: Path = Field(default=DATA / "disk-report.md", description="Markdown file to write.")


class SizedFile(BaseModel):
    """A file, by its path below the folder."""

    path: str
    bytes: int


class SameSize(BaseModel):
    """Files of one size: the same, or not."""

    bytes: int
    paths: list[str]


class Inventory(BaseModel):
    """What the walk through the folder saw."""

    folder: Path
    files: int
    bytes: int
    biggest: list[SizedFile]
    same_size: list[SameSize]
    unreadable: list[str]


class Duplicates(BaseModel):
    """The files that hold the same, in groups; the most wasteful group first."""

    groups: list[SameSize]
    wasted_bytes: int
    unreadable: list[str]


class DiskReport(BaseModel):
    """The report in short."""

    headline: str
    report: Path
    files: int
    bytes: int
    biggest: list[SizedFile]
    duplicate_groups: int
    wasted_bytes: int
    unreadable: int


@step
def scan_folder(request: ReportRequest, context: StepContext) -> Inventory:
    """Walk through the folder and note the sizes."""
    folder = request.folder.expanduser().absolute()
    if not folder.is_dir():
        raise GiveUp(f"{folder} is not a folder")
    unreadable: list[str] = []
    biggest: list[tuple[int, str]] = []
    by_size: defaultdict[int, list[str]] = defaultdict(list)
    files = total = 0
    for path, size in file_sizes(folder, request.same_disk, context, unreadable):
        files += 1
        total += size
        heapq.heappush(biggest, (size, path))
        if len(biggest) > request.biggest:
            heapq.heappop(biggest)
        if size >= request.duplicates_from_kb * 1024:
            by_size[size].append(path)
    context.log.info("%d files, %s in %s", files, human(total), folder)
    return Inventory(
        folder=folder,
        files=files,
        bytes=total,
        biggest=[SizedFile(path=shown(path), bytes=size) for size, path in sorted(biggest)[::-1]],
        same_size=may_be_equal(by_size, unreadable),
        unreadable=unreadable,
    )


def file_sizes(
    folder: Path, same_disk: bool, context: StepContext, unreadable: list[str]
) -> Iterator[tuple[str, int]]:
    """Yield each regular file's path below `folder` and size; hard links count once."""

    def note(error: OSError) -> None:
        unreadable.append(problem(folder, error))

    root = os.path.join(folder, "")
    linked: set[tuple[int, int]] = set()
    count = 0
    for where, folders, names in os.walk(folder, onerror=note):
        context.raise_if_cancelled()
        context.report_progress(count, message=shown(where.removeprefix(root)))
        if same_disk:
            folders[:] = [n for n in folders if not os.path.ismount(os.path.join(where, n))]
        for name in names:
            path = os.path.join(where, name)
            try:
                info = os.lstat(path)
            except OSError as error:
                note(error)
                continue
            if not stat.S_ISREG(info.st_mode) or (info.st_dev, info.st_ino) in linked:
                continue
            if info.st_nlink > 1:
                linked.add((info.st_dev, info.st_ino))
            count += 1
            yield path.removeprefix(root), info.st_size


def may_be_equal(by_size: dict[int, list[str]], unreadable: list[str]) -> list[SameSize]:
    """Return the sizes that more than one file has."""
    groups: list[SameSize] = []
    for size, paths in by_size.items():
        # The record is UTF-8: a name that is not could not be opened again by what is in there.
        storable = [path for path in paths if not has_raw_bytes(path)]
        unreadable += [f"{shown(path)}: its name is not UTF-8" for path in set(paths) - {*storable}]
        if len(storable) > 1:
            groups.append(SameSize(bytes=size, paths=storable))
    return groups


@step
def find_duplicates(inventory: Inventory, context: StepContext) -> Duplicates:
    """Compare the files of equal size: first their beginnings, then all of them."""
    unreadable: list[str] = []
    folder = inventory.folder
    alike = split(folder, inventory.same_size, HEAD, context, unreadable)
    # What fits into its head has been compared in full by now.
    equal = [group for group in alike if group.bytes <= HEAD]
    longer = [group for group in alike if group.bytes > HEAD]
    equal += split(folder, longer, None, context, unreadable)
    equal.sort(key=wasted, reverse=True)
    total = sum(map(wasted, equal))
    context.log.info("%d groups of duplicates waste %s", len(equal), human(total))
    return Duplicates(groups=equal, wasted_bytes=total, unreadable=unreadable)


def split(
    folder: Path,
    groups: list[SameSize],
    limit: int | None,
    context: StepContext,
    unreadable: list[str],
) -> list[SameSize]:
    """Split groups by what the files hold in their first `limit` bytes, or in all of them."""
    total = sum(min(group.bytes, limit or group.bytes) * len(group.paths) for group in groups)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        context.raise_if_cancelled()
        context.report_progress(done, total, f"compared {human(done)} of {human(total)}")

    alike: list[SameSize] = []
    for group in groups:
        by_hash: defaultdict[bytes, list[str]] = defaultdict(list)
        for path in group.paths:
            try:
                by_hash[digest(folder / path, limit, advance)].append(path)
            except OSError as error:
                unreadable.append(problem(folder, error))
        twins = [sorted(paths) for paths in by_hash.values() if len(paths) > 1]
        alike += [SameSize(bytes=group.bytes, paths=paths) for paths in twins]
    return alike


def digest(path: Path, limit: int | None, advance: Callable[[int], None]) -> bytes:
    """Hash a file's first `limit` bytes, or all of it, a chunk at a time."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(limit or CHUNK):
            hashed.update(chunk)
            advance(len(chunk))
            if limit:
                break
    return hashed.digest()


def wasted(group: SameSize) -> int:
    """Return what would be free if one file of the group were kept."""
    return group.bytes * (len(group.paths) - 1)


@step
def write_report(duplicates: Duplicates, context: StepContext) -> DiskReport:
    """Write the report as Markdown."""
    inventory = context.get_step_result(scan_folder)
    file = context.get_init_data(ReportRequest).report.expanduser().absolute()
    unreadable = inventory.unreadable + duplicates.unreadable
    headline = (
        f"{inventory.files:,} files, {human(inventory.bytes)}; {len(duplicates.groups):,} groups"
        f" of duplicates waste {human(duplicates.wasted_bytes)}; {len(unreadable):,} not read"
    )
    lines = report_lines(inventory, duplicates, headline, unreadable)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    context.log.info("written to %s", file)
    return DiskReport(
        headline=headline,
        report=file,
        files=inventory.files,
        bytes=inventory.bytes,
        biggest=inventory.biggest,
        duplicate_groups=len(duplicates.groups),
        wasted_bytes=duplicates.wasted_bytes,
        unreadable=len(unreadable),
    )


def report_lines(
    inventory: Inventory, duplicates: Duplicates, headline: str, unreadable: list[str]
) -> Iterator[str]:
    """Yield the lines of the report."""
    yield from (f"# Disk report of {inventory.folder}", "", f"{headline}.")
    yield from ("", "## Biggest files", "")
    yield from (f"- {human(file.bytes)}  {code(file.path)}" for file in inventory.biggest)
    yield from ("", "## Duplicates", "")
    for group in duplicates.groups:
        yield f"- {human(wasted(group))} wasted: {human(group.bytes)} each"
        yield from (f"    - {code(path)}" for path in group.paths)
    yield from ("", "## Not read", "")
    yield from (f"- {code(line)}" for line in unreadable)


def problem(folder: Path, error: OSError) -> str:
    """Say in a line which file could not be read, and why."""
    path = os.fsdecode(error.filename or "?").removeprefix(os.path.join(folder, ""))
    return f"{shown(path)}: {error.strerror}"


def has_raw_bytes(path: str) -> bool:
    """Tell whether a path's name is not UTF-8; Python keeps such bytes as lone surrogates."""
    return any("\udc80" <= char <= "\udcff" for char in path)


def shown(path: str) -> str:
    """Return a path as one line of text, whatever bytes its name has."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if ord(char) >= 32 else f"\\x{ord(char):02x}" for char in text)


def code(text: str) -> str:
    """Quote a path for Markdown."""
    return f"`` {shown(text)} ``" if "`" in text else f"`{shown(text)}`"


def human(count: float) -> str:
    """Return a number of bytes as a person reads it."""
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} TB"


disk_report = (
    create_workflow(
        id="disk-report",
        description="Find the biggest files of a folder and the files that are there twice.",
        input_schema=ReportRequest,
        output_schema=DiskReport,
        tags=("files",),
    )
    .then(scan_folder)
    .then(find_duplicates)
    .then(write_report)
    .commit()
)
