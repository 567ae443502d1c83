"""The commands: read and handed on. Each imports what it needs only when it runs."""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import TYPE_CHECKING

from wrkflw_tui.commands.exits import INTERRUPTED, WRONG_CALL, code_for
from wrkflw_tui.commands.parser import read
from wrkflw_tui.config import load_config
from wrkflw_tui.engine.errors import WrkflwError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from wrkflw_tui.commands.follow import Following
    from wrkflw_tui.config import Config

BROKEN_PIPE = 141
"""What a shell makes of a program that nobody reads from any more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, as `commands/exits.py` has them."""
    options = read(sys.argv[1:] if arguments is None else arguments)
    _print_whatever_comes()
    try:
        code = _run(load_config(options.folder, options.database), options)
        sys.stdout.flush()
    except WrkflwError as error:
        print(f"wrkflw-tui: {error}", file=sys.stderr)
        return code_for(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is left in the buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _print_whatever_comes() -> None:
    """Let a terminal that cannot show a character show another, not end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _run(config: Config, options: argparse.Namespace) -> int:
    match options.command:
        case None:
            return _app(config)
        case "run" | "runs" | "show" | "logs" | "list":
            return _on_runs(config, options)
        case "cancel" | "answer" | "send" | "fork":
            return _to_runs(config, options)
        case "schedules":
            return _on_schedules(config, options)
        case "secrets":
            return _on_secrets(config, options)
        case _:
            return _other(config, options)


def _on_runs(config: Config, options: argparse.Namespace) -> int:
    match options.command:
        case "list":
            from wrkflw_tui.commands.list import list_workflows

            return list_workflows(config, as_json=options.json)
        case "run":
            from wrkflw_tui.commands.run import run

            how = _following(options, options.wait)
            return run(config, options.id, options.input, how, as_json=options.json)
        case "runs":
            from wrkflw_tui.commands.runs import Filter, runs

            wanted = Filter(
                options.workflow, options.status, options.since, options.text, options.limit
            )
            return runs(config, wanted, as_json=options.json)
        case "show":
            from wrkflw_tui.commands.show import show

            how = _following(options, options.follow)
            return show(config, options.run, how, as_json=options.json, every=options.all)
        case _:
            from wrkflw_tui.commands.logs import Lines, logs

            lines = Lines(options.step, options.stream, options.tail, options.times, options.json)
            return logs(config, options.run, lines, follow=options.follow)


def _to_runs(config: Config, options: argparse.Namespace) -> int:
    match options.command:
        case "cancel":
            from wrkflw_tui.commands.cancel import cancel

            return cancel(config, options.runs)
        case "answer":
            from wrkflw_tui.commands.telling import answer

            how = _following(options, options.wait)
            return answer(config, options.run, options.given, options.path, options.key, how)
        case "send":
            from wrkflw_tui.commands.telling import send

            how = _following(options, options.wait)
            return send(config, options.run, options.event, options.given, how)
        case _:
            from wrkflw_tui.commands.fork import fork

            how = _following(options, options.wait)
            return fork(config, options.run, options.step, options.input, how, as_json=options.json)


def _on_schedules(config: Config, options: argparse.Namespace) -> int:
    from wrkflw_tui.commands import schedules

    match options.action:
        case None | "list":
            return schedules.list_schedules(config, as_json=options.json)
        case "add" | "edit":
            return _settle_schedule(config, options)
        case "trigger":
            how = _following(options, options.wait)
            return schedules.trigger(config, options.schedule, how, as_json=options.json)
        case "backfill":
            from wrkflw_tui.commands.backfill import Range, backfill

            wanted = Range(options.since, options.until, options.dry_run, options.yes)
            return backfill(config, options.schedule, wanted, as_json=options.json)
        case "next":
            from wrkflw_tui.commands.next_fires import next_fires

            which = (options.schedule, options.cron, options.zone)
            return next_fires(config, options.amount, *which, as_json=options.json)
        case "pause":
            given = (options.until, options.note)
            return schedules.pause(config, options.schedule, *given, as_json=options.json)
        case _:
            work = {
                "resume": schedules.resume, "skip": schedules.skip, "remove": schedules.remove
            }  # fmt: skip
            return work[options.action](config, options.schedule, as_json=options.json)


def _settle_schedule(config: Config, options: argparse.Namespace) -> int:
    from wrkflw_tui.commands import scheduling

    given = scheduling.given(options)
    if options.action == "add":
        return scheduling.add(config, options.id, given, options.input, as_json=options.json)
    return scheduling.edit(config, options.schedule, given, options.input, as_json=options.json)


def _on_secrets(config: Config, options: argparse.Namespace) -> int:
    from wrkflw_tui.commands import secrets

    match options.action:
        case None | "list":
            return secrets.list_secrets(config, as_json=options.json)
        case "set":
            return secrets.set_secret(options.name)
        case _:
            return secrets.remove_secret(options.name)


def _other(config: Config, options: argparse.Namespace) -> int:
    match options.command:
        case "graph":
            from wrkflw_tui.commands.graph import graph

            return graph(config, options.id, options.width, as_mermaid=options.mermaid)
        case "check":
            from wrkflw_tui.worker.check import check

            return check(config)
        case "prune":
            from wrkflw_tui.commands.prune import Wanted, prune

            wanted = Wanted(tuple(options.workflows), options.keep_runs, options.keep_for)
            return prune(config, wanted, dry_run=options.dry_run, as_json=options.json)
        case "backup":
            from wrkflw_tui.commands.backup import backup

            return backup(config, options.file, force=options.force, as_json=options.json)
        case "init":
            from wrkflw_tui.commands.init import init

            return init(config, options.dir)
        case "completion":
            from wrkflw_tui.commands.completion import completion

            return completion(options.shell)
        case "serve":
            from wrkflw_tui.commands.serve import serve

            return serve(config, options.host, options.port, options.token)
        case _:
            return _worker(config, options)


def _worker(config: Config, options: argparse.Namespace) -> int:
    if options.stop:
        from wrkflw_tui.commands.stop_worker import stop_worker

        return stop_worker(config)
    if options.systemd:
        from wrkflw_tui.worker.unit import unit

        print(unit(config, options.max_runs), end="")
        return 0
    from wrkflw_tui.worker.service import serve

    return serve(
        config,
        max_runs=options.max_runs or config.max_runs,
        for_app=options.for_app,
        until_idle=options.until_idle,
    )


def _following(options: argparse.Namespace, wanted: bool) -> Following | None:
    if not wanted:
        return None
    from wrkflw_tui.commands.follow import Following

    return Following(
        quiet=options.quiet,
        as_json=options.json,
        timeout=options.timeout,
        cancels=options.cancel_on_interrupt,
    )


def _app(config: Config) -> int:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        print(
            "wrkflw-tui: the app needs a terminal; without one there are `wrkflw-tui worker`,"
            " `wrkflw-tui run ID` and more: see `wrkflw-tui --help`",
            file=sys.stderr,
        )
        return WRONG_CALL
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
