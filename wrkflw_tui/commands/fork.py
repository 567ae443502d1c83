"""`wrkflw-tui fork`: a new run over what came before a step of another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, cast

from wrkflw_tui.commands.care import Care
from wrkflw_tui.commands.given import read_given
from wrkflw_tui.commands.looking import look
from wrkflw_tui.commands.record import reading
from wrkflw_tui.commands.run import go_on
from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import UnknownPath, WrkflwError
from wrkflw_tui.engine.ids import new_run_id
from wrkflw_tui.envfile import read_env_file
from wrkflw_tui.store import forks, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.commands.follow import Following
    from wrkflw_tui.config import Config
    from wrkflw_tui.forms.fields import Schema
    from wrkflw_tui.store.catalog import CatalogEntry

TIMEOUT = 15.0
"""Seconds that an automation may take to say what a step of it takes."""


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
        payload = read_given(f"the input of {at}", _input_schema(config, entry, at), given)
    new_id = new_run_id()
    definition = forks.Definition(
        entry.workflow_id, entry.graph, entry.definition_hash, entry.steps_total
    )
    care = Care(config, quiet=how is not None and how.quiet)
    care.write(
        lambda c: forks.fork(c, run.run_id, at, definition, new_id, payload, "cli", micros_now())
    )
    return go_on(config, new_id, how, care, as_json=as_json)


def _input_schema(config: Config, entry: CatalogEntry, at: str) -> Schema:
    """Ask the automation, in a process of its own, what a step takes."""
    command = [sys.executable, "-m", "wrkflw_tui.worker.step_input"]
    file = config.folder / entry.file
    try:
        done = subprocess.run(
            [*command, str(file), entry.workflow_id, at],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=config.folder,
            env={**os.environ, **read_env_file(config.folder).values},
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WrkflwError(f"{entry.file} took longer than {TIMEOUT:g} s to import") from None
    try:
        said = cast("dict[str, object]", json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        raise WrkflwError(
            f"{entry.file} cannot be read (exit code {done.returncode}): see `wrkflw-tui check`"
        ) from None
    if "error" in said:
        raise UnknownPath(str(said["error"]))
    return cast("Schema", said["schema"])
