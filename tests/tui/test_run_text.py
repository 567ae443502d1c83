"""What the panes of a run say."""

from __future__ import annotations

from typing import get_args

import pytest

from wrkflw_tui.store.claims import Trigger
from wrkflw_tui.tui.run_text import trigger_words


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ("app", "the app"),
        ("cli", "the command line"),
        ("library", "a program"),
        ("schedule", "a schedule"),
        ("follow-up", "a follow-up"),
        ("http", "HTTP"),
    ],
)
def test_each_trigger_has_words(trigger: str, words: str) -> None:
    assert trigger in get_args(Trigger)
    assert trigger_words(trigger) == words
