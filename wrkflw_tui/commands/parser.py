"""What can be typed behind `wrkflw-tui`."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from wrkflw_tui.commands import completion, options, schedule_options, values
from wrkflw_tui.commands.exits import TABLE
from wrkflw_tui.commands.options import Parser
from wrkflw_tui.commands.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
    parser.add_argument("--version", action=options.Version, help="print the version")
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
    schedule_options.add(make, places)
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
    options.as_json(listed)
    run = make("run", "run a workflow", epilog=_RUN_EPILOG)
    options.completed(run, "id", "ID", "a workflow's id", completion.workflow_ids)
    options.with_input(run)
    options.followed(run, "the run")
    runs = make("runs", "list runs, newest first")
    options.completed(runs, "--workflow", "ID", "only of this workflow", completion.workflow_ids)
    runs.add_argument(
        "--status",
        type=values.status,
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
    options.as_json(runs)
    show = make("show", "show a run: its steps, what went wrong, what it waits for")
    options.completed(show, "run", options.RUN, options.RUN_HELP, completion.run_ids)
    show.add_argument("--all", action="store_true", help="every attempt at every step and item")
    show.add_argument(
        "-f", "--follow", action="store_true", help="follow it until it ends, as `run` does"
    )
    options.limits(show)
    options.as_json(show)
    logs = make("logs", "print what a run has printed")
    options.completed(logs, "run", options.RUN, options.RUN_HELP, completion.run_ids)
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    logs.add_argument("--step", metavar="PATH", help="only of this step and what is below it")
    logs.add_argument("--stream", choices=("stdout", "stderr"), help="only of this stream")
    logs.add_argument("--tail", type=values.positive, metavar="N", help="only the last lines")
    logs.add_argument("--times", action="store_true", help="with the time of each line")
    logs.add_argument("--json", action="store_true", help="a JSON object for each line")


def _add_telling(make: Callable[..., Parser]) -> None:
    cancel = make("cancel", "cancel runs; what they have done stays on record")
    options.completed(cancel, "runs", options.RUN, options.RUN_HELP, completion.run_ids, nargs="+")
    answer = make("answer", "answer a run's question; without an answer, show the question")
    options.completed(answer, "run", options.RUN, options.RUN_HELP, completion.run_ids)
    answer.add_argument("given", nargs="*", metavar="ANSWER", help="JSON, @FILE, @- or key=value")
    answer.add_argument("--path", metavar="P", help="which question, where several are open")
    answer.add_argument("--key", metavar="K", help="which question of the step")
    options.awaited(answer)
    send = make("send", "send a run an event that it waits for, or will wait for")
    options.completed(send, "run", options.RUN, options.RUN_HELP, completion.run_ids)
    send.add_argument("event", metavar="EVENT", help="the event's name")
    send.add_argument("given", nargs="*", metavar="PAYLOAD", help="JSON, @FILE, @- or key=value")
    options.awaited(send)
    fork = make("fork", "start a new run over what came before a step of another")
    options.completed(fork, "run", options.RUN, options.RUN_HELP, completion.run_ids)
    options.completed(
        fork, "step", "STEP", "the path of the step to begin with", completion.step_paths
    )
    options.with_input(fork, "for that step, instead of the value in hand: ")
    options.followed(fork, "the new run")


def _add_secrets(make: Callable[..., Parser], places: Parser) -> None:
    secrets = make("secrets", "list, set and remove secrets (without an action: list)")
    options.as_json(secrets)
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
            options.as_json(action)
        else:
            options.completed(action, "name", "NAME", "the secret's name", completion.secret_names)


def _add_rest(make: Callable[..., Parser]) -> None:
    graph = make("graph", "draw a workflow, or how far a run of it is")
    options.completed(
        graph, "id", "ID", f"a workflow's id, or {options.RUN_HELP}", completion.drawn_ids
    )
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
    worker.add_argument(
        "--stop", action="store_true", help="end the worker that there is, gently, and return"
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
    options.completed(
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
    options.as_json(prune)
    backup = make("backup", "copy the record, while runs go on, and verify the copy")
    backup.add_argument("file", metavar="FILE", help="where to")
    backup.add_argument("--force", action="store_true", help="replace FILE if it is there")
    options.as_json(backup)


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
