"""Tell what changed in your git repositories, and what is not committed or pushed yet."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field

from wrkflw_tui import GiveUp, StepContext, create_workflow, step

EVERYONE = "everyone"
GIT_TIMEOUT = 120.0
SHOWN = 10
NOT_LOOKED_INTO = frozenset({"node_modules", "__pycache__", "venv"})


class StandupRequest(BaseModel):
    """Which repositories and whose work to tell of."""

    folder: Path = Field(default=Path("~"), description="Folder that holds the repositories.")
    depth: int = Field(default=3, ge=0, le=10, description="How many folders deep to look.")
    days: int = Field(default=1, ge=0, le=365, description="From the start of how many days ago.")
    author: str = Field(
        default="me",
        min_length=1,
        description="Whose commits: me (git's user.email), everyone, or part of a name or address.",
    )
    save_to: str = Field(default="", description="Markdown file to write too; empty for none.")


class Repositories(BaseModel):
    """What is to be looked at."""

    folder: Path
    since: AwareDatetime
    paths: list[Path]


class Commit(BaseModel):
    """One commit."""

    hash: str
    at: AwareDatetime
    subject: str


class RepositoryWork(BaseModel):
    """What happened in one repository."""

    name: str
    commits: dict[str, list[Commit]]
    """By author, newest first."""
    uncommitted: list[str]
    unpushed: list[str]
    notes: list[str]


class Work(BaseModel):
    """What happened in all repositories; those at rest are left out."""

    since: AwareDatetime
    looked_at: int
    repositories: list[RepositoryWork]


class Standup(BaseModel):
    """The standup: in short, and as Markdown."""

    headline: str
    commits: int
    repositories: list[str]
    saved_to: Path | None
    text: str


@step
def find_repositories(request: StandupRequest, context: StepContext) -> Repositories:
    """Find the git repositories below the folder."""
    if shutil.which("git") is None:
        raise GiveUp("git is not installed, or not on the PATH: install it and run this again")
    folder = request.folder.expanduser().absolute()
    if not folder.is_dir():
        raise GiveUp(f"{folder} is not a folder")
    paths: list[Path] = []
    for path in repositories_in(folder, request.depth, context):
        paths.append(path)
        context.report_progress(len(paths), message=path.name)
    context.log.info("%d repositories in %s", len(paths), folder)
    # Decided here, on record: a retry after midnight tells of the same days.
    first_day = datetime.now().date() - timedelta(days=request.days)
    since = datetime.combine(first_day, time.min).astimezone()
    return Repositories(folder=folder, since=since, paths=sorted(paths))


def repositories_in(folder: Path, depth: int, context: StepContext) -> Iterator[Path]:
    """Yield the repositories down to `depth`, hidden folders left out.

    A linked worktree or a submodule has a file `.git` and belongs to its main repository.
    """
    top = len(folder.parts)
    for where, folders, _ in os.walk(folder):
        context.raise_if_cancelled()
        path = Path(where)
        if ".git" in folders and is_utf8(where):
            yield path
        at_the_bottom = len(path.parts) - top >= depth
        folders[:] = [] if at_the_bottom else [name for name in folders if is_looked_into(name)]


def is_looked_into(name: str) -> bool:
    """Tell whether a folder may hold a person's repositories."""
    return not name.startswith(".") and name not in NOT_LOOKED_INTO


def is_utf8(path: str) -> bool:
    """Tell whether a path can be put on record; Python keeps other bytes as lone surrogates."""
    return not any("\udc80" <= char <= "\udcff" for char in path)


@step
def collect_work(found: Repositories, context: StepContext) -> Work:
    """Ask git what happened in each repository."""
    author = context.get_init_data(StandupRequest).author
    active: list[RepositoryWork] = []
    for number, path in enumerate(found.paths):
        context.raise_if_cancelled()
        context.report_progress(number, len(found.paths), path.name)
        work = work_in(path, found, author)
        for note in work.notes:
            context.log.warning("%s: %s", work.name, note)
        if work.commits or work.uncommitted or work.unpushed or work.notes:
            active.append(work)
    return Work(since=found.since, looked_at=len(found.paths), repositories=active)


def work_in(path: Path, found: Repositories, author: str) -> RepositoryWork:
    """Return what happened in one repository; what git would not tell becomes a note."""
    name = path.name if path == found.folder else str(path.relative_to(found.folder))
    work = RepositoryWork(name=name, commits={}, uncommitted=[], unpushed=[], notes=[])
    try:
        filters = author_filter(path, author, work.notes)
        for who, commit in log(path, *filters, f"--since={found.since.isoformat()}", "--no-merges"):
            work.commits.setdefault(who, []).append(commit)
        work.uncommitted = uncommitted(path)
        work.unpushed = unpushed(path)
    # A repository that belongs to someone else is one of these: git refuses to run in it, rightly.
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        work.notes.append(reason(error))
    return work


def author_filter(path: Path, author: str, notes: list[str]) -> list[str]:
    """Return the options that make `git log` keep to the author."""
    everything = ["--exclude=refs/stash", "--exclude=refs/notes/*", "--all"]
    if author == EVERYONE:
        return everything
    if author == "me":
        email = git(path, "config", "--default", "", "--get", "user.email").strip("\n")
        if not email:
            notes.append("git knows no user.email, so these are everyone's commits")
            return everything
        author = f"<{email}>"
    return [*everything, "--fixed-strings", "--regexp-ignore-case", f"--author={author}"]


def log(path: Path, *options: str) -> list[tuple[str, Commit]]:
    """Return commits with their authors, newest first."""
    # A NUL can be in no subject and in no name, so nobody's text can break the parsing.
    output = git(
        path, "log", "-z", "--no-show-signature", "--format=%h%x00%aI%x00%an%x00%s", *options
    )
    fields = iter(output.split("\0"))
    return [
        (author, Commit(hash=hash, at=datetime.fromisoformat(at), subject=subject))
        for hash, at, author, subject in zip(fields, fields, fields, fields, strict=False)
    ]


def uncommitted(path: Path) -> list[str]:
    """Return the files that differ from the last commit, each with git's two letters."""
    status = git(path, "status", "--porcelain", "-z", "--no-renames")
    return [f"{entry[:2].strip()} {entry[3:]}" for entry in status.split("\0") if entry]


def unpushed(path: Path) -> list[str]:
    """Return the commits on local branches that no remote has; none where there is no remote."""
    if not git(path, "remote"):
        return []
    commits = log(path, "--branches", "--not", "--remotes")
    return [f"{commit.hash} {commit.subject}" for _, commit in commits]


def git(path: Path, *arguments: str) -> str:
    """Run git in a repository and return what it prints."""
    # Set by a hook that this may be called from, these would lead git to another repository.
    leading_away = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    inherited = {name: os.environ[name] for name in os.environ if name not in leading_away}
    done = subprocess.run(
        ["git", "-C", str(path), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=GIT_TIMEOUT,
        # No lock, so that a look at a repository is never in the way of the person's own git.
        env=inherited | {"GIT_OPTIONAL_LOCKS": "0"},
    )
    return done.stdout.decode("utf-8", "backslashreplace")


def reason(error: subprocess.CalledProcessError | subprocess.TimeoutExpired) -> str:
    """Say in a line why git failed."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"git took longer than {error.timeout:g} s"
    message: bytes = error.stderr or b"no reason given"
    return message.decode("utf-8", "backslashreplace").strip().partition("\n")[0]


@step
def write_standup(work: Work, context: StepContext) -> Standup:
    """Write it as Markdown, into a file too if one was asked for."""
    commits = sum(
        len(own) for repository in work.repositories for own in repository.commits.values()
    )
    headline = (
        f"{commits} commits since {work.since:%A, %d %B}; something to tell of"
        f" {len(work.repositories)} of {work.looked_at} repositories"
    )
    text = "\n".join(standup_lines(headline, work.repositories)) + "\n"
    save_to = context.get_init_data(StandupRequest).save_to
    file = Path(save_to).expanduser().absolute() if save_to else None
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return Standup(
        headline=headline,
        commits=commits,
        repositories=[repository.name for repository in work.repositories],
        saved_to=file,
        text=text,
    )


def standup_lines(headline: str, repositories: list[RepositoryWork]) -> Iterator[str]:
    """Yield the lines of the standup."""
    yield from ("# Standup", "", f"{headline}.")
    for repository in repositories:
        yield from ("", f"## {repository.name}")
        yield from (f"\n> {note}" for note in repository.notes)
        for author, commits in repository.commits.items():
            yield from ("", f"### {author}", "")
            yield from (f"- `{commit.hash}` {commit.subject}" for commit in commits)
        yield from short_list("Not committed", repository.uncommitted)
        yield from short_list("Not pushed", repository.unpushed)


def short_list(title: str, entries: list[str]) -> Iterator[str]:
    """Yield a list with its title; of a long one only how it begins."""
    if not entries:
        return
    yield from ("", f"**{title}: {len(entries)}**", "")
    yield from (f"- {entry}" for entry in entries[:SHOWN])
    if len(entries) > SHOWN:
        yield f"- and {len(entries) - SHOWN} more"


repo_standup = (
    create_workflow(
        id="repo-standup",
        description="Tell what changed in your git repositories since yesterday.",
        input_schema=StandupRequest,
        output_schema=Standup,
        tags=("git",),
    )
    .then(find_repositories)
    .then(collect_work)
    .then(write_standup)
    .commit()
)
