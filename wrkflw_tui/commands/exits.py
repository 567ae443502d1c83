"""The exit codes that a script can rely on, and what each error comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.config import ConfigError
from wrkflw_tui.engine.errors import AmbiguousAnswer, WrkflwError

if TYPE_CHECKING:
    from wrkflw_tui.engine.models import RunStatus

DONE = 0
FAILED = 1
WRONG_CALL = 2
WAITING = 3
CANCELLED = 4
TIMED_OUT = 124
INTERRUPTED = 130
TERMINATED = 143

TABLE = """\
exit codes:
  0    done; of a run that was followed: it succeeded
  1    it failed, or could not be done
  2    called wrongly: nothing was changed
  3    the run waits for a person or an event
  4    the run was cancelled
  124  --timeout has passed; the run goes on
  130  interrupted (ctrl-c); a run that was followed goes on
  143  terminated; a run that was followed goes on
"""


class WrongCall(WrkflwError):
    """What was asked for cannot be meant; nothing was changed."""


_WRONG_CALLS = (AmbiguousAnswer, ConfigError, LookupError, ValueError, WrongCall)
"""Errors of this package that are one of these say that something is not there, or does not fit."""


def code_for(error: WrkflwError) -> int:
    """Return the exit code that an error comes to."""
    return WRONG_CALL if isinstance(error, _WRONG_CALLS) else FAILED


def code_of(status: RunStatus) -> int:
    """Return the exit code for a run that is followed no longer."""
    return {"success": DONE, "suspended": WAITING, "cancelled": CANCELLED}.get(status, FAILED)
