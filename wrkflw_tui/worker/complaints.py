"""What goes wrong again and again is told now and then, not each time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AGAIN = 60.0
"""Seconds until the same is told once more."""


class Complaints:
    """Tells what is wrong, and the same again only after a while."""

    def __init__(
        self, tell: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._told: dict[str, float] = {}

    def __call__(self, text: str) -> None:
        """Tell it, unless that was done just now."""
        now = self._clock()
        self._told = {told: at for told, at in self._told.items() if now - at < AGAIN}
        if text not in self._told:
            self._told[text] = now
            self._tell(text)
