"""`wrkflw-tui prune` and `wrkflw-tui backup`, as a script calls them."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import pytest
from commands.test_completion import complete
from store.ended import put_run, rows_of_runs, run_ids

from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.store.copying import find_damage
from wrkflw_tui.store.file import MIGRATIONS, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands.shell import Said, Shell, Terminal

DAY = 86_400_000_000


def put(
    shell: Shell, runs: int, workflow_id: str = "flow", days: float = 0, output: str = '"x"'
) -> list[str]:
    ended = micros_now() - round(days * DAY)
    return shell.bench.write_record(
        lambda c: [put_run(c, workflow_id, at=ended + n, output=output) for n in range(runs)]
    )


def left(shell: Shell) -> list[str]:
    return shell.bench.read_record(run_ids)


def shape(said: Said) -> dict[str, Any]:
    return cast("dict[str, Any]", said.json)


# -- prune


def test_without_anything_said_it_asks_what_to_keep(shell: Shell) -> None:
    put(shell, 2)
    said = shell("prune")
    assert (said.code, said.out) == (2, "")
    assert "--keep-runs N or --keep-for 90d" in said.err
    assert "wrkflw.toml" in said.err
    assert len(left(shell)) == 2


def test_it_removes_what_is_not_to_be_kept_and_says_how_much(shell: Shell) -> None:
    put(shell, 6, "a", output='"' + "x" * 20_000 + '"')
    kept = put(shell, 3, "b")
    busy = shell.bench.enqueue("waits")
    said = shell("prune", "--keep-runs", "3")
    assert said.code == 0
    assert said.out.split() == ["WORKFLOW", "RUNS", "a", "3"]
    assert said.err.startswith("3 runs removed, ")
    assert "kB given back" in said.err
    assert {*left(shell)} > {*kept, busy}
    assert len(left(shell)) == 7
    assert shell.bench.read_record(rows_of_runs)["wrkflw_step_results"] == 12


def test_only_the_workflows_that_are_named(shell: Shell) -> None:
    put(shell, 2, "a")
    put(shell, 2, "b")
    found = shape(shell("prune", "b", "--keep-runs", "0", "--json"))
    assert (found["runs"], found["workflows"], found["dry_run"]) == (2, {"b": 2}, False)
    assert len(left(shell)) == 2
    assert shell("prune", "twice", "--keep-runs", "0").code == 2, "nobody has read the folder yet"
    said = shell("prune", "bee", "--keep-runs", "0")
    assert (said.code, said.out) == (2, "")
    assert "there is no workflow 'bee'" in said.err


def test_by_age(shell: Shell) -> None:
    put(shell, 2, days=3)
    young = put(shell, 2, days=1)
    assert shape(shell("prune", "--keep-for", "2d", "--json"))["runs"] == 2
    assert left(shell) == young


@pytest.mark.parametrize("wrong", ["2 years", "0s", "-3d"])
def test_an_age_that_cannot_be_read(shell: Shell, wrong: str) -> None:
    put(shell, 1, days=900)
    said = shell("prune", f"--keep-for={wrong}")
    assert said.code == 2
    assert "90s, 15m" in said.err
    assert len(left(shell)) == 1


def test_a_dry_run_removes_nothing(shell: Shell) -> None:
    put(shell, 4, output='"' + "x" * 50_000 + '"')
    said = shell("prune", "--keep-runs", "1", "--dry-run")
    assert said.code == 0
    assert said.out.split() == ["WORKFLOW", "RUNS", "flow", "3"]
    assert "3 runs would be removed, about 30" in said.err
    found = shape(shell("prune", "--keep-runs", "1", "--dry-run", "--json"))
    assert (found["runs"], found["dry_run"]) == (3, True)
    assert 300_000 < found["bytes"] < 310_000
    assert len(left(shell)) == 4


def test_by_the_settings(shell: Shell) -> None:
    put(shell, 3, "a")
    put(shell, 3, "b")
    settings = shell.bench.folder / "wrkflw.toml"
    settings.write_text("[workflow.a]\nkeep_runs = 1\n", "utf-8")
    assert shape(shell("prune", "--json"))["workflows"] == {"a": 2}
    said = shell("prune", "b")
    assert said.code == 2
    assert "which runs of b to keep" in said.err
    settings.write_text("[all]\nkeep_runs = 'many'\n", "utf-8")
    said = shell("prune")
    assert said.code != 0
    assert "wrkflw.toml" in said.err
    assert len(left(shell)) == 4


def test_where_there_is_no_record_none_is_made(shell: Shell) -> None:
    shell.bench.worker()  # for the end of the test
    elsewhere = shell.place / "none.db"
    said = shell("prune", "--keep-runs", "1", "--database", str(elsewhere))
    assert said.code == 0
    assert "0 runs removed" in said.err
    assert not elsewhere.exists()


def test_beside_a_worker(desk: Shell) -> None:
    ids = [desk.id("twice", "--input", str(n)) for n in range(6)]
    for run_id in ids:
        desk.bench.wait(run_id)
    hanging = desk.id("hangs", "--input", "1")
    desk.bench.wait(hanging, "running")
    assert shape(desk("prune", "--keep-runs", "2", "--json"))["workflows"] == {"twice": 4}
    said = desk("show", ids[0])
    assert said.code == 2
    assert "any more: it was removed on" in said.err
    desk.bench.touch("go")
    desk.bench.wait(hanging)
    found = cast("list[Any]", desk("runs", "--json").json)
    assert {run["workflow_id"] for run in found} == {"twice", "hangs"}
    assert len(found) == 3


def test_a_file_made_by_an_older_version_is_written_anew_once(shell: Shell) -> None:
    for path in shell.place.glob("wrkflw.db*"):
        path.unlink()
    with closing(sqlite3.connect(shell.bench.database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for number, script in enumerate(sorted(MIGRATIONS.glob("*.sql")), start=1):
            connection.executescript(
                f"{script.read_text('utf-8')}\nPRAGMA user_version = {number};"
            )
    put(shell, 20, output='"' + "x" * 20_000 + '"')
    running = shell.bench.write_record(lambda c: put_run(c, status="running"))
    said = shell("prune", "--keep-runs", "10")
    assert said.code == 0
    assert "a run is going" in said.err
    shell.bench.write_record(
        lambda c: (
            c.execute(
                "UPDATE wrkflw_workflow_runs SET status = 'suspended' WHERE run_id = ?", (running,)
            ).rowcount
        )
    )
    said = shell("prune", "--keep-runs", "1")
    assert "writing the file anew, once" in said.err
    put(shell, 20, output='"' + "x" * 20_000 + '"')
    said = shell("prune", "--keep-runs", "1")
    assert "anew" not in said.err
    assert "kB given back" in said.err
    assert shell.bench.database.stat().st_size < 300_000


def test_what_can_be_pruned_is_completed(shell: Shell) -> None:
    put(shell, 1, "alpha")
    put(shell, 1, "beta")
    shell.bench.enqueue("altogether")
    assert complete(shell, "wrkflw-tui prune a") == {"alpha"}
    assert complete(shell, "wrkflw-tui prune alpha --keep-") == {"--keep-runs", "--keep-for"}
    assert "backup" in complete(shell, "wrkflw-tui ba")


# -- backup


def test_a_copy_is_whole_and_says_its_size(shell: Shell) -> None:
    put(shell, 5)
    target = shell.place / "copy.db"
    said = shell("backup", str(target))
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"{target}: ")
    assert said.out.endswith("kB, 5 runs\n")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert find_damage(target) == ""
    assert (
        "5 runs would be removed"
        in shell("prune", "--keep-runs", "0", "--dry-run", "--database", str(target)).err
    )


def test_another_file_stays_unless_it_is_forced(shell: Shell) -> None:
    target = shell.place / "copy.db"
    target.write_text("mine")
    said = shell("backup", str(target))
    assert (said.code, said.out) == (2, "")
    assert "--force" in said.err
    assert target.read_text() == "mine"
    found = shape(shell("backup", str(target), "--force", "--json"))
    assert found == {"file": str(target), "bytes": target.stat().st_size, "runs": 0}


def test_what_cannot_be_meant_is_refused(shell: Shell) -> None:
    record = shell.bench.database
    link = shell.place / "link.db"
    os.link(record, link)
    for target, why in (
        (record, "the record itself"),
        (link, "the record itself"),
        (shell.place, "is a folder"),
        (shell.place / "no" / "such" / "copy.db", "No such file"),
    ):
        said = shell("backup", str(target), "--force")
        assert said.code in (1, 2)
        assert said.out == ""
        assert why in said.err
    said = shell("backup", str(shell.place / "x.db"), "--database", str(shell.place / "none.db"))
    assert said.code == 2
    assert "there is no record yet" in said.err
    assert not (shell.place / "x.db").exists()


def test_a_database_that_is_in_use_is_not_replaced(shell: Shell) -> None:
    target = shell.place / "other.db"
    shell("backup", str(target))
    with closing(connect(target)) as connection:
        connection.execute("UPDATE wrkflw_keeping SET checked_at = 1")
        said = shell("backup", str(target), "--force")
    assert said.code == 2
    assert "in use" in said.err
    assert find_damage(target) == ""


def test_the_log_of_another_database_is_never_taken_for_a_part_of_it(shell: Shell) -> None:
    (shell.place / "copy.db-wal").write_bytes(b"of another")
    said = shell("backup", str(shell.place / "copy.db"))
    assert said.code == 2
    assert "copy.db-wal" in said.err
    assert not (shell.place / "copy.db").exists()


def test_while_runs_go_on(desk: Shell) -> None:
    ids = [desk.id("many", "--input", "40") for _ in range(6)]
    copies = [desk.place / f"copy-{n}.db" for n in range(4)]
    for copy in copies:
        assert desk("backup", str(copy)).code == 0
        assert find_damage(copy) == ""
    for run_id in ids:
        desk.bench.wait(run_id)
    with closing(connect(copies[-1])) as connection:
        assert {*ids} <= {*run_ids(connection)}
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_only_on_a_terminal_it_says_how_far_it_is(
    shell: Shell, terminal: Callable[..., Terminal]
) -> None:
    put(shell, 200, output='"' + "x" * 20_000 + '"')
    seen = terminal(shell, "backup", str(shell.place / "copy.db"))
    assert seen.end() == 0
    assert "copied " in seen.text
    assert "%" in seen.text
    assert "200 runs" in seen.text


def test_of_a_damaged_record_the_copy_is_kept_as_it_is(shell: Shell) -> None:
    put(shell, 100, output='"' + "x" * 3000 + '"')
    with closing(connect(shell.bench.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with shell.bench.database.open("r+b") as file:
        file.seek(shell.bench.database.stat().st_size // 2)
        file.write(b"\xff" * 4096 * 8)
    said = shell("backup", str(shell.place / "copy.db"))
    assert (said.code, said.out) == (1, "")
    assert "is damaged" in said.err
    assert "copy.db-damaged" in said.err
    assert not (shell.place / "copy.db").exists()
    assert (shell.place / "copy.db-damaged").exists()


def test_a_file_of_another_format_is_copied_as_it_is(shell: Shell) -> None:
    with closing(sqlite3.connect(shell.bench.database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert shell("runs").code == 1
    assert shell("backup", str(shell.place / "copy.db")).code == 0
    with closing(sqlite3.connect(shell.place / "copy.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 99


def test_a_record_of_another_kind_is_not_copied(shell: Shell, tmp_path: Path) -> None:
    other = tmp_path / "letter.db"
    other.write_text("not a database " * 100)
    said = shell("backup", str(tmp_path / "copy.db"), "--database", str(other))
    assert said.code == 1
    assert str(other) in said.err
    assert not (tmp_path / "copy.db").exists()
