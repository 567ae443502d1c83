"""What many schedules will fire within a span."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from wrkflw_tui.schedules import ahead
from wrkflw_tui.schedules.schedule import terms_of
from wrkflw_tui.store import schedules
from wrkflw_tui.store.file import connect, prepare

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from wrkflw_tui.store.schedules import ScheduleRow

NOW = 1_785_499_200  # 2026-07-31 12:00 UTC
DAY = 86_400


def rows(tmp_path: Path) -> list[ScheduleRow]:
    path = tmp_path / "wrkflw.db"
    prepare(path)
    with closing(connect(path)) as connection:
        for id, timing, first, most in (
            ("daily", "0 18 * * *", NOW + 6 * 3600, None),
            ("twice", "0 * * * *", NOW + 3600, 2),
            ("never", "@daily", None, None),
        ):
            terms = terms_of(timing, timezone="UTC", max_runs=most)
            schedules.insert(connection, id, id, terms, "UTC", "null", first, now=NOW)
        return schedules.list_schedules(connection)


def test_they_come_in_order_as_long_as_they_may(tmp_path: Path) -> None:
    found = ahead.ahead(rows(tmp_path), NOW + 2 * DAY)
    assert found.is_whole
    assert [(fire.schedule_id, int(fire.at.timestamp()) - NOW) for fire in found.fires] == [
        ("twice", 3600),
        ("twice", 7200),
        ("daily", 6 * 3600),
        ("daily", DAY + 6 * 3600),
    ]


def test_too_many_are_said_to_be_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "MOST_OF_ONE", 1)
    found = ahead.ahead(rows(tmp_path), NOW + 2 * DAY)
    assert (len(found.fires), found.is_whole) == (2, False)
