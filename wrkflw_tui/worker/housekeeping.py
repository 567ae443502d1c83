"""The care of the file, on a thread of its own: looked through, pruned, and made smaller."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from wrkflw_tui.config import SETTINGS_FILE
from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.errors import WrkflwError
from wrkflw_tui.store import checking, copying, retention
from wrkflw_tui.store.file import Turn, connect, next_run_revision, transaction
from wrkflw_tui.store.housekeeping import Housekeeper, Stopped, space
from wrkflw_tui.store.trouble import UNREADABLE, named
from wrkflw_tui.worker.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wrkflw_tui.config import Config
    from wrkflw_tui.store.retention import Rule

FIRST = 2.0
"""Seconds after its start in which a worker has better things to do."""
EVERY = 300.0
"""Seconds between two looks for runs that are kept no longer."""
QUIET = 5.0
"""Seconds in which no run came on after which the file may be made smaller."""
SPARED = 60_000_000
"""Microseconds after its end in which no run goes: whoever follows it has seen it end by then."""
REST = 4.0
"""How many times as long as a step took others are let on after it."""
LEAST_REST = 0.02
"""Seconds that they are let on at least."""
FREE = 0.05
"""The share of the file that may be free: new runs will need it."""
LEAST_FREE = 256
"""Pages that may be free however small the file is."""
LEAST_LOG = 1 << 20
"""Bytes of the log of writes below which it is left as it is."""


class Housekeeping:
    """Keeps one file in order until it is stopped."""

    def __init__(
        self,
        config: Config,
        tell: Callable[[str], object],
        *,
        first: float = FIRST,
        every: float = EVERY,
        quiet: float = QUIET,
        spared: int = SPARED,
    ) -> None:
        self._folder = config.folder
        self._path = config.database
        self._tell = tell
        self._complain = Complaints(tell)
        self._first, self._every, self._quiet, self._spared = first, every, quiet, spared
        self._stopped = threading.Event()
        self._checking: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._keep, name="wrkflw-keeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step at hand, within milliseconds."""
        self._stopped.set()
        if (connection := self._checking) is not None:
            with suppress(sqlite3.Error):  # it may just have been closed
                connection.interrupt()
        if self._thread.ident is not None:
            self._thread.join(timeout=2)

    def _keep(self) -> None:
        if self._stopped.wait(self._first):
            return
        is_whole = self._guarded(self._check)
        if is_whole is False:
            return  # whatever is written to a damaged file may damage it more
        self._guarded(self._care)

    def _guarded(self, work: Callable[[], bool]) -> bool | None:
        """Do it; what goes wrong is told."""
        try:
            return work()
        except (*UNREADABLE, WrkflwError, OSError) as error:
            if not self._stopped.is_set():
                self._complain(str(named(error, self._path)))
        return None

    # -- whether it is whole

    def _check(self) -> bool:
        """Look through the file if that is due; tell what is wrong, and return whether nothing is.

        On a big file that takes long, so it only reads, and is broken off where the worker ends.
        """
        with closing(connect(self._path, read_only=True)) as connection:
            if not checking.is_due(connection, micros_now()):
                return True
            self._checking = connection
            try:
                finding = (
                    "" if self._stopped.is_set() else copying.findings(connection, "quick_check")
                )
            finally:
                self._checking = None
        if self._stopped.is_set():
            return True
        if finding:
            self._tell(checking.in_words(self._path, finding))
        self._record(finding)
        return not finding

    def _record(self, finding: str) -> None:
        with (
            closing(Turn(self._path)) as turn,
            closing(connect(self._path)) as connection,
            turn,
            transaction(connection),
        ):
            checking.record_finding(connection, finding, micros_now())

    # -- what is kept, and its room

    def _care(self) -> bool:
        with closing(Housekeeper(self._path, self._rest)) as keeper:
            due = time.monotonic()
            revision = -1
            while not self._stopped.is_set():
                if time.monotonic() >= due:
                    self._guarded(lambda: self._prune(keeper))
                    due = time.monotonic() + self._every
                seen = next_run_revision(keeper.connection)
                if seen == revision:
                    self._guarded(lambda: self._make_smaller(keeper))
                revision = seen
                self._stopped.wait(self._quiet)
        return True

    def _rest(self, took: float) -> bool:
        return self._stopped.wait(max(LEAST_REST, REST * took))

    def _prune(self, keeper: Housekeeper) -> bool:
        with suppress(Stopped):
            keeper.clear()  # what a worker before has left
            rule_of = _rules(self._folder)
            if rule_of is None:
                return True
            found = retention.surpluses(keeper.connection, rule_of, micros_now(), self._spared)
            for surplus in found:
                removed = keeper.remove(surplus)
                self._tell(f"removed {removed} runs of {surplus.workflow_id}, kept no longer")
            keeper.clear()
        return True

    def _make_smaller(self, keeper: Housekeeper) -> bool:
        """Give room back, while nobody works."""
        if keeper.has_running():
            return True
        with suppress(Stopped):
            now = space(keeper.connection)
            kept = max(LEAST_FREE, int(now.pages * FREE))
            if now.gives_back and now.free > 2 * kept:
                keeper.give_back(kept)
        if _size(self._path.with_name(f"{self._path.name}-wal")) > LEAST_LOG:
            keeper.empty_log()
        return True


def _rules(folder: Path) -> Callable[[str], Rule] | None:
    """Return what the folder's settings keep of each workflow; `None` where nothing is said."""
    if not (folder / SETTINGS_FILE).exists():
        return None  # most have none, and need not wait for what reads it
    from wrkflw_tui.settings import load_settings

    settings = load_settings(folder)

    def rule_of(workflow_id: str) -> Rule:
        said = settings.of(workflow_id)
        return retention.Rule(said.keep_runs, said.keep_for)

    return rule_of


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
