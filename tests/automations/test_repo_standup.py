from __future__ import annotations

import os
import shutil
import subprocess
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from wrkflw_tui import GiveUp, StepCancelled, WorkflowFailed
from wrkflw_tui.testing import step_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from wrkflw_tui import WorkflowStorage

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

TODAY = datetime.now().astimezone().replace(hour=0, minute=0, second=1, microsecond=0)
YESTERDAY = TODAY.replace(hour=12) - timedelta(days=1)
LAST_WEEK = TODAY.replace(hour=12) - timedelta(days=7)


class Repository:
    """A real git repository, written to by several people at chosen times."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        """Run git in it."""
        subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            check=True,
            capture_output=True,
            env={**os.environ, **(env or {})},
        )

    def commit(self, subject: str, when: datetime, who: str = "Ada") -> None:
        """Commit a new file."""
        (self.path / f"{len(list(self.path.iterdir()))}.txt").write_text(subject)
        self.git("add", "--all")
        email = f"{who.lower()}@example.org"
        person = {f"GIT_{role}_NAME": who for role in ("AUTHOR", "COMMITTER")}
        person |= {f"GIT_{role}_EMAIL": email for role in ("AUTHOR", "COMMITTER")}
        person |= {f"GIT_{role}_DATE": when.isoformat() for role in ("AUTHOR", "COMMITTER")}
        self.git("commit", "--quiet", "--cleanup=verbatim", "-m", subject, env=person)


@pytest.fixture
def standup(
    load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n    name = Ada\n    email = ada@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return load("repo_standup")


@pytest.fixture
def work(standup: ModuleType, tmp_path: Path) -> Path:
    """Holds a repository that was worked in, one at rest, and an empty one."""
    folder = tmp_path / "work"
    garden = Repository(folder / "home" / "garden")
    garden.commit("Dig the beds", LAST_WEEK)
    garden.commit("Sow peas", YESTERDAY)
    garden.commit("Water `everything` | twice\x1f", TODAY)
    garden.commit("Fix the fence", TODAY, who="Grace")
    rest = Repository(folder / "at-rest")
    rest.commit("Last thing done", LAST_WEEK)
    Repository(folder / "empty")
    return folder


async def run(
    standup: ModuleType, storage: WorkflowStorage, folder: Path, **request: object
) -> Any:
    request_ = standup.StandupRequest(folder=folder, **request)
    return await standup.repo_standup.create_run(storage=storage).start(input_data=request_)


async def collected(standup: ModuleType, folder: Path, **request: object) -> dict[str, Any]:
    """Call the first two steps by themselves; return what they found by repository."""
    request_ = standup.StandupRequest(folder=folder, **request)
    found = await standup.find_repositories(request_, step_context(standup.find_repositories))
    work = await standup.collect_work(found, step_context(standup.collect_work, init_data=request_))
    return {repository.name: repository for repository in work.repositories}


async def test_my_commits_since_yesterday(
    standup: ModuleType, storage: WorkflowStorage, work: Path
) -> None:
    run_ = standup.repo_standup.create_run(storage=storage)
    result = await run_.start(input_data=standup.StandupRequest(folder=work))

    assert result.commits == 2
    assert result.repositories == ["home/garden"]
    assert result.saved_to is None
    assert f"2 commits since {YESTERDAY:%A, %d %B}" in result.headline
    assert result.headline.endswith("1 of 3 repositories")
    lines = result.text.splitlines()
    assert lines[:5] == ["# Standup", "", f"{result.headline}.", "", "## home/garden"]
    assert lines[6] == "### Ada"
    assert lines[8].endswith("` Water `everything` | twice\x1f")
    assert lines[9].endswith("` Sow peas")
    assert "Grace" not in result.text

    snapshot = await storage.load_snapshot(run_.run_id)
    assert list(snapshot.step_results) == ["find-repositories", "collect-work", "write-standup"]


async def test_everyones_commits_are_grouped_by_author(standup: ModuleType, work: Path) -> None:
    found = await collected(standup, work, author="everyone")
    by_author = found["home/garden"].commits
    assert {who: len(commits) for who, commits in by_author.items()} == {"Ada": 2, "Grace": 1}
    assert by_author["Grace"][0].at == TODAY


@pytest.mark.parametrize(("author", "commits"), [("grace", 1), ("GRACE@example", 1), ("ad.", 0)])
async def test_an_author_is_part_of_a_name_or_address_and_no_pattern(
    standup: ModuleType, storage: WorkflowStorage, work: Path, author: str, commits: int
) -> None:
    result = await run(standup, storage, work, author=author)
    assert result.commits == commits


async def test_more_days(standup: ModuleType, storage: WorkflowStorage, work: Path) -> None:
    assert (await run(standup, storage, work, days=0)).commits == 1
    result = await run(standup, storage, work, days=7)
    assert result.commits == 4
    assert result.repositories == ["at-rest", "home/garden"]


async def test_a_mail_address_of_mine_in_one_repository_only(
    standup: ModuleType, storage: WorkflowStorage, work: Path
) -> None:
    job = Repository(work / "job")
    job.git("config", "user.email", "GRACE@example.org")
    job.git("fetch", "--quiet", "../home/garden")
    job.git("reset", "--quiet", "FETCH_HEAD")
    result = await run(standup, storage, work)
    assert "Fix the fence" in result.text.partition("## job")[2]


async def test_without_an_address_of_mine_everyone_is_shown_and_it_says_so(
    standup: ModuleType,
    work: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "gitconfig").write_text("")
    found = await collected(standup, work)
    assert found["home/garden"].commits.keys() == {"Ada", "Grace"}
    assert found["home/garden"].notes == [
        "git knows no user.email, so these are everyone's commits"
    ]
    assert "home/garden: git knows no user.email" in caplog.text


async def test_what_is_not_committed_is_named(
    standup: ModuleType, storage: WorkflowStorage, work: Path
) -> None:
    rest = work / "at-rest"
    (rest / "1.txt").rename(rest / "a new name.txt")
    (rest / "ä\nb.txt").write_text("new")
    found = await collected(standup, work)
    assert sorted(found["at-rest"].uncommitted) == [
        "?? a new name.txt",
        "?? ä\nb.txt",
        "D 1.txt",
    ]

    for number in range(20):
        (rest / f"more-{number}").write_text("new")
    result = await run(standup, storage, work)
    assert "**Not committed: 23**" in result.text
    assert "- and 13 more" in result.text


async def test_what_is_not_pushed_is_named(standup: ModuleType, work: Path, tmp_path: Path) -> None:
    remote = Repository(tmp_path / "remote")
    remote.git("config", "core.bare", "true")
    rest = Repository(work / "pushed")
    rest.commit("Pushed", LAST_WEEK)
    rest.git("remote", "add", "origin", str(remote.path))
    rest.git("push", "--quiet", "origin", "main")
    assert "pushed" not in await collected(standup, work)

    rest.git("switch", "--quiet", "--create", "idea")
    rest.commit("Not pushed yet", LAST_WEEK)
    rest.git("switch", "--quiet", "main")
    [entry] = (await collected(standup, work))["pushed"].unpushed
    assert entry.endswith(" Not pushed yet")


async def test_a_stash_is_no_commit(standup: ModuleType, work: Path) -> None:
    rest = Repository(work / "stashed")
    rest.commit("Old", LAST_WEEK)
    (rest.path / "1.txt").write_text("changed")
    rest.git("stash")
    assert "stashed" not in await collected(standup, work)


async def test_how_deep_it_looks(standup: ModuleType, work: Path) -> None:
    for name in (".hidden", "node_modules/package", "home/garden/inner"):
        Repository(work / name)
    context = step_context(standup.find_repositories)

    async def found(depth: int) -> list[str]:
        request = standup.StandupRequest(folder=work, depth=depth)
        paths = (await standup.find_repositories(request, context)).paths
        return [str(path.relative_to(work)) for path in paths]

    assert await found(0) == []
    assert await found(1) == ["at-rest", "empty"]
    assert await found(2) == ["at-rest", "empty", "home/garden"]
    assert await found(3) == ["at-rest", "empty", "home/garden", "home/garden/inner"]

    request = standup.StandupRequest(folder=work / "at-rest", depth=0)
    assert (await standup.find_repositories(request, context)).paths == [work / "at-rest"]


async def test_it_is_written_to_a_file_when_asked(
    standup: ModuleType, storage: WorkflowStorage, work: Path, tmp_path: Path
) -> None:
    file = tmp_path / "notes" / "standup.md"
    result = await run(standup, storage, work, save_to=str(file))
    assert result.saved_to == file
    assert file.read_text() == result.text


async def test_it_starts_from_an_empty_form(
    standup: ModuleType, storage: WorkflowStorage, home: Path
) -> None:
    result = await standup.repo_standup.create_run(storage=storage).start({})
    assert result.commits == 0
    assert result.headline.endswith("0 of 0 repositories")

    Repository(home / "dotfiles").commit("Mine", TODAY)
    result = await standup.repo_standup.create_run(storage=storage).start({})
    assert result.repositories == ["dotfiles"]


async def test_without_git_it_says_what_to_do(
    standup: ModuleType,
    storage: WorkflowStorage,
    work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(WorkflowFailed, match="git is not installed") as failure:
        await run(standup, storage, work)
    assert isinstance(failure.value.__cause__, GiveUp)


async def test_a_broken_repository_is_a_note_and_the_others_are_told_of(
    standup: ModuleType, work: Path
) -> None:
    (work / "at-rest" / ".git" / "HEAD").write_text("nonsense")
    found = await collected(standup, work)
    [note] = found["at-rest"].notes
    assert note.startswith("fatal: not a git repository")
    assert len(found["home/garden"].commits["Ada"]) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_git_is_not_made_to_trust_a_repository_of_someone_else(
    standup: ModuleType, work: Path
) -> None:
    os.chown(work / "at-rest", 65534, -1)
    os.chown(work / "at-rest" / ".git", 65534, -1)
    found = await collected(standup, work)
    assert "dubious ownership" in found["at-rest"].notes[0]


async def test_a_git_that_hangs_is_a_note(
    standup: ModuleType,
    work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(standup, "GIT_TIMEOUT", 0.2)
    found = await collected(standup, work)
    assert found["at-rest"].notes == ["git took longer than 0.2 s"]


async def test_a_hooks_environment_does_not_lead_git_astray(
    standup: ModuleType,
    storage: WorkflowStorage,
    work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_DIR", str(work / "at-rest" / ".git"))
    assert (await run(standup, storage, work)).repositories == ["home/garden"]


async def test_a_cancelled_step_stops(standup: ModuleType, work: Path) -> None:
    request = standup.StandupRequest(folder=work)
    found = await standup.find_repositories(request, step_context(standup.find_repositories))
    with pytest.raises(StepCancelled):
        await standup.find_repositories(
            request, step_context(standup.find_repositories, cancelled=True)
        )
    context = step_context(standup.collect_work, init_data=request, cancelled=True)
    with pytest.raises(StepCancelled):
        await standup.collect_work(found, context)
    assert context.progress == []
