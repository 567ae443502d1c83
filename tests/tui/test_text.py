from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wrkflw_tui.tui import text

NOW = datetime(2026, 7, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0ms"), (0.034, "34ms"), (0.44, "0.4s"), (9.96, "10s"), (59.6, "1m 00s"),
        (184, "3m 04s"), (3599.7, "1h 00m"), (3720, "1h 02m"), (183_600, "2d 03h"),
    ],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    assert text.duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-3, "just now"), (4, "just now"), (59, "59s ago"), (125, "2m ago"), (7300, "2h ago")],
)
def test_relative_times(seconds: float, said: str) -> None:
    assert text.ago(NOW - timedelta(seconds=seconds), NOW) == said


def test_older_times_have_a_date() -> None:
    assert text.ago(NOW - timedelta(days=1), NOW) == "30 Jul 12:00"
    assert text.ago(NOW - timedelta(days=400), NOW) == "26 Jun 2025"


def test_coming_times() -> None:
    assert text.clock(NOW + timedelta(hours=6), NOW) == "18:00"
    assert text.clock(NOW + timedelta(hours=24), NOW) == "tmrw 12:00"
    assert text.clock(NOW + timedelta(days=3), NOW) == "03 Aug 12:00"
    assert text.until(NOW + timedelta(seconds=184), NOW) == "in 3m 04s"
    assert text.until(NOW + timedelta(seconds=5), NOW) == "in 5s"
    assert text.until(NOW - timedelta(seconds=1), NOW) == "now"


def test_every_status_has_a_glyph_and_a_word_of_its_own() -> None:
    statuses = ("queued", "running", "sleeping", "suspended", "success", "failed", "cancelled")
    marks = [text.mark(status) for status in statuses]
    assert len({word for _, word, _ in marks}) == len(statuses)
    assert all(len(glyph) == 1 for glyph, _, _ in marks)


def test_bars() -> None:
    assert text.bar(0, 4) == "────"
    assert text.bar(0.625, 4) == "━━╸─"
    assert text.bar(2, 4) == "━━━━"


def test_levels() -> None:
    assert text.levels([1, None, 8]) == "▁ █"
    assert text.levels([0, 0]) == "▁▁"
    assert text.levels([]) == ""


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J\x1b[31mred\x1b[0m",
        "\x1b]0;title\x07red",
        "re\x00d\x08",
        "\x9bred",
        "\x1bPx\x1b\\red",
    ],
)
def test_escape_sequences_are_taken_out(hostile: str) -> None:
    assert text.plain(hostile) == "red"


def test_text_is_fitted_by_cells_not_characters() -> None:
    assert text.fit("日本語", 5) == "日本…"
    assert text.fit("ab", 4) == "ab  "
    assert text.fit("abc", 0) == ""
    assert text.cut("abc", 3) == "abc"


def test_json_is_laid_out_and_anything_else_left_alone() -> None:
    assert text.pretty('{"a":"é"}') == '{\n  "a": "é"\n}'
    assert text.pretty("not json") == "not json"
    assert text.pretty(None) == ""


def test_short_ids_tell_neighbours_apart() -> None:
    assert text.short_id("0192f3a0-0000-7000-8000-00000000000a") == "00000a"
    assert text.short_id("nightly") == "nightly"
