"""`wrkflw-tui run`: a run queued for the worker, and followed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from wrkflw_tui.commands.care import Care
from wrkflw_tui.commands.given import read_given
from wrkflw_tui.commands.looking import look
from wrkflw_tui.commands.printing import print_json, say
from wrkflw_tui.commands.record import reading
from wrkflw_tui.commands.shapes import run_shape
from wrkflw_tui.store import claims, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.commands.follow import Following
    from wrkflw_tui.config import Config
    from wrkflw_tui.forms.fields import Schema


def run(
    config: Config,
    workflow_id: str,
    given: Sequence[str],
    how: Following | None,
    *,
    as_json: bool,
) -> int:
    """Queue a run of a workflow; without `how` its id is printed and that is all.

    Raises `WrongCall` where there is no such workflow, or the input does not fit.
    """
    entry = look(config).find(workflow_id)
    schema = cast("Schema", json.loads(entry.input_schema))
    text = read_given(f"the input of {workflow_id}", schema, given)
    care = Care(config, quiet=how is not None and how.quiet)
    run_id = care.write(lambda c: claims.enqueue(c, workflow_id, text, "cli"))
    return go_on(config, run_id, how, care, as_json=as_json)


def go_on(config: Config, run_id: str, how: Following | None, care: Care, *, as_json: bool) -> int:
    """Follow a run that was just queued, or print its id."""
    if how is not None:
        from wrkflw_tui.commands.follow import follow

        if not how.quiet:
            say(f"run {run_id}")
        return follow(config, run_id, how, care)
    if as_json:
        with reading(config) as connection:
            print_json(run_shape(runs.read_summary(connection, run_id)))
    else:
        print(run_id)
    return 0
