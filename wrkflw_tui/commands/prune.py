"""`wrkflw-tui prune`: ended runs that are kept no longer, and the room they took."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrkflw_tui.commands.exits import DONE, WrongCall
from wrkflw_tui.commands.looking import NAMED, UnknownId, near_to
from wrkflw_tui.commands.printing import print_json, print_table, say
from wrkflw_tui.commands.progress import Progress
from wrkflw_tui.commands.record import naming, reading
from wrkflw_tui.drawing.words import count, size
from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.store import retention
from wrkflw_tui.store.housekeeping import Housekeeper, space
from wrkflw_tui.store.retention import Rule, Surplus

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from datetime import timedelta

    from wrkflw_tui.config import Config

LEAST_REST = 0.002
"""Seconds that others are let on after each step, at least."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs are to be kept."""

    workflows: tuple[str, ...] = ()
    """Of these workflows only; of all where none is named."""
    keep_runs: int | None = None
    keep_for: timedelta | None = None

    @property
    def rule(self) -> Rule:
        """What was said of it."""
        return Rule(self.keep_runs, self.keep_for)


@dataclass(frozen=True, slots=True)
class _Found:
    """What goes of one workflow."""

    surplus: Surplus
    runs: int
    bytes: int


def prune(config: Config, wanted: Wanted, *, dry_run: bool, as_json: bool) -> int:
    """Remove what is not to be kept, and give its room back. Raises `WrongCall`."""
    rule_of = _rules(config, wanted)
    with reading(config) as connection:
        found = _find(connection, wanted.workflows, rule_of, measured=dry_run)
    if dry_run:
        _tell_plan(found, as_json=as_json)
        return DONE
    if not config.database.exists():
        _tell(found, 0, as_json=as_json)
        return DONE
    with naming(config.database), closing(Housekeeper(config.database, _rest)) as keeper:
        before = space(keeper.connection)
        with Progress() as progress:
            removed = _remove(keeper, found, progress)
        _make_smaller(keeper)
        given_back = before.size - space(keeper.connection).size
    _tell(removed, given_back, as_json=as_json)
    return DONE


def _remove(keeper: Housekeeper, found: list[_Found], progress: Progress) -> list[_Found]:
    removed: list[_Found] = []
    for one in found:
        progress.tell(f"removing {count(one.runs, 'run')} of {one.surplus.workflow_id}")
        removed.append(_Found(one.surplus, keeper.remove(one.surplus), 0))
    progress.tell("clearing away what they have left")
    keeper.clear()
    return removed


def _rules(config: Config, wanted: Wanted) -> Callable[[str], Rule]:
    if not wanted.rule.keeps_all:
        return lambda workflow_id: wanted.rule
    from wrkflw_tui.settings import FILE, load_settings

    settings = load_settings(config.folder)

    def rule_of(workflow_id: str) -> Rule:
        said = settings.of(workflow_id)
        return Rule(said.keep_runs, said.keep_for)

    all_of_them = [rule_of(id) for id in (*wanted.workflows, *settings.workflow)]
    silent = [id for id in wanted.workflows if rule_of(id).keeps_all]
    if silent or all(rule.keeps_all for rule in (rule_of(""), *all_of_them)):
        of = f" of {', '.join(silent)}" if silent else ""
        raise WrongCall(
            f"nothing says which runs{of} to keep: give --keep-runs N or --keep-for 90d,"
            f" or set keep_runs or keep_for in {config.folder / FILE}"
        )
    return rule_of


def _find(
    connection: sqlite3.Connection,
    named: tuple[str, ...],
    rule_of: Callable[[str], Rule],
    *,
    measured: bool,
) -> list[_Found]:
    now = micros_now()
    known = retention.workflows(connection)
    for id in named:
        if id not in known and not _is_known(connection, id):
            raise UnknownId(_unknown(id, known))
    found = [retention.surplus(connection, id, rule_of(id), now) for id in named or known]
    return [
        _Found(
            one,
            retention.count(connection, one),
            retention.size(connection, one) if measured else 0,
        )
        for one in found
        if one is not None
    ]


def _is_known(connection: sqlite3.Connection, id: str) -> bool:
    """Tell whether there is such a workflow, or a run of it that has not ended."""
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM wrkflw_workflows WHERE workflow_id = :id)"
        " OR EXISTS (SELECT 1 FROM wrkflw_workflow_runs WHERE workflow_id = :id)",
        {"id": id},
    ).fetchone()
    return bool(row[0])


def _unknown(id: str, known: list[str]) -> str:
    near = near_to(id, known) or known[:NAMED]
    instead = f"; there are runs of {', '.join(near)}" if near else ""
    return f"there is no workflow {id!r}, and no run of it{instead}"


def _rest(took: float) -> bool:
    time.sleep(max(LEAST_REST, took))
    return False


def _make_smaller(keeper: Housekeeper) -> None:
    """Give all free room back."""
    now = space(keeper.connection)
    if now.gives_back:
        with Progress() as progress:
            progress.tell("giving their room back")
            keeper.give_back()
    elif now.free:
        say("writing the file anew, once: later it gives room back by itself")
        if not keeper.rebuild():
            say("a run is going: the room will be used for new runs; prune again to give it back")
    keeper.empty_log()


def _tell_plan(found: list[_Found], *, as_json: bool) -> None:
    runs, taken = sum(one.runs for one in found), sum(one.bytes for one in found)
    if as_json:
        print_json({"dry_run": True, **_shape(found), "bytes": taken})
        return
    _print_table(found)
    say(f"{count(runs, 'run')} would be removed, about {size(taken)}; nothing was changed")


def _tell(found: list[_Found], given_back: int, *, as_json: bool) -> None:
    runs = sum(one.runs for one in found)
    if as_json:
        print_json({"dry_run": False, **_shape(found), "bytes": max(0, given_back)})
        return
    _print_table(found)
    say(f"{count(runs, 'run')} removed, {size(max(0, given_back))} given back")


def _print_table(found: list[_Found]) -> None:
    rows = [(one.surplus.workflow_id, str(one.runs)) for one in found]
    if rows:
        print_table(("WORKFLOW", "RUNS"), rows, 0)


def _shape(found: list[_Found]) -> dict[str, object]:
    return {
        "runs": sum(one.runs for one in found),
        "workflows": {one.surplus.workflow_id: one.runs for one in found},
    }
