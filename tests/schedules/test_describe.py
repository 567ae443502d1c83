"""The words for a schedule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from schedules.cron_model import EXPRESSIONS, Expression

from wrkflw_tui.schedules.cron import CronError, CronSpec, describe, parse_cron

WORDS = [
    ("* * * * *", "every minute"),
    ("*/15 * * * *", "every 15 minutes"),
    ("*/35 * * * *", "every hour at minutes 0 and 35"),
    ("*/100 * * * *", "every hour"),
    ("5/15 * * * *", "every hour at minutes 5, 20, 35 and 50"),
    ("*/7 * * * *", "every hour at minutes 0, 7 and so on to 56"),
    ("@hourly", "every hour"),
    ("30 * * * *", "every hour at minute 30"),
    ("0 */2 * * *", "every 2 hours"),
    ("23 0-23/2 * * *", "every 2 hours, at minute 23"),
    ("* 9 * * *", "every minute from 09:00 to 09:59"),
    ("*/5 9-17 * * mon-fri", "every 5 minutes from 09:00 to 17:55, Monday to Friday"),
    ("0 9-17 * * *", "every hour from 09:00 to 17:00"),
    ("* 9,12,15 * * *", "every minute in hours 9, 12 and 15"),
    ("1-10 9 * * *", "At minutes 1 to 10 of hour 9"),
    ("0 18 * * *", "every day at 18:00"),
    ("0,30 9,18 * * *", "every day at 09:00, 09:30, 18:00 and 18:30"),
    ("0 18 * * 1-5", "At 18:00, Monday to Friday"),
    ("0 18 * * 0,6", "At 18:00, Saturday and Sunday"),
    ("0 18 * * fri-sun", "At 18:00, Friday to Sunday"),
    ("@weekly", "every Sunday at 00:00"),
    ("@monthly", "At 00:00, on the 1st of the month"),
    ("@yearly", "At 00:00, on the 1st of January"),
    ("0 0 2,3,11,12,22,23 * *", "At 00:00, on the 2nd, the 3rd, the 11th, the 12th, the 22nd and"),
    ("0 0 28-31 * *", "At 00:00, on the 28th to the 31st of the month"),
    ("0 0 L * *", "At 00:00, on the last day of the month"),
    ("0 0 L 2 *", "At 00:00, on the last day of February"),
    ("0 0 15,L * *", "At 00:00, on the 15th and the last day of the month"),
    ("0 9 * * fri#2", "At 09:00, on the second Friday of the month"),
    ("0 9 * 6,7 L5", "At 09:00, on the last Friday of the month, in June and July"),
    ("0 9 * 6-8 *", "At 09:00, every day from June to August"),
    ("*/15 * * 1 *", "every 15 minutes, every day in January"),
    ("0 0 13 * 5", "At 00:00, on the 13th of the month, and also every Friday"),
    (
        "0 0 */2 * 1",
        "At 00:00, on the 1st, the 3rd and so on to the 31st of the month, if that is Monday",
    ),
    ("0 0 1-7 * */5", "At 00:00, on the 1st to the 7th of the month, if that is Friday or Sunday"),
    ("0 0 13 6 5", "At 00:00, on the 13th, and also every Friday, in June"),
    ("0 0 31 2 5", "At 00:00, Friday, in February"),
    ("0 0 1-31 * 5", "every day at 00:00"),
]


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_words(text: str, words: str) -> None:
    described = describe(parse_cron(text))
    assert described == words or (words.endswith(" and") and described.startswith(words))


def meaning(spec: CronSpec) -> CronSpec:
    """Return the spec without how it was written, and how it treats a change of the clock."""
    return replace(spec, source="", wildcard=False)


def parse(expression: Expression) -> CronSpec:
    try:
        return parse_cron(expression.text)
    except CronError:
        reject()


# Drawn by the hundred and told apart by their words, so that no two meanings share a wording.
@settings(deadline=None, max_examples=150)
@given(expressions=st.lists(EXPRESSIONS, min_size=2, max_size=30))
def test_different_meanings_have_different_words(expressions: list[Expression]) -> None:
    by_words: dict[str, CronSpec] = {}
    for expression in expressions:
        try:
            spec = meaning(parse_cron(expression.text))
        except CronError:
            continue
        assert by_words.setdefault(describe(spec), spec) == spec


@settings(deadline=None, max_examples=300)
@given(expression=EXPRESSIONS, data=st.data())
def test_a_changed_field_changes_the_words(expression: Expression, data: st.DataObject) -> None:
    spec = meaning(parse(expression))
    name = data.draw(st.sampled_from(["minutes", "hours", "days", "months", "weekdays"]))
    values: tuple[int, ...] = getattr(spec, name)
    fewer = tuple(sorted(set(values) - {data.draw(st.sampled_from(values))}))
    assume(fewer)
    changed = {
        "minutes": replace(spec, minutes=fewer),
        "hours": replace(spec, hours=fewer),
        "days": replace(spec, days=fewer),
        "months": replace(spec, months=fewer),
        "weekdays": replace(spec, weekdays=fewer),
    }[name]
    assert describe(changed) != describe(spec)
