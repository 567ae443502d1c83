"""What can be typed behind `wrkflw-tui`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, NoReturn

from wrkflw_tui.commands import completion, values
from wrkflw_tui.commands.exits import TABLE
from wrkflw_tui.commands.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUN = "RUN"
RUN_HELP = "a run's id, how it begins or ends, @latest, or @latest:WORKFLOW"
INPUT_HELP = (
    "the input: key=value pairs, JSON, @FILE with JSON, or @- for standard input;"
    " what comes later holds over what came before"
)


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


def read(arguments: Sequence[str]) -> argparse.Namespace:
    """Read what was typed; a wrong call ends the process."""
    nothing = argparse.Namespace(command=None, folder=None, database=None, json=False)
    if completion.ASKED not in os.environ:
        # The app is up sooner where nobody makes the parser of all the commands.
        places, rest = _places().parse_known_args(arguments, nothing)
        if not rest:
            return places
    parser = make_parser()
    completion.answer_the_shell(parser)
    return parser.parse_args(arguments, nothing)


def make_parser() -> Parser:
    """Return the parser of everything."""
    places = _places()
    parser = Parser(
        prog="wrkflw-tui",
        parents=[places],
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Run, watch and schedule your own automations. Without a command: the app.",
        epilog=f"`wrkflw-tui COMMAND --help` says more about one.\n\n{TABLE}",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    def make(name: str, help: str, **more: str) -> Parser:
        return commands.add_parser(
            name,
            parents=[places],
            help=help,
            description=more.get("description", help[0].upper() + help[1:] + "."),
            epilog=more.get("epilog"),
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    _add_runs(make)
    _add_telling(make)
    _add_schedules(make, places)
    _add_secrets(make, places)
    _add_rest(make)
    return parser


def _places() -> Parser:
    places = Parser(
        prog="wrkflw-tui",
        add_help=False,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    places.add_argument("--folder", metavar="DIR", help="the folder that holds the automations")
    places.add_argument("--database", metavar="FILE", help="the file that holds all runs")
    return places


def _add_runs(make: Callable[..., Parser]) -> None:
    listed = make("list", "list the workflows, with their last and next runs")
    _json(listed)
    run = make("run", "run a workflow", epilog=_RUN_EPILOG)
    _completed(run, "id", "ID", "a workflow's id", completion.workflow_ids)
    _input(run)
    _followed(run, "the run")
    runs = make("runs", "list runs, newest first")
    _completed(runs, "--workflow", "ID", "only of this workflow", completion.workflow_ids)
    runs.add_argument(
        "--status",
        choices=values.STATUSES,
        metavar="STATUS",
        help=f"only with this status: {', '.join(values.STATUSES)}",
    )
    runs.add_argument(
        "--since",
        type=values.since,
        metavar="WHEN",
        help="only since then: 90s, 30m, 12h, 7d, or 2026-07-31 [18:00]",
    )
    runs.add_argument("--text", help="only where this is in an input, an output or an error")
    runs.add_argument("--limit", type=values.positive, default=20, metavar="N", help="default: 20")
    _json(runs)
    show = make("show", "show a run: its steps, what went wrong, what it waits for")
    _completed(show, "run", RUN, RUN_HELP, completion.run_ids)
    show.add_argument("--all", action="store_true", help="every attempt at every step and item")
    show.add_argument(
        "-f", "--follow", action="store_true", help="follow it until it ends, as `run` does"
    )
    _limits(show)
    _json(show)
    logs = make("logs", "print what a run has printed")
    _completed(logs, "run", RUN, RUN_HELP, completion.run_ids)
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    logs.add_argument("--step", metavar="PATH", help="only of this step and what is below it")
    logs.add_argument("--stream", choices=("stdout", "stderr"), help="only of this stream")
    logs.add_argument("--tail", type=values.positive, metavar="N", help="only the last lines")
    logs.add_argument("--times", action="store_true", help="with the time of each line")
    logs.add_argument("--json", action="store_true", help="a JSON object for each line")


def _add_telling(make: Callable[..., Parser]) -> None:
    cancel = make("cancel", "cancel runs; what they have done stays on record")
    _completed(cancel, "runs", RUN, RUN_HELP, completion.run_ids, nargs="+")
    answer = make("answer", "answer a run's question; without an answer, show the question")
    _completed(answer, "run", RUN, RUN_HELP, completion.run_ids)
    answer.add_argument("given", nargs="*", metavar="ANSWER", help="JSON, @FILE, @- or key=value")
    answer.add_argument("--path", metavar="P", help="which question, where several are open")
    answer.add_argument("--key", metavar="K", help="which question of the step")
    _awaited(answer)
    send = make("send", "send a run an event that it waits for, or will wait for")
    _completed(send, "run", RUN, RUN_HELP, completion.run_ids)
    send.add_argument("event", metavar="EVENT", help="the event's name")
    send.add_argument("given", nargs="*", metavar="PAYLOAD", help="JSON, @FILE, @- or key=value")
    _awaited(send)
    fork = make("fork", "start a new run over what came before a step of another")
    _completed(fork, "run", RUN, RUN_HELP, completion.run_ids)
    _completed(fork, "step", "STEP", "the path of the step to begin with", completion.step_paths)
    _input(fork, "for that step, instead of the value in hand: ")
    _followed(fork, "the new run")


def _add_schedules(make: Callable[..., Parser], places: Parser) -> None:
    schedules = make("schedules", "list, make and change schedules (without an action: list)")
    _json(schedules)
    actions = schedules.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser)

    def act(name: str, help: str) -> Parser:
        return actions.add_parser(
            name,
            parents=[places],
            help=help,
            description=help[0].upper() + help[1:] + ".",
            allow_abbrev=False,
        )

    _json(act("list", "list all schedules, the soonest first"))
    add = act("add", "schedule a workflow, and print the schedule's id")
    _completed(add, "id", "ID", "a workflow's id", completion.workflow_ids)
    add.add_argument("cron", metavar="CRON", help="such as '0 18 * * 1-5' or @daily, in quotes")
    add.add_argument("--zone", default="local", metavar="Z", help="a time zone (default: local)")
    _input(add)
    add.add_argument(
        "--overlap",
        choices=("skip", "allow"),
        default="skip",
        help="what to do while the run before still goes (default: skip)",
    )
    add.add_argument(
        "--catch-up",
        choices=("none", "latest"),
        default="latest",
        help="which missed fires to make up for (default: latest)",
    )
    which = "a schedule's id, how it begins, or the id of a workflow that has one"
    for name, help in (
        ("pause", "let a schedule fire no more until it is resumed"),
        ("resume", "let a paused schedule go on"),
        ("remove", "remove a schedule; its runs stay"),
    ):
        _completed(act(name, help), "schedule", "SCHEDULE", which, completion.schedule_ids)
    coming = act("next", "print the next fires")
    coming.add_argument("amount", nargs="?", type=values.positive, default=5, metavar="N")
    _completed(coming, "--schedule", "SCHEDULE", f"only of {which}", completion.schedule_ids)
    coming.add_argument("--cron", help="of an expression, to try it out")
    coming.add_argument("--zone", default="local", metavar="Z", help="with --cron: a time zone")
    _json(coming)
    trigger = act("trigger", "start a run now, with a schedule's input")
    _completed(trigger, "schedule", "SCHEDULE", which, completion.schedule_ids)
    _followed(trigger, "the run")


def _add_secrets(make: Callable[..., Parser], places: Parser) -> None:
    secrets = make("secrets", "list, set and remove secrets (without an action: list)")
    _json(secrets)
    actions = secrets.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser)
    for name, help in (
        ("list", "list the names of the secrets, and where each is held; never a value"),
        ("set", "put a secret into the system's keyring: typed unseen, or from standard input"),
        ("remove", "remove a secret from the system's keyring"),
    ):
        action = actions.add_parser(
            name,
            parents=[places],
            help=help,
            description=help[0].upper() + help[1:] + ".",
            allow_abbrev=False,
        )
        if name == "list":
            _json(action)
        else:
            _completed(action, "name", "NAME", "the secret's name", completion.secret_names)


def _add_rest(make: Callable[..., Parser]) -> None:
    graph = make("graph", "draw a workflow, or how far a run of it is")
    _completed(graph, "id", "ID", f"a workflow's id, or {RUN_HELP}", completion.drawn_ids)
    graph.add_argument("--mermaid", action="store_true", help="as a Mermaid flowchart")
    graph.add_argument(
        "--width", type=values.positive, metavar="N", help="columns (default: the terminal's)"
    )
    _add_keeping(make)
    make("check", "import every automation, report errors, exit 1 if any")
    init = make("init", "write a first automation to start from")
    init.add_argument("dir", nargs="?", metavar="DIR", help="where to (default: the folder)")
    worker = make("worker", "run automations and schedules without a screen")
    worker.add_argument(
        "--max-runs",
        type=values.positive,
        metavar="N",
        help="how many runs may go at once (default: max_runs, else the cores, at least 4)",
    )
    worker.add_argument(
        "--systemd", action="store_true", help="print a unit for systemd that runs this worker"
    )
    worker.add_argument(
        "--until-idle",
        action="store_true",
        help="end once nothing runs, is queued or sleeps; at once if there is another worker",
    )
    worker.add_argument("--for-app", action="store_true", help=argparse.SUPPRESS)
    _add_serve(make)
    install = "\n".join(f"  {line}" for line in completion.INSTALL.values())
    shell = make(
        "completion", "print a shell's completion script", epilog=f"to install it:\n{install}"
    )
    shell.add_argument("shell", choices=completion.SHELLS)


def _add_keeping(make: Callable[..., Parser]) -> None:
    prune = make("prune", "remove ended runs that are kept no longer", epilog=_PRUNE_EPILOG)
    _completed(
        prune,
        "workflows",
        "WORKFLOW",
        "only runs of these (default: of all)",
        completion.pruned_ids,
        nargs="*",
    )
    prune.add_argument(
        "--keep-runs",
        type=values.not_negative,
        metavar="N",
        help="keep this many ended runs of each workflow, the last to end",
    )
    prune.add_argument(
        "--keep-for",
        type=values.length,
        metavar="TIME",
        help="keep what has ended within this time, such as 12h, 90d or 1w",
    )
    prune.add_argument(
        "--dry-run", action="store_true", help="remove nothing, only say what would be"
    )
    _json(prune)
    backup = make("backup", "copy the record, while runs go on, and verify the copy")
    backup.add_argument("file", metavar="FILE", help="where to")
    backup.add_argument("--force", action="store_true", help="replace FILE if it is there")
    _json(backup)


def _add_serve(make: Callable[..., Parser]) -> None:
    serve = make("serve", "start and follow runs by HTTP requests", epilog=ROUTES)
    serve.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="address to listen to (default: 127.0.0.1)"
    )
    serve.add_argument(
        "--port", type=values.port, default=8484, metavar="N", help="port (default: 8484; 0: any)"
    )
    serve.add_argument(
        "--token",
        metavar="TOKEN",
        help="what requests have to bring (default: WRKFLW_TOKEN, else the file token beside the"
        " record, made at the first start); other users may see it here",
    )


_PRUNE_EPILOG = """\
Without --keep-runs and --keep-for it goes by keep_runs and keep_for in the
folder's wrkflw.toml, as the worker does every few minutes:

  [all]
  keep_for = "90d"

  [workflow.backup-photos]
  keep_runs = 30

Runs that have not ended are always kept. The room is given back: a file of an
older version is written anew for that, once, while no run is going.
"""


_RUN_EPILOG = """\
examples:
  wrkflw-tui run backup-folder --input folder=~/photos keep=3
  wrkflw-tui run backup-folder --input @input.json keep=5 --quiet > result.json
  id=$(wrkflw-tui run backup-folder --detach)

It follows the run, on a terminal or not, prints the result as JSON, and ends
with the exit code that the run came to (see `wrkflw-tui --help`). Ctrl-c ends
the following, not the run.
"""


def _completed(
    parser: argparse.ArgumentParser,
    name: str,
    metavar: str,
    help: str,
    completer: Callable[..., list[str]],
    nargs: str | None = None,
) -> None:
    action = parser.add_argument(name, metavar=metavar, help=help, nargs=nargs)
    action.completer = completer  # pyright: ignore[reportAttributeAccessIssue] - where argcomplete looks for it


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON, for a program"
    )


def _input(parser: argparse.ArgumentParser, what: str = "") -> None:
    parser.add_argument(
        "-i",
        "--input",
        nargs="+",
        action="extend",
        default=[],
        metavar="VALUE",
        help=what + INPUT_HELP,
    )


def _followed(parser: argparse.ArgumentParser, what: str) -> None:
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
    _limits(parser)
    _json(parser)


def _awaited(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="follow the run, as `run` does")
    _limits(parser)
    _json(parser)


def _limits(parser: argparse.ArgumentParser) -> None:
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
