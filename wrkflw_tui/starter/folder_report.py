"""A first automation: what kinds of files fill a folder. Change it, or write your own beside it.

Every `.py` file of this folder that defines a workflow is in the list. Try this one:

    wrkflw-tui run folder-report --input folder=~/Documents top=3
"""

from collections import Counter
from pathlib import Path

from pydantic import BaseModel, Field

from wrkflw_tui import GiveUp, StepContext, create_workflow, step


class Request(BaseModel):
    """What a run is given: the app makes a form of it."""

    folder: Path = Field(default=Path("~"), description="The folder to look at.")
    top: int = Field(default=5, ge=1, le=50, description="How many kinds to report.")


class Files(BaseModel):
    """What the first step hands to the second: it is kept on record as JSON."""

    top: int
    bytes_by_kind: dict[str, int]


class Report(BaseModel):
    """What comes of it."""

    lines: list[str]


@step
def measure(request: Request, context: StepContext) -> Files:
    """Add up the sizes of the files that lie directly in the folder, by their kind."""
    folder = request.folder.expanduser()
    if not folder.is_dir():
        raise GiveUp(f"{folder} is no folder")  # any other exception may be retried
    sizes: Counter[str] = Counter()
    entries = sorted(folder.iterdir())
    for number, entry in enumerate(entries, start=1):
        if entry.is_file():
            sizes[entry.suffix.lower() or "no suffix"] += entry.stat().st_size
        context.report_progress(number, len(entries), entry.name)
    return Files(top=request.top, bytes_by_kind=dict(sizes))


@step
def report(files: Files) -> Report:
    """Put the biggest kinds into words; what is printed is in the run's log."""
    biggest = Counter(files.bytes_by_kind).most_common(files.top)
    lines = [f"{size / 1000:,.1f} kB  {kind}" for kind, size in biggest]
    print(*lines, sep="\n")
    return Report(lines=lines)


folder_report = (
    create_workflow(
        id="folder-report",
        description="Say what kinds of files fill a folder.",
        input_schema=Request,
        output_schema=Report,
    )
    .then(measure)
    .then(report)
    .commit()
)
