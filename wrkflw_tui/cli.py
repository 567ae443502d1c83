"""The commands. Each imports what it needs only when it runs."""

from __future__ import annotations

import argparse
import gc
import sys
from typing import TYPE_CHECKING

from wrkflw_tui.config import ConfigError, load_config
from wrkflw_tui.engine.errors import WrkflwError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.config import Config


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it failed, 2 it was called wrongly."""
    nothing = argparse.Namespace(folder=None, database=None)
    options = _parser().parse_args(arguments, nothing)
    try:
        config = load_config(options.folder, options.database)
        match options.command:
            case "worker":
                if options.systemd:
                    return _unit(config, options.max_runs)
                return _worker(config, options.max_runs, for_app=options.for_app)
            case "check":
                return _check(config)
            case "graph":
                return _graph(config, options.id, options.width, as_mermaid=options.mermaid)
            case _:
                return _app(config)
    except ConfigError as error:
        print(f"wrkflw-tui: {error}", file=sys.stderr)
        return 2
    except WrkflwError as error:
        print(f"wrkflw-tui: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    places = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    places.add_argument("--folder", metavar="DIR", help="the folder that holds the automations")
    places.add_argument("--database", metavar="FILE", help="the file that holds all runs")
    parser = argparse.ArgumentParser(
        prog="wrkflw-tui",
        parents=[places],
        description="Run, watch and schedule your own automations. Without a command: the app.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    worker = commands.add_parser(
        "worker", parents=[places], help="run automations and schedules without a screen"
    )
    worker.add_argument(
        "--max-runs",
        type=_positive,
        metavar="N",
        help="how many runs may go at once (default: max_runs, else the cores, at least 4)",
    )
    worker.add_argument(
        "--systemd", action="store_true", help="print a unit for systemd that runs this worker"
    )
    worker.add_argument("--for-app", action="store_true", help=argparse.SUPPRESS)
    commands.add_parser(
        "check", parents=[places], help="import every automation, report errors, exit 1 if any"
    )
    graph = commands.add_parser(
        "graph", parents=[places], help="draw a workflow, or how far a run of it is"
    )
    graph.add_argument("id", metavar="ID", help="a workflow's id, or how a run's id begins or ends")
    graph.add_argument("--mermaid", action="store_true", help="as a Mermaid flowchart")
    graph.add_argument(
        "--width", type=_positive, metavar="N", help="columns (default: those of the terminal)"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def _app(config: Config) -> int:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        print(
            "wrkflw-tui: the app needs a terminal;"
            " without one there are `wrkflw-tui worker` and `wrkflw-tui check`",
            file=sys.stderr,
        )
        return 2
    # There is no garbage yet, and looking for it takes a tenth of the start; the app ends this.
    gc.disable()
    from wrkflw_tui.tui.feed import Feed

    feed = Feed(config.database)
    feed.start()  # it reads while the rest is loaded
    from wrkflw_tui.tui.app import WrkflwApp
    from wrkflw_tui.worker.link import BackgroundWorker

    worker = BackgroundWorker(config, lambda: app.storage.database)
    app = WrkflwApp(config, worker=worker, feed=feed)
    app.run()
    return app.return_code or 0


def _worker(config: Config, max_runs: int | None, *, for_app: bool) -> int:
    from wrkflw_tui.worker.service import serve

    return serve(config, max_runs=max_runs or config.max_runs, for_app=for_app)


def _unit(config: Config, max_runs: int | None) -> int:
    from wrkflw_tui.worker.unit import unit

    print(unit(config, max_runs), end="")
    return 0


def _check(config: Config) -> int:
    from wrkflw_tui.worker.check import check

    return check(config)


def _graph(config: Config, id: str, width: int | None, *, as_mermaid: bool) -> int:
    from wrkflw_tui.commands.graph import graph

    return graph(config, id, width, as_mermaid=as_mermaid)
