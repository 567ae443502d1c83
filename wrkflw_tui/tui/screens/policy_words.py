"""What the policies of a schedule mean, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.engine.terms import AUTO, UNLIMITED
from wrkflw_tui.tui import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wrkflw_tui.engine.terms import ScheduleTerms

OVERLAP = {
    "skip": "skip while one is running",
    "queue_one": "one waits while another is running",
    "queue_all": "all wait while one is running",
    "cancel_previous": "cancel one that is running",
    "allow": "start beside one that is running",
}
CATCH_UP = {
    "none": "missed fires are left out",
    "latest": "the latest missed fire is made up for",
    "all": "all missed fires are made up for",
}


def policies(terms: ScheduleTerms) -> str:
    """Say on what terms a schedule fires: always the first two, the rest where it is set."""
    return "; ".join([OVERLAP[terms.overlap], CATCH_UP[terms.catch_up], *_set(terms)])


def _set(terms: ScheduleTerms) -> Iterator[str]:
    if terms.late_limit == UNLIMITED:
        yield "however late"
    elif terms.late_limit != AUTO:
        yield f"up to {terms.late_limit} late"
    if terms.jitter:
        yield f"put off by up to {text.duration(float(terms.jitter))}"
    if terms.pause_after_failures:
        yield f"paused after {text.count(terms.pause_after_failures, 'failure')} in a row"
    if terms.expect_within is not None:
        yield f"expected within {text.duration(float(terms.expect_within))}"
    if terms.max_runs is not None:
        yield f"{text.count(terms.max_runs, 'run')} at most"
    if terms.start_at is not None:
        yield f"from {terms.start_at}"
    if terms.end_at is not None:
        yield f"until {terms.end_at}"
    if terms.exclude:
        shown = ", ".join(terms.exclude[:3])
        more = f" and {len(terms.exclude) - 3} dates more" if len(terms.exclude) > 3 else ""
        yield f"not on {shown}{more}"
