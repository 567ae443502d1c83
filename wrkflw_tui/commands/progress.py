"""How far a command is, on a terminal only."""

from __future__ import annotations

import sys

from wrkflw_tui.commands.printing import is_terminal

CLEAR_LINE = "\r\x1b[K"


class Progress:
    """A line on standard error that is gone at the end."""

    def __init__(self) -> None:
        self._is_shown = is_terminal(sys.stderr)
        self._said = ""

    def tell(self, text: str) -> None:
        """Say how far it is."""
        if self._is_shown and text != self._said:
            self._said = text
            sys.stderr.write(f"{CLEAR_LINE}{text}")
            sys.stderr.flush()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._said:
            sys.stderr.write(CLEAR_LINE)
            sys.stderr.flush()
