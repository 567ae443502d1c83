"""The idle runners of a worker: one is kept ready, so that a run starts in milliseconds."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from wrkflw_tui.worker.children import Children
from wrkflw_tui.worker.linux import reap_strangers
from wrkflw_tui.worker.process import RunnerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from wrkflw_tui.config import Config
    from wrkflw_tui.worker.stopping import Stopping

LOOK = 0.1
"""Seconds between two looks whether an idle runner is there."""
NO_ROOM = 1.0
"""Seconds until the next try where the system has no room for a process."""
STRANGERS_LOOK = 1.0
"""Seconds between two looks for what runs have left behind."""


class Pool:
    """Starts runners, and keeps some that wait for a job."""

    def __init__(
        self,
        config: Config,
        stopping: Stopping,
        complain: Callable[[str], object],
        *,
        wanted: int,
        may_fork: bool,
    ) -> None:
        self._database = config.database
        self._stopping = stopping
        self._complain = complain
        self._wanted = wanted
        self._children = Children(config.folder, config.database, may_fork=may_fork)
        self._idle: deque[RunnerProcess] = deque()

    async def take(self) -> RunnerProcess | None:
        """Return a runner, an idle one if there is any; `None` where there is no room for one."""
        while self._idle:
            runner = self._idle.popleft()
            if runner.is_alive:
                return runner
        return await self._start()

    async def _start(self) -> RunnerProcess | None:
        try:
            return RunnerProcess(await self._children.start())
        except OSError as error:
            self._complain(f"no process could be started: {error}")
            return None

    async def keep(self, has_free_core: Callable[[], bool]) -> None:
        """Keep idle runners ready until the worker ends.

        In the middle of a burst that would only slow down the runs that are there.
        """
        while not self._stopping.is_set:
            while self._idle and not self._idle[0].is_alive:
                await self._idle.popleft().reap()
            if len(self._idle) < self._wanted and has_free_core() and self._database.exists():
                runner = await self._start()
                if runner is None:
                    await self._stopping.wait(NO_ROOM)
                    continue
                self._idle.append(runner)
            await self._stopping.wait(LOOK)

    async def reap_strangers(self) -> None:
        """Reap what runs have left behind, and what has ended since, until the worker ends."""
        seen: set[int] = set()
        while not self._stopping.is_set:
            seen = reap_strangers(self._children.pids, seen)
            await self._stopping.wait(STRANGERS_LOOK)

    def dismiss(self) -> None:
        """Let the idle ones end."""
        for runner in self._idle:
            runner.dismiss()

    def close(self) -> None:
        """Start no more."""
        self._children.close()
