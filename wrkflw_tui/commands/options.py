"""What the parsers of several commands have in common."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, NoReturn

from wrkflw_tui.commands import values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUN = "RUN"
RUN_HELP = "a run's id, how it begins or ends, @latest, or @latest:WORKFLOW"
INPUT_HELP = (
    "the input: key=value pairs, JSON, @FILE with JSON, or @- for standard input;"
    " what comes later holds over what came before"
)


class Version(argparse.Action):
    """Prints the version and ends; it is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it."""
        from importlib.metadata import version

        print(f"wrkflw-tui {version('wrkflw-tui')}")
        parser.exit()


class Parser(argparse.ArgumentParser):
    """Suggests what may have been meant."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the call, and end."""
        wrong = re.match(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", message)
        if wrong is not None:
            from wrkflw_tui.commands.looking import near_to

            known = [word.strip(" '") for word in wrong[3].split(",")]
            near = near_to(wrong[2], known, 0.6)
            instead = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
            kinds = {"COMMAND": "command", "ACTION": "action"}
            what = kinds.get(wrong[1], f"choice for {wrong[1]}")
            message = f"there is no {what} {wrong[2]!r}; {instead}"
        self.print_usage(sys.stderr)
        self.exit(2, f"wrkflw-tui: {message}\n")


def completed(
    parser: argparse.ArgumentParser,
    name: str,
    metavar: str,
    help: str,
    completer: Callable[..., list[str]],
    nargs: str | None = None,
) -> None:
    """Add an argument that the tab key completes."""
    action = parser.add_argument(name, metavar=metavar, help=help, nargs=nargs)
    action.completer = completer  # pyright: ignore[reportAttributeAccessIssue] - where argcomplete looks for it


def as_json(parser: argparse.ArgumentParser) -> None:
    """Let it print JSON."""
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON, for a program"
    )


def with_input(parser: argparse.ArgumentParser, what: str = "") -> None:
    """Let it take an input."""
    parser.add_argument(
        "-i",
        "--input",
        nargs="+",
        action="extend",
        default=[],
        metavar="VALUE",
        help=what + INPUT_HELP,
    )


def followed(parser: argparse.ArgumentParser, what: str) -> None:
    """Let it follow what it starts, or not."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--wait",
        action="store_true",
        default=True,
        help=f"follow {what} until it ends or waits to be told something (the default)",
    )
    ways.add_argument(
        "-d", "--detach", dest="wait", action="store_false", help="print its id and end"
    )
    limits(parser)
    as_json(parser)


def awaited(parser: argparse.ArgumentParser) -> None:
    """Let it follow a run that it tells something."""
    parser.add_argument("--wait", action="store_true", help="follow the run, as `run` does")
    limits(parser)
    as_json(parser)


def limits(parser: argparse.ArgumentParser) -> None:
    """Say how a run is followed."""
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="while following: tell nothing but the end"
    )
    parser.add_argument(
        "--timeout",
        type=values.seconds,
        metavar="TIME",
        help="follow no longer than this, such as 90s, 30m or 2h; the run goes on",
    )
    parser.add_argument(
        "--cancel-on-interrupt", action="store_true", help="ctrl-c cancels the run, too"
    )
