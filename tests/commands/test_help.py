"""What `--help` says, and what a wrong call is told."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.cli import main
from wrkflw_tui.commands.exits import TABLE
from wrkflw_tui.commands.parser import make_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from commands.shell import Shell


def parsers(
    parser: argparse.ArgumentParser, name: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from parsers(inner, (*name, word))


ALL = dict(parsers(make_parser()))


def test_the_commands_are_all_there() -> None:
    assert {name[0] for name in ALL if name} == {
        *("list", "run", "runs", "show", "logs", "cancel", "answer", "send", "fork"),
        *("schedules", "secrets", "graph", "check", "init", "worker", "completion"),
        *("prune", "backup", "serve"),
    }
    assert {name[1] for name in ALL if name[:1] == ("schedules",) and len(name) == 2} == {
        *("list", "add", "edit", "pause", "resume", "remove", "next", "trigger"),
        *("skip", "backfill"),
    }
    assert {name[1] for name in ALL if name[:1] == ("secrets",) and len(name) == 2} == {
        *("list", "set", "remove"),
    }


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_every_help_fits_80_columns_and_explains_each_argument(
    name: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        main([*name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert max(map(len, said.out.splitlines())) <= 80
    for action in ALL[name]._actions:
        if action.dest not in ("amount", "shell", "command", "action"):
            assert action.help, f"{action.dest} is not explained"


def test_the_exit_codes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert TABLE in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lst"], "there is no command 'lst'; did you mean list"),
        (["shw", "x"], "there is no command 'shw'; did you mean show"),
        (["schedules", "rm"], "there is no action 'rm'; known: list, add"),
        (["runs", "--status", "fail"], "there is no choice for --status 'fail'; did you mean"),
        (["runs", "--lim", "3"], "unrecognized arguments: --lim 3"),
        (["runs", "--since", "yesterday"], "must be how long ago, such as 12h or 7d"),
        (["run", "x", "--timeout", "long"], "must be a time such as 90s, 30m, 2h or 7d"),
        (["run", "x", "--wait", "--detach"], "not allowed with"),
        (["serve", "--port", "70000"], "must be a port from 0 to 65535"),
        (["run"], "the following arguments are required: ID"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_wrong_call_is_told_what_would_be_right(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["runs"],
        ["show", "x"],
        ["logs", "x"],
        ["run", "twice", "--input", "1"],
        ["cancel", "x"],
        ["answer", "x", "1"],
        ["send", "x", "y", "1"],
        ["fork", "x", "y"],
        ["schedules"],
        ["schedules", "next"],
        ["graph", "x"],
        ["prune", "--keep-runs", "1"],
        ["backup", "copy.db"],
        ["serve", "--port", "0"],
    ],
    ids=lambda command: command[0],
)
def test_a_record_that_cannot_be_read_is_named(shell: Shell, command: list[str]) -> None:
    damaged = shell.place / "damaged.db"
    damaged.write_bytes(b"this is no database, whatever its name says" * 100)
    said = shell(*command, "--database", str(damaged))
    assert (said.code, said.out) == (1, "")
    assert str(damaged) in said.err
    assert len(said.err.splitlines()) == 1
