"""What goes wrong again and again."""

from __future__ import annotations

from wrkflw_tui.worker.complaints import AGAIN, Complaints


def test_the_same_is_told_again_only_after_a_while() -> None:
    told: list[str] = []
    now = 0.0
    complain = Complaints(told.append, lambda: now)
    for text in ("full", "full", "locked", "full", "locked"):
        complain(text)
    assert told == ["full", "locked"]
    now = AGAIN - 1
    complain("full")
    assert told == ["full", "locked"]
    now = AGAIN
    complain("full")
    complain("full")
    assert told == ["full", "locked", "full"]
