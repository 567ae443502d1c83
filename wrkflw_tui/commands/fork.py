"""`wrkflw-tui fork`: a new run over what came before a step of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.commands.care import Care
from wrkflw_tui.commands.given import read_given
from wrkflw_tui.commands.looking import look
from wrkflw_tui.commands.record import reading
from wrkflw_tui.commands.run import go_on
from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.ids import new_run_id
from wrkflw_tui.forms.step_input import ask_step_input
from wrkflw_tui.store import forks, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.commands.follow import Following
    from wrkflw_tui.config import Config


def fork(
    config: Config,
    text: str,
    at: str,
    given: Sequence[str],
    how: Following | None,
    *,
    as_json: bool,
) -> int:
    """Queue a fork; with an input `given`, that step gets it instead of the value in hand.

    Raises `WrongCall` where the input does not fit, and what `forks.fork` does.
    """
    with reading(config) as connection:
        run = runs.read_summary(connection, runs.find_run(connection, text))
        paths = runs.read_snapshot(connection, run.run_id).step_results
    entry = look(config).find(run.workflow_id)
    payload = None
    if given and at in paths:
        payload = read_given(
            f"the input of {at}",
            ask_step_input(config.folder, entry.file, entry.workflow_id, at),
            given,
        )
    new_id = new_run_id()
    definition = forks.Definition(
        entry.workflow_id, entry.graph, entry.definition_hash, entry.steps_total
    )
    care = Care(config, quiet=how is not None and how.quiet)
    care.write(
        lambda c: forks.fork(c, run.run_id, at, definition, new_id, payload, "cli", micros_now())
    )
    return go_on(config, new_id, how, care, as_json=as_json)
