"""Following a run on a terminal: what moves, and what ctrl-c does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from commands.shell import Shell, Terminal

    Terminals = Callable[..., Terminal]


def run_id_of(terminal: Terminal) -> str:
    terminal.read_until("run ")
    found = re.search(r"run ([0-9a-f-]{36})", terminal.text)
    while found is None:
        terminal.read_until("-")
        found = re.search(r"run ([0-9a-f-]{36})", terminal.text)
    return found[1]


def test_the_steps_are_drawn_in_their_place(desk: Shell, terminal: Terminals) -> None:
    watching = terminal(desk, "run", "many", "--input", "12")
    assert watching.end() == 0
    *frames, last = watching.text.split("\x1b[?25l")[-1].split("\x1b[J")
    shown = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in frames[-1].splitlines()]
    assert [line.split("  ")[0:3] for line in shown if line.startswith("many")]
    assert any("✓ numbers" in line for line in shown)
    assert any("✓ foreach-1  12/12" in line for line in shown)
    assert any("✓ double (each)  12 done" in line for line in shown)
    assert max(map(len, shown)) < 80
    assert last.endswith("132\n")
    assert watching.text.count("\x1b[?25l") == watching.text.count("\x1b[?25h") == 1


def test_without_colours_nothing_is_coloured(desk: Shell, terminal: Terminals) -> None:
    desk.environment["NO_COLOR"] = "1"
    try:
        watching = terminal(desk, "run", "twice", "--input", "1")
        assert watching.end() == 0
    finally:
        desk.environment["NO_COLOR"] = ""
    assert not re.search(r"\x1b\[[0-9;]*m", watching.text)


def test_a_dumb_terminal_gets_lines(desk: Shell, terminal: Terminals) -> None:
    desk.environment["TERM"] = "dumb"
    try:
        watching = terminal(desk, "run", "twice", "--input", "1")
        assert watching.end() == 0
    finally:
        desk.environment["TERM"] = "xterm"
    assert "\x1b" not in watching.text
    assert "  ✓ double  " in watching.text


def test_ctrl_c_leaves_the_run_and_says_how_to_go_on(desk: Shell, terminal: Terminals) -> None:
    watching = terminal(desk, "run", "hangs", "--input", "1")
    watching.read_until("● hang")
    watching.type(b"\x03")
    assert watching.end() == 130
    run_id = run_id_of(watching)
    assert f"follow it again   wrkflw-tui show {run_id} -f" in watching.text
    assert f"cancel it         wrkflw-tui cancel {run_id}" in watching.text
    assert "Traceback" not in watching.text
    assert watching.text.rindex("\x1b[?25h") < watching.text.rindex("follow it again")
    assert desk.bench.snapshot(run_id).run.status == "running"

    again = terminal(desk, "show", run_id, "--follow")
    again.read_until("● hang")
    assert desk("cancel", run_id).code == 0
    assert again.end() == 4


def test_ctrl_c_cancels_the_run_where_that_was_asked_for(desk: Shell, terminal: Terminals) -> None:
    watching = terminal(desk, "run", "hangs", "--input", "1", "--cancel-on-interrupt")
    watching.read_until("● hang")
    watching.type(b"\x03")
    assert watching.end() == 130
    run_id = run_id_of(watching)
    assert f"cancelling {run_id}" in watching.text
    assert desk.bench.snapshot(run_id).run.status == "cancelled"


def test_a_list_longer_than_the_terminal_stays_within_it(desk: Shell, terminal: Terminals) -> None:
    chain = "".join(f".map(up, id='s{n}')" for n in range(40))
    desk.bench.write(
        "long.py",
        f"""
        from wrkflw_tui import create_workflow

        def up(value: int) -> int:
            return value + 1

        long = create_workflow(id="long", input_schema=int, output_schema=int){chain}.commit()
        """,
    )
    watching = terminal(desk, "run", "long", "--input", "0")
    assert watching.end() == 0
    assert "more above" in watching.text
    for frame in watching.text.split("\x1b[J"):
        assert frame.count("\x1b[K") <= 24
    assert watching.text.endswith("40\n")


def test_show_follows_a_run_to_its_end_without_a_terminal(desk: Shell) -> None:
    run_id = desk.id("twice", "--input", "5")
    said = desk("show", run_id, "-f")
    assert (said.code, said.out) == (0, "10\n")
