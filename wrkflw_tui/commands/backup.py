"""`wrkflw-tui backup`: a copy of the record, whole and verified, while others write to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from wrkflw_tui.commands.exits import DONE, WrongCall
from wrkflw_tui.commands.printing import print_json
from wrkflw_tui.commands.progress import Progress
from wrkflw_tui.commands.record import reading
from wrkflw_tui.drawing.words import count, size
from wrkflw_tui.store import copying

if TYPE_CHECKING:
    import sqlite3

    from wrkflw_tui.config import Config


def backup(config: Config, file: str, *, force: bool, as_json: bool) -> int:
    """Copy the record to a file, and print its size. Raises `WrongCall` and `StorageError`."""
    target = Path(os.path.abspath(os.path.expanduser(file)))
    if not config.database.exists():
        raise WrongCall(f"there is no record yet: {config.database} is not there")
    _check(config.database, target, force=force)
    # As it is: of an older format it stays, and so does what is damaged in it.
    with reading(config, as_it_is=True) as connection, Progress() as progress:
        runs = _runs(connection)

        def tell(done: int, total: int) -> None:
            progress.tell(f"copied {done / total:.0%}" if done < total else "verifying the copy")

        try:
            taken = copying.backup(connection, target, replace=force, progress=tell)
        except FileExistsError:
            raise _exists(target) from None
    if as_json:
        print_json({"file": str(target), "bytes": taken, "runs": runs})
    else:
        print(f"{target}: {size(taken)}" + ("" if runs is None else f", {count(runs, 'run')}"))
    return DONE


def _check(record: Path, target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise WrongCall(f"{target} is a folder: name a file in it")
    if target.exists() and target.samefile(record):
        raise WrongCall(f"{target} is the record itself: choose another file")
    if target.exists() and not force:
        raise _exists(target)
    if (log := copying.log_beside(target)) is not None:
        # It would be read as a part of the copy.
        raise WrongCall(f"{target} is a database in use ({log.name} is beside it): choose another")


def _exists(target: Path) -> WrongCall:
    return WrongCall(f"{target} is there already: choose another file, or replace it with --force")


def _runs(connection: sqlite3.Connection) -> int | None:
    """Count the runs; a record that is damaged may not let them be counted."""
    import sqlite3

    try:
        row = connection.execute("SELECT count(*) FROM wrkflw_workflow_runs").fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return None
    return cast("int", row[0])
