"""What both type checkers say of an author's code, right and wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "cases"
FILES = sorted(CASES.glob("*.py"))
MARK = re.compile(r"# E: (?P<said>.+)$")

Errors = dict[str, dict[int, str]]
"""By file and line, what the checker says there."""


def expected(file: Path) -> dict[int, re.Pattern[str]]:
    lines = file.read_text("utf-8").splitlines()
    found = ((number, MARK.search(line)) for number, line in enumerate(lines, start=1))
    return {number: re.compile(mark["said"]) for number, mark in found if mark is not None}


@cache
def pyright() -> Errors:
    settings = CASES / "pyrightconfig.json"
    command = [sys.executable, "-m", "pyright", "--outputjson", "--project", str(settings)]
    command += ["--pythonpath", sys.executable]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    report = json.loads(result.stdout)
    assert report["summary"]["filesAnalyzed"] == len(FILES)
    errors: Errors = {}
    for item in report["generalDiagnostics"]:
        lines = errors.setdefault(Path(item["file"]).name, {})
        number = item["range"]["start"]["line"] + 1
        lines[number] = lines.get(number, "") + item["message"] + item.get("rule", "")
    return errors


@cache
def mypy() -> Errors:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--show-error-codes"]
    command += ["--hide-error-context", "--no-pretty", *map(str, FILES)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stdout + result.stderr
    errors: Errors = {}
    for line in result.stdout.splitlines():
        found = re.match(r"(?P<file>.+?\.py):(?P<line>\d+): (?P<kind>\w+): (?P<said>.*)", line)
        if found is None or Path(found["file"]).parent.name != "cases":
            pytest.fail(f"mypy says {line!r}")
        lines = errors.setdefault(Path(found["file"]).name, {})
        number = int(found["line"])
        if found["kind"] == "error" or number in lines:
            lines[number] = lines.get(number, "") + found["said"]
    return errors


CHECKERS = {"pyright": pyright, "mypy": mypy}


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_checker_finds_the_marked_lines_and_no_other(file: Path, checker: str) -> None:
    said = CHECKERS[checker]().get(file.name, {})
    marks = expected(file)
    assert {n: said[n] for n in said.keys() - marks.keys()} == {}, "not marked"
    lines = file.read_text("utf-8").splitlines()
    assert [lines[n - 1] for n in sorted(marks.keys() - said.keys())] == [], "not found"
    for number, mark in marks.items():
        assert mark.search(said[number]), f"line {number}: {said[number]}"


def test_right_files_have_no_mark_and_wrong_ones_do() -> None:
    assert {file.stem.split("_")[0] for file in FILES} == {"right", "wrong"}
    for file in FILES:
        assert bool(expected(file)) == file.stem.startswith("wrong")
