"""That the benchmark runs and reports; what it measures is for a person to read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def test_the_engines_benchmark_runs_with_tiny_sizes() -> None:
    command = [sys.executable, str(Path(__file__).parent / "engine.py"), "--quick"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    assert len(re.findall(r"\d+\.\d\dx", result.stdout)) == 7
    for name in (
        "one run",
        "3 runs at once",
        "30 steps in one run",
        "bytes a step",
        "foreach over 30 items",
        "recovery of a run",
    ):
        assert name in result.stdout


def test_the_benchmark_of_starts_runs() -> None:
    command = [sys.executable, str(Path(__file__).parent / "starts.py"), "--quick"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert result.returncode == 0, result.stderr
    for name in ("warm", "cold", "spawned"):
        assert re.search(rf"{name} +p50 .* p95 .* p99 .* max", result.stdout)


def test_the_benchmark_of_housekeeping_runs() -> None:
    command = [sys.executable, str(Path(__file__).parent / "keeping.py"), "--quick"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert result.returncode == 0, result.stderr
    for name in ("nothing", "quick_check", "backup", "remove", "clear away", "give back"):
        assert re.search(rf"{name} .* others' commits p50 .* p99 .* max", result.stdout)


def test_the_benchmark_of_schedules_runs() -> None:
    command = [sys.executable, str(Path(__file__).parent / "schedules.py"), "--quick"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert result.returncode == 0, result.stderr
    assert re.search(r"first look: .* ms", result.stdout)
    assert re.search(r"an idle look: .* us, after a change of the record .* us", result.stdout)
    for name in ("of one expression", "all different", "a worker's lag"):
        assert re.search(rf"{name} +p50 .* p99 .* max", result.stdout)
