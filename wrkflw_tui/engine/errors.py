"""Every error that the engine raises on purpose. Standard library only."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from wrkflw_tui.engine.masking import mask
from wrkflw_tui.engine.models import ErrorInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wrkflw_tui.engine.models import Question


class WrkflwError(Exception):
    """Base of every error of this package."""


class DefinitionError(WrkflwError):
    """A step or workflow is defined in a way that cannot run."""


class InvalidInput(WrkflwError, ValueError):
    """A workflow's input does not fit its schema. Nothing was put on record."""


class RunNotFound(WrkflwError, LookupError):
    """No run of that id is on record."""


class RunAlreadyStarted(WrkflwError):
    """A run of that id is on record already."""


class RunAlreadyClaimed(WrkflwError):
    """Another process is walking this run."""


class RunEnded(WrkflwError):
    """The run has ended; what was asked is not possible any more."""


class UnknownPath(WrkflwError, LookupError):
    """There is nothing at that path that this could be done to."""


class NotSuspended(WrkflwError):
    """The run does not wait for that answer or event."""


class AmbiguousAnswer(WrkflwError):
    """Several questions are open, and the answer does not say which it is for."""


class InvalidAnswer(WrkflwError, ValueError):
    """An answer, or an event's payload, does not fit what was asked for."""


class DefinitionChanged(WrkflwError):
    """A run's record does not fit its workflow any more; says what differs."""


class NoState(WrkflwError, LookupError):
    """The workflow has no state of that kind."""


class InvalidState(WrkflwError, ValueError):
    """What a step set does not fit the workflow's `state_schema`."""


class StepNotRun(WrkflwError, LookupError):
    """The step has no result in this run."""


class StepTimeout(WrkflwError):
    """A step, or a whole workflow, took longer than its timeout."""


class EventTimeout(WrkflwError):
    """An event that was awaited did not come in time."""


class StepCrashed(WrkflwError):
    """The process died during this step, three times in a row."""


class NoConditionHolds(WrkflwError):
    """A branch without `otherwise` had no condition that holds."""


class TooManyIterations(WrkflwError):
    """A loop went round as often as it may, and its condition still asks for more."""


class GiveUp(WrkflwError):
    """Raised by a step to fail for good: it is never retried."""


class WorkflowFailed(WrkflwError):
    """A run failed. Its cause is the exception that the step raised."""

    def __init__(self, run_id: str, path: str, error: ErrorInfo) -> None:
        super().__init__(f"{path or 'the workflow'} failed with {error}")
        self.run_id = run_id
        self.path = path
        """The path of the step that failed; empty for the workflow itself."""
        self.error = error
        """The failure as recorded."""


class WorkflowCancelled(WrkflwError):
    """A run was cancelled."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} was cancelled")
        self.run_id = run_id


class WorkflowSuspended(WrkflwError):
    """A run waits to be told something before it can go on."""

    def __init__(self, run_id: str, questions: Sequence[Question]) -> None:
        asked = "; ".join(map(str, questions))
        super().__init__(f"run {run_id} waits for: {asked or 'nothing that is still open'}")
        self.run_id = run_id
        self.questions = tuple(questions)
        """What it waits for, in the order of asking."""


class SecretNotFound(WrkflwError, LookupError):
    """A secret is not there, or not any more; says where to put it."""


class StorageError(WrkflwError):
    """The record cannot be read or written; says which file and why."""


_ENGINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")


def printable(text: str) -> str:
    """Return `text` as it can be stored: secrets masked, lone surrogates escaped for UTF-8."""
    return mask(text).encode("utf-8", "backslashreplace").decode("utf-8")


def describe_error(error: BaseException) -> ErrorInfo:
    """Describe an exception for the record: type, message, causes and traceback text."""
    return _describe(error, seen=set())


LONGEST_MESSAGE = 20_000
"""Characters of an error's message that are kept: a person reads it, and each list shows it."""
LONGEST_NAME = 200
MOST_CAUSES = 20


def _describe(error: BaseException, seen: set[int]) -> ErrorInfo:
    seen.add(id(error))
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    known = cause is None or id(cause) in seen or len(seen) > MOST_CAUSES
    return ErrorInfo(
        type=printable(type(error).__name__[:LONGEST_NAME]),
        message=printable(_shortened(_message(error))),
        traceback=printable(_own_traceback(error)),
        cause=None if known or cause is None else _describe(cause, seen),
    )


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as broken:
        # An author's __str__ may itself raise; the failure must be recorded all the same.
        return f"<no message: __str__ raised {type(broken).__name__}>"
    return text or (_no_memory() if isinstance(error, MemoryError) else "")


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_MESSAGE:
        return text
    return f"{text[:LONGEST_MESSAGE]}… ({len(text):,} characters in all)"


def _no_memory() -> str:
    """Say how much memory this process may have: Python itself says nothing."""
    try:
        import resource  # not everywhere

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
    except (ImportError, OSError):
        return "there was no more memory"
    if most == resource.RLIM_INFINITY:
        return "there was no more memory"
    return (
        f"there was no more memory: this process may have {most >> 20:,} MB of addresses,"
        " what it began with included (max_memory_mb, or ulimit -v)"
    )


def _own_traceback(error: BaseException) -> str:
    """Return the traceback from the author's code on: how the engine called it helps nobody."""
    frames = list(traceback.extract_tb(error.__traceback__))
    while frames and frames[0].filename.startswith(_ENGINE):
        frames.pop(0)
    return "".join(traceback.StackSummary.from_list(frames).format())
