"""What a run says: marks in a stream read again, and all of it on record."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.engine.context import current_step
from wrkflw_tui.engine.masking import Masker
from wrkflw_tui.worker.capture import MarkedStream
from wrkflw_tui.worker.lines import LONGEST, STRETCH_LINES, LineReader
from wrkflw_tui.worker.marks import frame, spawn

if TYPE_CHECKING:
    from collections.abc import Generator

    from worker.harness import Bench

    from wrkflw_tui.store.logs import Stretch

NONCE = "5eed"
AT = 1_000_000
"""An instant, in microseconds."""


def flat(stretches: list[Stretch]) -> list[tuple[str, str]]:
    return [(stretch.path, line) for stretch in stretches for line in stretch.lines]


def read(data: bytes, size: int | None = None) -> list[tuple[str, str]]:
    """Feed bytes, all at once or in pieces, and return each line with its step."""
    reader = LineReader("stdout", NONCE, Masker())
    size = size or len(data) or 1
    found = [s for at in range(0, len(data), size) for s in reader.feed(data[at : at + size])]
    return flat([*found, *reader.close()])


def marked(path: str, line: str, nonce: str = NONCE) -> str:
    text = f"{line}\n"
    return frame(nonce, path, AT, len(text.encode())).decode() + text


def spawned(path: str) -> str:
    return spawn(NONCE, path, AT).decode()


class TestLineReader:
    def test_lines_carry_the_step_that_wrote_them(self) -> None:
        data = marked("a", "one") + marked("b/c", "two") + marked("", "three")
        assert read(data.encode()) == [("a", "one"), ("b/c", "two"), ("", "three")]

    def test_unmarked_lines_belong_to_the_last_spawner(self) -> None:
        data = "early\n" + spawned("a") + "child\n" + marked("b", "own") + "child again\n"
        expected = [("", "early"), ("a", "child"), ("b", "own"), ("a", "child again")]
        assert read(data.encode()) == expected

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
    def test_pieces_of_any_size_read_the_same(self, size: int) -> None:
        data = (spawned("a") + "wörld\n" + marked("b", "größe") + "rest").encode()
        assert read(data, size) == read(data) == [("a", "wörld"), ("b", "größe"), ("a", "rest")]

    def test_a_mark_may_stand_behind_an_unfinished_line(self) -> None:
        data = spawned("a") + "half" + marked("b", "own")
        assert read(data.encode()) == [("a", "half"), ("b", "own")]

    def test_a_mark_with_another_nonce_is_text(self) -> None:
        line = marked("b", "forged", "other")
        assert read(line.encode()) == [("", line.removesuffix("\n"))]

    def test_what_is_no_utf8_is_shown_escaped(self) -> None:
        assert read(b"caf\xe9 \x00 ok\n") == [("", "caf\\xe9 \x00 ok")]

    def test_a_carriage_return_before_the_end_is_dropped(self) -> None:
        assert read(b"10%\r20%\r\nnext\r\n") == [("", "10%\r20%"), ("", "next")]

    def test_empty_lines_are_lines(self) -> None:
        assert read(b"\n\na\n\n") == [("", ""), ("", ""), ("", "a"), ("", "")]

    def test_nothing_is_nothing(self) -> None:
        assert read(b"") == []

    def test_a_line_without_end_is_not_held_back_for_ever(self) -> None:
        reader = LineReader("stdout", NONCE, Masker())
        assert reader.feed(b"x" * LONGEST) == []
        (stretch,) = reader.feed(b"y")
        assert len(stretch.lines[0]) == LONGEST + 1
        assert reader.close() == []

    def test_stretches_hold_a_limited_number_of_lines_of_one_step(self) -> None:
        data = marked("a", "x") * (STRETCH_LINES + 1) + marked("b", "y")
        stretches = LineReader("stderr", NONCE, Masker()).feed(data.encode())
        shape = [(s.stream, s.path, len(s.lines)) for s in stretches]
        assert shape == [("stderr", "a", STRETCH_LINES), ("stderr", "a", 1), ("stderr", "b", 1)]


class TestMarkedStream:
    @pytest.fixture
    def pipe(self) -> Generator[tuple[MarkedStream, int]]:
        read_end, write_end = os.pipe()
        stream = MarkedStream(write_end, NONCE)
        yield stream, read_end
        stream.buffer.close()
        stream.close()
        os.close(read_end)
        os.close(write_end)

    def test_what_it_writes_reads_back(self, pipe: tuple[MarkedStream, int]) -> None:
        stream, descriptor = pipe
        print("before", file=stream)
        token = current_step.set("a/b")
        print("one", "two", file=stream)
        print("three\nfour", file=stream, end="")
        current_step.reset(token)
        print("after", file=stream)
        stream.flush()
        expected = [("", "before"), ("a/b", "one two"), ("a/b", "three"), ("", "after")]
        assert read(os.read(descriptor, 65536)) == [*expected, ("a/b", "four")]

    def test_unfinished_lines_of_two_steps_do_not_mix(self, pipe: tuple[MarkedStream, int]) -> None:
        stream, descriptor = pipe
        for text in ("1", "2\n"):
            for path in ("a", "b"):
                token = current_step.set(path)
                stream.write(path + text)
                current_step.reset(token)
        assert read(os.read(descriptor, 65536)) == [("a", "a1a2"), ("b", "b1b2")]

    def test_a_lone_surrogate_is_escaped(self, pipe: tuple[MarkedStream, int]) -> None:
        stream, descriptor = pipe
        print("\udce9", file=stream)
        assert read(os.read(descriptor, 65536)) == [("", "\\udce9")]

    def test_it_stands_for_a_text_stream(self, pipe: tuple[MarkedStream, int]) -> None:
        stream, descriptor = pipe
        assert stream.write("größe\n") == 6
        stream.flush()
        assert (stream.writable(), stream.encoding, stream.isatty()) == (True, "utf-8", False)
        stream.buffer.write(b"raw\n")
        assert read(os.read(descriptor, 65536)) == [("", "größe"), ("", "raw")]


# What a run says, on record


def run(shared: Bench, workflow_id: str, code: str, *steps: str) -> str:
    shared.automation(workflow_id, code, *steps)
    known = "SELECT 1 FROM wrkflw_workflows WHERE workflow_id = ?"
    shared.until(lambda: shared.rows(known, workflow_id), f"{workflow_id} is in the catalogue")
    run_id = shared.enqueue(workflow_id)
    shared.wait(run_id)
    shared.until(lambda: shared.lines(run_id), f"{run_id} has said something")
    return run_id


def wait_lines(shared: Bench, run_id: str, count: int, stream: str = "stdout") -> list[str]:
    """Wait until as many lines are on record: the last come a moment after the run's end."""
    shared.until(lambda: len(shared.lines(run_id, stream)) >= count, f"{count} lines of {run_id}")
    return shared.lines(run_id, stream)


def test_keeps_all_that_is_said_by_step_and_stream(shared: Bench) -> None:
    code = """
        @step
        async def first(value: int, context: StepContext) -> int:
            print("printed first")
            print("to stderr", file=sys.stderr)
            logging.getLogger("author").warning("logged %s", value)
            context.log.info("by the context")
            return value

        @step
        def second(value: int) -> int:
            print("printed second")
            subprocess.run(["sh", "-c", "echo child out; echo child err >&2"], check=True)
            os.system("echo by the system")
            return value
    """
    run_id = run(shared, "talks", code, "first", "second")
    wait_lines(shared, run_id, 4)
    wait_lines(shared, run_id, 4, "stderr")
    assert shared.lines(run_id, "stdout", "first") == ["printed first"]
    assert shared.lines(run_id, "stderr", "first") == [
        "to stderr",
        "WARNING logged 1",
        "INFO by the context",
    ]
    assert shared.lines(run_id, "stdout", "second") == [
        "printed second",
        "child out",
        "by the system",
    ]
    assert shared.lines(run_id, "stderr", "second") == ["child err"]
    assert len(shared.lines(run_id)) + len(shared.lines(run_id, "stderr")) == 8


def test_keeps_the_order_within_a_stream(shared: Bench) -> None:
    code = """
        @step
        def work(value: int) -> int:
            for number in range(200):
                print(number)
                if number % 50 == 0:
                    subprocess.run(["echo", f"child {number}"], check=True)
            return value
    """
    run_id = run(shared, "counts", code)
    lines = wait_lines(shared, run_id, 204)
    numbers = [int(line) for line in lines if not line.startswith("child")]
    assert numbers == list(range(200))
    assert all(f"child {n}" in lines for n in range(0, 200, 50))
    assert all(lines.index(f"child {n}") == lines.index(str(n)) + 1 for n in range(0, 200, 50))
    stretches = shared.log(run_id)
    assert all(early.n < late.n and early.at <= late.at for early, late in pairwise(stretches))


def test_keeps_lines_that_are_hard_to_keep(shared: Bench) -> None:
    code = r"""
        @step
        def work(value: int) -> int:
            def raw(data):
                while data:
                    data = data[os.write(1, data):]
            raw(b"caf\xe9\n")
            raw(b"a\x00b\n")
            raw(b"10%\r20%\r100%\r\n")
            raw(b"long " + b"x" * 2_000_000 + b"\n")
            print("\udce9 \u2028 \x1b[31mred")
            print("no end", end="")
            sys.stdout.flush()
            return value
    """
    run_id = run(shared, "raw", code)
    shared.until(lambda: "no end" in shared.lines(run_id), "the last line is on record")
    lines = shared.lines(run_id)
    assert lines[:3] == ["caf\\xe9", "a\x00b", "10%\r20%\r100%"]
    # A line without end in sight is kept in pieces.
    assert "".join(lines[3:-2]) == "long " + "x" * 2_000_000
    assert lines[-2:] == ["\\udce9 \u2028 \x1b[31mred", "no end"]


def test_keeps_the_last_line_of_a_child_without_an_end(shared: Bench) -> None:
    code = """
        @step
        def work(value: int) -> int:
            subprocess.run(["printf", "half"], check=True)
            print("own")
            subprocess.run(["printf", "last"], check=True)
            return value
    """
    run_id = run(shared, "halves", code)
    assert wait_lines(shared, run_id, 3) == ["half", "own", "last"]


def test_keeps_ten_megabytes_whole(shared: Bench) -> None:
    code = """
        @step
        def work(value: int) -> int:
            for number in range(100_000):
                print(f"{number:06} " + "x" * 93)
            return value
    """
    run_id = run(shared, "floods", code)
    lines = wait_lines(shared, run_id, 100_000)
    assert [int(line[:6]) for line in lines] == list(range(100_000))
    assert all(len(line) == 100 for line in lines)


def test_keeps_what_a_step_said_before_it_crashed(shared: Bench) -> None:
    code = """
        @step
        def work(value: int, context: StepContext) -> int:
            print(f"attempt {context.attempt}")
            if context.attempt == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return value
    """
    run_id = run(shared, "crashes", code)
    assert wait_lines(shared, run_id, 2) == ["attempt 1", "attempt 2"]


def test_a_step_reads_an_empty_input(shared: Bench) -> None:
    code = """
        @step
        def work(value: int) -> int:
            print(repr(sys.stdin.read()))
            subprocess.run(["cat"], check=True)
            print("read")
            return value
    """
    run_id = run(shared, "reads", code)
    assert wait_lines(shared, run_id, 2) == ["''", "read"]
