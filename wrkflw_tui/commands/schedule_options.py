"""What can be typed behind `wrkflw-tui schedules`."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from wrkflw_tui.commands import completion, values
from wrkflw_tui.commands.options import Parser, as_json, completed, followed, with_input
from wrkflw_tui.engine.terms import CatchUp, Overlap

if TYPE_CHECKING:
    from collections.abc import Callable

WHICH = "a schedule's id, how it begins, or the id of a workflow that has one"
FLAGS = {
    "timezone": "--zone",
    "overlap": "--overlap",
    "catch_up": "--catch-up",
    "late_limit": "--late-limit",
    "jitter": "--jitter",
    "pause_after_failures": "--pause-after-failures",
    "expect_within": "--expect-within",
    "max_runs": "--max-runs",
    "start_at": "--start",
    "end_at": "--end",
    "exclude": "--exclude",
    "note": "--note",
}
"""The flag of each setting."""
_HELP = {
    "timezone": ("Z", "a time zone, such as Europe/Berlin (default: local, this machine's)"),
    "overlap": (
        "HOW",
        "while the run before still goes: skip (default), queue_one, queue_all, cancel_previous"
        " or allow",
    ),
    "catch_up": ("WHICH", "missed fires to make up for: none, latest (default) or all"),
    "late_limit": ("TIME", "how late one may be made up for: 36h, unlimited, or auto (default)"),
    "jitter": ("TIME", "put each fire off by up to this, such as 5m (default: 0)"),
    "pause_after_failures": ("N", "pause it after so many failures in a row (default: 0, never)"),
    "expect_within": ("TIME", "it is LATE without a success within this, such as 1h"),
    "max_runs": ("N", "fire so often at most"),
    "start_at": ("WHEN", "not before this, such as 2026-12-01T08:00"),
    "end_at": ("WHEN", "not after this"),
    "exclude": ("DATE", "not on these dates, such as 2026-12-24 2026-12-25"),
    "note": ("TEXT", "what it is for"),
}
_CHOICES = {"overlap": get_args(Overlap), "catch_up": get_args(CatchUp)}
_INSTANT = "2026-12-01, 2026-12-01T08:00 in its zone, or how long ago, such as 7d"


def add(make: Callable[..., Parser], places: Parser) -> None:
    """Add the command and its actions."""
    schedules = make("schedules", "list, make and change schedules (without an action: list)")
    as_json(schedules)
    actions = schedules.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser)

    def act(name: str, help: str, *, one: bool = True) -> Parser:
        made = actions.add_parser(
            name,
            parents=[places],
            help=help,
            description=help[0].upper() + help[1:] + ".",
            allow_abbrev=False,
        )
        if one:
            completed(made, "schedule", "SCHEDULE", WHICH, completion.schedule_ids)
        return made

    as_json(act("list", "list all schedules, the soonest first", one=False))
    made = act("add", "schedule a workflow, and print the schedule's id", one=False)
    completed(made, "id", "ID", "a workflow's id", completion.workflow_ids)
    _settings(made, "")
    _settings(act("edit", "change the settings that are given"), " `none` takes a setting away.")
    _changing(act)
    _firing(act)


def _settings(parser: Parser, more: str) -> None:
    parser.description = f"{parser.description}{more}"
    timing = parser.add_argument_group("when, one of these")
    timing.add_argument(
        "cron", nargs="?", metavar="CRON", help="such as '0 18 * * 1-5' or @daily, in quotes"
    )
    timing.add_argument("--every", metavar="TIME", help="at an interval, such as 15m or 1h30m")
    timing.add_argument("--once", metavar="WHEN", help="at one instant, such as 2026-12-01T08:00")
    with_input(parser)
    for name, flag in FLAGS.items():
        metavar, help = _HELP[name]
        parser.add_argument(
            flag,
            dest=name,
            help=help,
            choices=_CHOICES.get(name),
            metavar=metavar,
            nargs="+" if name == "exclude" else None,
        )
    as_json(parser)


def _changing(act: Callable[..., Parser]) -> None:
    pause = act("pause", "let a schedule fire no more until it is resumed")
    pause.add_argument(
        "--until", metavar="WHEN", help="go on by itself then: 2026-12-01[T08:00], or in 2h, 7d"
    )
    pause.add_argument("--note", default="", metavar="TEXT", help="why")
    as_json(pause)
    as_json(act("resume", "let a paused schedule go on from now"))
    as_json(act("skip", "leave out the next fire"))
    as_json(act("remove", "remove a schedule; its runs stay"))


def _firing(act: Callable[..., Parser]) -> None:
    coming = act("next", "print the next fires", one=False)
    coming.add_argument("amount", nargs="?", type=values.positive, default=5, metavar="N")
    completed(coming, "--schedule", "SCHEDULE", f"only of {WHICH}", completion.schedule_ids)
    coming.add_argument("--cron", help="of an expression or `every 15m`, to try it out")
    coming.add_argument("--zone", default="local", metavar="Z", help="with --cron: a time zone")
    as_json(coming)
    trigger = act("trigger", "start a run now, with a schedule's input")
    followed(trigger, "the run")
    backfill = act("backfill", "start the fires of a range that have not run")
    backfill.add_argument("since", metavar="FROM", help=_INSTANT)
    backfill.add_argument(
        "until", metavar="UNTIL", nargs="?", help="a date alone is all of it (default: now)"
    )
    backfill.add_argument(
        "--dry-run", action="store_true", help="start nothing, only say what would be"
    )
    backfill.add_argument("-y", "--yes", action="store_true", help="do not ask, on a terminal")
    as_json(backfill)
