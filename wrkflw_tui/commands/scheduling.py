"""`wrkflw-tui schedules add` and `edit`: when a workflow is started, and on what terms."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from wrkflw_tui.commands import planned
from wrkflw_tui.commands.exits import WrongCall
from wrkflw_tui.commands.printing import print_json, say
from wrkflw_tui.commands.record import write
from wrkflw_tui.commands.schedule_options import FLAGS

if TYPE_CHECKING:
    import argparse
    import sqlite3
    from collections.abc import Mapping, Sequence

    from wrkflw_tui.config import Config
    from wrkflw_tui.engine.terms import ScheduleTerms
    from wrkflw_tui.forms.fields import Schema
    from wrkflw_tui.store.schedules import ScheduleRow

SHOWN = 3
"""How many of the next fires are told."""


def given(options: argparse.Namespace) -> dict[str, str]:
    """Return the settings that were given, as they were typed. Raises `WrongCall`."""
    said = {name: getattr(options, name) for name in FLAGS}
    if said["exclude"] is not None:
        said["exclude"] = ", ".join(said["exclude"])
    ways = {"CRON": options.cron, "--every": options.every, "--once": options.once}
    chosen = [name for name, text in ways.items() if text is not None]
    if len(chosen) > 1:
        raise WrongCall(f"give one of CRON, --every and --once, not {' and '.join(chosen)}")
    for name in chosen:
        prefix = "" if name == "CRON" else f"{name[2:]} "
        said["timing"] = prefix + ways[name]
    return {name: text for name, text in said.items() if text is not None}


def add(
    config: Config,
    workflow_id: str,
    texts: Mapping[str, str],
    typed: Sequence[str],
    *,
    as_json: bool,
) -> int:
    """Put a schedule on record and print its id. Raises `WrongCall`."""
    from wrkflw_tui.commands.looking import look
    from wrkflw_tui.schedules import actions

    entry = look(config).find(workflow_id)
    if "timing" not in texts:
        raise WrongCall("say when: CRON, --every or --once")
    terms = _terms(texts)
    fires = _fires(terms)
    text = _input(workflow_id, entry.input_schema, typed)
    schedule_id = write(
        config, lambda c: actions.add(c, workflow_id, terms, text, int(time.time()))
    )
    _tell(config, f"{workflow_id} is scheduled", terms, fires)
    if as_json:
        print_json(planned.shape_now(config, schedule_id))
    else:
        print(schedule_id)
    return 0


def edit(
    config: Config, name: str, texts: Mapping[str, str], typed: Sequence[str], *, as_json: bool
) -> int:
    """Give a schedule the settings that were given. Raises `WrongCall` and `ScheduleInCode`."""
    from wrkflw_tui.schedules import actions

    row = planned.find(config, name)
    if not texts and not typed:
        raise WrongCall("say what to change: see `wrkflw-tui schedules edit --help`")
    if row.source == "code" and set(texts) == {"note"} and not typed:
        write(config, lambda c: actions.remark(c, row.schedule_id, texts["note"]))
        say(f"noted of {planned.name(row)}")
    else:
        _change(config, row, texts, typed)
    if as_json:
        print_json(planned.shape_now(config, row.schedule_id))
    return 0


def _change(
    config: Config, row: ScheduleRow, texts: Mapping[str, str], typed: Sequence[str]
) -> None:
    from wrkflw_tui.forms.schedule_terms import as_texts
    from wrkflw_tui.schedules import actions
    from wrkflw_tui.store import schedules

    terms = _terms({**as_texts(row.terms), **texts})
    fires = _fires(terms) if "timing" in texts else None
    text = _input_of(config, row, typed) if typed else row.input

    def change(connection: sqlite3.Connection) -> None:
        actions.change(connection, row.schedule_id, terms, text, int(time.time()))
        if "note" in texts:  # it holds over what was noted of it meanwhile
            schedules.set_remark(connection, row.schedule_id, "")

    write(config, change)
    _tell(config, f"{row.schedule_id} ({row.workflow_id}) is changed", terms, fires or [])


def _terms(texts: Mapping[str, str]) -> ScheduleTerms:
    """Read the settings. Raises `WrongCall`, which names the flag."""
    from wrkflw_tui.forms.schedule_terms import read_terms
    from wrkflw_tui.schedules.schedule import ScheduleError

    try:
        return read_terms(texts)
    except ScheduleError as error:
        setting = error.setting
        word = texts.get("timing", "").partition(" ")[0]
        kind = {"every": "--every", "once": "--once"}.get(word, "CRON")
        raise WrongCall(f"{FLAGS.get(setting, kind)}: {error.problem}") from error


def _fires(terms: ScheduleTerms) -> list[datetime]:
    from wrkflw_tui.schedules.actions import upcoming

    found = upcoming(terms, datetime.now(UTC), SHOWN)
    if not found:
        raise WrongCall(f"{terms.timing!r} never fires on these terms")
    return found


def _input(workflow_id: str, schema: str, typed: Sequence[str]) -> str:
    from wrkflw_tui.commands.given import read_given

    return read_given(f"the input of {workflow_id}", cast("Schema", json.loads(schema)), typed)


def _input_of(config: Config, row: ScheduleRow, typed: Sequence[str]) -> str:
    """Read another input; where only some of its fields are given, the others stay."""
    from wrkflw_tui.commands.looking import look

    schema = look(config).find(row.workflow_id).input_schema
    is_partial = isinstance(json.loads(row.input), dict) and all(
        "=" in token and token[:1] not in ("{", "@") for token in typed
    )
    return _input(row.workflow_id, schema, [row.input, *typed] if is_partial else typed)


def _tell(config: Config, done: str, terms: ScheduleTerms, fires: Sequence[datetime]) -> None:
    from wrkflw_tui.schedules.lint import lint
    from wrkflw_tui.schedules.pointers import resolve_zone
    from wrkflw_tui.schedules.when import parse_timing

    zone = resolve_zone(terms.timezone)
    say(f"{done}: {planned.words(terms.timing)} ({zone})")
    for warning in lint(parse_timing(terms.timing), zone):
        say(f"  note: {warning}")
    for fire in fires:
        say(f"  {planned.in_zone(fire, zone)}")
    planned.say_if_nobody_fires(config)
