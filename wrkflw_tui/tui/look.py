"""What a look at the record finds: everything that the lists show at first, then what is new."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wrkflw_tui.store import catalog, checking, notices, questions
from wrkflw_tui.store.removed import removed_now, removed_since
from wrkflw_tui.store.summaries import first_runs, revision_now
from wrkflw_tui.tui.known import HISTORY, Catalog, Change
from wrkflw_tui.tui.look_schedules import ScheduleLook

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

PAGE = 100
"""How many runs are read at first."""


class Look:
    """Remembers how far the record has been read."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._revision = 0
        self._removed = 0
        self._finding: str | None = None
        self._told = 0
        self._catalog: tuple[int, int] | None = None
        self._schedules = ScheduleLook(connection)

    def first(self) -> Change:
        """Read what the lists show at first: not every run that ever was."""
        self._connection.execute("BEGIN")  # one moment of the record
        try:
            self._revision = revision_now(self._connection)
            self._removed = removed_now(self._connection)
            self._told = notices.newest(self._connection)
            found = self._read_catalog()
            runs = first_runs(self._connection, PAGE, HISTORY)
            planned = self._schedules.first()
            asked = tuple(questions.of_all(self._connection))
            problem = self._read_finding() or ""
        finally:
            self._connection.execute("COMMIT")
        return Change(
            tuple(runs), catalog=found, schedules=planned, questions=asked, problem=problem
        )

    def again(self) -> Change:
        """Read what is newer than the last look."""
        from wrkflw_tui.store.runs import runs_since  # not needed for the first frame

        # Before the runs: one that is put on record again under its id is there.
        removed = removed_since(self._connection, self._removed)
        if removed is None:
            return self._first_after_many()
        self._removed, gone = removed
        changed = runs_since(self._connection, self._revision)
        planned = self._schedules.again(self._revision, gone)
        if changed:
            self._revision = changed[-1].revision
        found, problem = self._read_catalog(), self._read_finding()
        # Who asks, or is answered, is a run that changed.
        asked = tuple(questions.of_all(self._connection)) if changed or gone else None
        told = tuple(notices.since(self._connection, self._told))
        if told:
            self._told = told[-1].key
        return Change(tuple(changed), tuple(gone), found, planned, asked, problem, told)

    def _first_after_many(self) -> Change:
        """Read everything anew: so many runs were removed that the record knows not all of them."""
        self._catalog = self._finding = None
        return replace(self.first(), removed=None)

    def _read_finding(self) -> str | None:
        finding = checking.known_finding(self._connection) or ""
        if finding == self._finding:
            return None
        self._finding = finding
        return checking.in_words(self._path, finding) if finding else ""

    def _read_catalog(self) -> Catalog | None:
        revision = catalog.catalog_revision(self._connection)
        if revision == self._catalog:
            return None
        self._catalog = revision
        return Catalog(
            tuple(catalog.list_files(self._connection)),
            tuple(catalog.list_workflows(self._connection)),
        )
