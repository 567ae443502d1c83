"""The worker's care of the file: what it removes, what it finds, and that nobody is held up."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from store.ended import put_run, rows_of_runs, run_ids

from wrkflw_tui.config import Config
from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.schedules import scheduler
from wrkflw_tui.store import checking, schedules
from wrkflw_tui.store.file import connect
from wrkflw_tui.store.housekeeping import space
from wrkflw_tui.worker.housekeeping import Housekeeping

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from worker.harness import Bench


@pytest.fixture
def keeping(bench: Bench) -> Generator[Callable[..., list[str]]]:
    """Start the care of the bench's file; gives what it tells."""
    made: list[Housekeeping] = []

    def make(spared: int = 0) -> list[str]:
        told: list[str] = []
        config = Config(bench.folder, bench.database)
        one = Housekeeping(config, told.append, first=0, every=0.05, quiet=0.02, spared=spared)
        made.append(one)
        one.start()
        return told

    yield make
    for one in made:
        one.stop()


def settings(bench: Bench, text: str) -> None:
    (bench.folder / "wrkflw.toml").write_text(text, "utf-8")


def put(bench: Bench, runs: int, workflow_id: str = "flow", output: str = '"x"') -> list[str]:
    now = micros_now()
    return bench.write_record(
        lambda c: [put_run(c, workflow_id, at=now - runs + n, output=output) for n in range(runs)]
    )


def damage(path: Path) -> None:
    """Overwrite some pages of the steps and their index."""
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 4096 * 4)


def test_what_the_settings_do_not_keep_goes(
    bench: Bench, keeping: Callable[..., list[str]]
) -> None:
    settings(bench, "[all]\nkeep_runs = 9\n[workflow.few]\nkeep_runs = 2\n")
    few, many = put(bench, 5, "few"), put(bench, 5, "many")
    told = keeping()
    bench.until(lambda: len(bench.read_record(run_ids)) == 7, "three of few are gone")
    bench.until(
        lambda: bench.read_record(rows_of_runs)["wrkflw_step_results"] == 14, "their steps, too"
    )
    assert bench.read_record(run_ids) == [*few[-2:], *many]
    assert "removed 3 runs of few, kept no longer" in told


def test_what_changes_in_the_settings_is_followed(
    bench: Bench, keeping: Callable[..., list[str]]
) -> None:
    ids = put(bench, 3)
    told = keeping()
    settings(bench, "[all]\nkeep_runs = 0\n")
    bench.until(lambda: told, "the mistake is told")
    assert "wrkflw.toml" in told[0]
    assert "keep_runs" in told[0]
    assert bench.read_record(run_ids) == ids
    settings(bench, "[all]\nkeep_runs = 1\n")
    bench.until(lambda: bench.read_record(run_ids) == ids[-1:], "only the last is left")
    assert len([line for line in told if "wrkflw.toml" in line]) == 1, "told once"


def test_without_settings_everything_is_kept(
    bench: Bench, keeping: Callable[..., list[str]]
) -> None:
    ids = put(bench, 3)
    told = keeping()
    bench.until(
        lambda: bench.rows("SELECT checked_at FROM wrkflw_keeping WHERE checked_at > 0"), "a look"
    )
    assert bench.read_record(run_ids) == ids
    assert told == []


def test_what_has_just_ended_stays_a_while(bench: Bench, keeping: Callable[..., list[str]]) -> None:
    settings(bench, "[all]\nkeep_runs = 1\n")
    old = bench.write_record(lambda c: [put_run(c, at=n) for n in (1, 2)])
    new = put(bench, 3)
    keeping(spared=3_600_000_000)
    bench.until(lambda: bench.read_record(run_ids) == new, "the old ones are gone")
    assert old[0] not in bench.read_record(run_ids)


def test_a_fire_stays_on_record_and_never_fires_again(
    bench: Bench, keeping: Callable[..., list[str]]
) -> None:
    now = 1_800_000_000

    def fire(connection: sqlite3.Connection) -> tuple[str, list[str]]:
        made = schedules.add(connection, "flow", "0 * * * *", "UTC", "UTC", "1", now)
        return made, scheduler.fire(connection, made, now + 1)

    schedule_id, (run_id,) = bench.write_record(fire)
    bench.write_record(
        lambda c: (
            c.execute(
                "UPDATE wrkflw_workflow_runs SET status = 'success', finished_at = 1"
            ).rowcount
        )
    )
    settings(bench, '[all]\nkeep_for = "1d"\n')
    keeping()
    bench.until(lambda: not bench.read_record(run_ids), "its run is gone")
    (fired,) = bench.read_record(lambda c: schedules.list_fires(c, schedule_id))
    assert (fired.outcome, fired.run_id, fired.is_removed) == ("started", run_id, True)
    bench.write_record(lambda c: schedules.move_pointer(c, schedule_id, "UTC", now))
    assert bench.write_record(lambda c: scheduler.fire(c, schedule_id, now + 2)) == []
    assert bench.read_record(run_ids) == []


def test_room_is_given_back_while_nothing_runs(
    bench: Bench, keeping: Callable[..., list[str]]
) -> None:
    settings(bench, "[all]\nkeep_runs = 2\n")
    put(bench, 400, output='"' + "x" * 8000 + '"')
    with closing(connect(bench.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = bench.database.stat().st_size
    keeping()
    bench.until(lambda: bench.database.stat().st_size < before / 3, "the file is smaller")
    wal = bench.database.with_name(f"{bench.database.name}-wal")
    bench.until(lambda: wal.stat().st_size < 1 << 20, "so is its log")
    bench.until(lambda: bench.read_record(space).free <= 2 * 256, "hardly any of it is free")


def test_a_damaged_file_is_told_and_nothing_is_written_to_it_but_that(
    bench: Bench, keeping: Callable[..., list[str]]
) -> None:
    settings(bench, "[all]\nkeep_runs = 2\n")
    put(bench, 200, output='"' + "x" * 3000 + '"')
    damage(bench.database)
    told = keeping()
    bench.until(lambda: told, "the damage is told")
    assert "is damaged" in told[0]
    assert "wrkflw-tui backup" in told[0]
    assert ".recover" in told[0]
    finding = bench.until(lambda: bench.read_record(checking.known_finding), "it is on record")
    assert finding is not None
    assert finding in told[0]
    assert len(bench.read_record(run_ids)) == 200


def test_it_is_looked_through_once_a_day(bench: Bench) -> None:
    hour = 3_600_000_000
    now = micros_now()
    assert bench.read_record(lambda c: checking.is_due(c, now))
    bench.write_record(lambda c: checking.record_finding(c, "", now))
    assert not bench.read_record(lambda c: checking.is_due(c, now + 23 * hour))
    assert bench.read_record(lambda c: checking.is_due(c, now + 24 * hour))
    assert bench.read_record(lambda c: checking.is_due(c, now - hour)), "the clock was wrong"
    bench.write_record(lambda c: checking.record_finding(c, "page 3", now))
    assert bench.read_record(lambda c: checking.is_due(c, now + hour)), "it may be mended by now"


# -- the worker itself


def test_a_worker_removes_and_looks_while_runs_go_on(bench: Bench) -> None:
    bench.automation("twice", "@step\ndef work(number: int) -> int:\n    return number * 2\n")
    settings(bench, "[all]\nkeep_runs = 3\n")
    old = bench.write_record(lambda c: [put_run(c, "twice", at=n) for n in range(1, 200)])
    worker = bench.worker()
    ids = [bench.enqueue("twice") for _ in range(5)]
    for run_id in ids:
        bench.wait(run_id)
    bench.until(lambda: not {*old} & {*bench.read_record(run_ids)}, "what was there before is gone")
    assert {*bench.read_record(run_ids)} == {*ids}, "what has just ended is spared"
    assert bench.rows("SELECT finding FROM wrkflw_keeping WHERE checked_at > 0") == [(None,)]
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert "Traceback" not in worker.said


def test_a_worker_tells_that_the_file_is_damaged(bench: Bench) -> None:
    put(bench, 200, output='"' + "x" * 3000 + '"')
    damage(bench.database)
    worker = bench.worker()
    bench.wait_said(worker, "is damaged")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert "Traceback" not in worker.said


@pytest.mark.parametrize(
    "content", [b"no database at all " * 200, b"SQLite format 3\0 and no more"]
)
def test_a_worker_without_a_readable_file_says_so_and_ends(bench: Bench, content: bytes) -> None:
    for path in bench.place.glob("wrkflw.db*"):
        path.unlink()
    bench.database.write_bytes(content)
    worker = bench.worker()
    assert worker.wait() == 1
    assert str(bench.database) in worker.said
    assert "Traceback" not in worker.said
    assert bench.database.read_bytes() == content
    bench.database.unlink()
    with closing(sqlite3.connect(bench.database)):
        pass
