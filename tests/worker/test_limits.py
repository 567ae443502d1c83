"""How many runs go at once: of one workflow, and of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.harness import Bench

LIMITED = """
    @step
    def work(value: int) -> int:
        note(f"begin {value}")
        wait_for("go")
        time.sleep(0.02)
        note(f"end {value}")
        return value
"""
FREE = """
    @step
    def work(value: int) -> int:
        return value
"""


def limit(bench: Bench, name: str, most: int) -> None:
    path = bench.folder / name
    text = path.read_text("utf-8")
    path.write_text(
        text.replace("create_workflow(id", f"create_workflow(max_concurrent_runs={most}, id")
    )


def at_once(notes: list[str]) -> int:
    """Return how many were at work at the same time at most."""
    going = most = 0
    for line in notes:
        going += 1 if line.startswith("begin") else -1
        most = max(most, going)
    return most


def test_a_limited_workflow_leaves_the_places_to_others(bench: Bench) -> None:
    bench.automation("limited", LIMITED)
    bench.automation("free", FREE)
    limit(bench, "limited.py", 2)
    limited = [bench.enqueue("limited", str(n)) for n in range(12)]
    free = [bench.enqueue("free", str(n)) for n in range(12)]
    bench.worker("--max-runs", "4")
    # All of these were queued behind those of the limited one, which still wait.
    for run in free:
        bench.wait(run)
    assert len(bench.rows("SELECT 1 FROM wrkflw_workflow_runs WHERE status = 'running'")) == 2
    bench.touch("go")
    for run in limited:
        bench.wait(run)
    assert at_once(bench.notes) == 2
    begun = [int(line.split()[1]) for line in bench.notes if line.startswith("begin")]
    assert sorted(begun[:2]) == [0, 1]
    assert sorted(begun) == list(range(12))


def test_a_new_limit_holds_for_what_is_queued(bench: Bench) -> None:
    bench.automation("job", LIMITED)
    bench.worker()
    first = [bench.enqueue("job", str(n)) for n in range(2)]
    bench.until(lambda: len(bench.notes) == 2, "both are at work")
    limit(bench, "job.py", 1)
    known = "SELECT 1 FROM wrkflw_workflows WHERE max_concurrent_runs = 1"
    bench.until(lambda: bench.rows(known), "the limit is catalogued")
    later = [bench.enqueue("job", str(n)) for n in range(2, 5)]
    bench.touch("go")
    for run in (*first, *later):
        bench.wait(run)
    assert at_once([line for line in bench.notes if int(line.split()[1]) >= 2]) == 1
