"""What shall become of runs that are at work when the app is left."""

from __future__ import annotations

from wrkflw_tui.tui.screens.confirm import Answer, Confirm
from wrkflw_tui.tui.text import count

_ANSWERS = (
    Answer("leave", "Leave them running", "l"),
    Answer("stop", "Stop them", "s", "error"),
    Answer("stay", "Stay", "n"),
)


def ask_quit(runs: int) -> Confirm:
    """Make the question."""
    return Confirm(
        f"Quit? {count(runs, 'run')} {'is' if runs == 1 else 'are'} going.",
        "Left to the background worker they go on without the app, and so do schedules, until "
        "`wrkflw-tui worker --stop`. Stopped, they wait and go on with the next start; no finished "
        "step runs again.",
        _ANSWERS,
    )
