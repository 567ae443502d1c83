"""parse_cron: what it takes, what it refuses, and how it says so."""

from __future__ import annotations

import json
import time
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wrkflw_tui.schedules.cron import CronError, CronSpec, describe, parse_cron
from wrkflw_tui.schedules.parser import NICKNAMES
from wrkflw_tui.schedules.spec import ALL_DAYS, ALL_MONTHS, ALL_WEEKDAYS, LAST

CORPUS = Path(__file__).parent / "corpus"
THOROUGH = settings(deadline=None, max_examples=300)
FIELD_NAMES = ("minute", "hour", "day of month", "month", "day of week", "expression", "nickname")

# Text made of what cron is made of comes far deeper into the parser than any text.
NEARLY = st.lists(
    st.text("0123456789*/,-#LWlwHR?~@jansuonfri ", max_size=12), min_size=1, max_size=7
).map(" ".join)


def refusal(text: str) -> str:
    with pytest.raises(CronError) as caught:
        parse_cron(text)
    return str(caught.value)


def test_corpus_of_invalid_expressions() -> None:
    lines = (CORPUS / "cron-invalid.jsonl").read_text(encoding="utf-8").splitlines()
    accepted: list[str] = []
    unclear: list[str] = []
    for line in lines:
        expression = json.loads(line)["expr"]
        try:
            parse_cron(expression)
        except CronError as error:
            message = str(error)
            clear = message.startswith(FIELD_NAMES) and "; allowed: " in message
            if not (clear and message.isascii() and message.isprintable() and len(message) < 300):
                unclear.append(message)
        else:
            accepted.append(expression)
    assert len(lines) == 147
    assert accepted == []
    assert unclear == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("61 * * * *", "minute: '61' is out of range; allowed: 0 to 59"),
        ("0 24 * * *", "hour: '24' is out of range; allowed: 0 to 23"),
        (
            "0 22-2 * * *",
            "hour: '22-2' runs backwards, which programs read differently: write 22-23,0-2;"
            " allowed: 0 to 23",
        ),
        ("0 0 * foo *", "month: 'foo' is not a number or a name of this field"),
        ("0 0 30 2 *", "day of month: '30' never comes in the months given, which have 29 days"),
        ("0 0 ? * *", "day of month: '?' has '?', which only Quartz knows: write *"),
        ("0 0 15W * *", "day of month: '15w' asks for the nearest working day"),
        ("H 0 * * *", "minute: 'h' is random or hashed"),
        ("0 0 * * 5L", "day of week: '5l' is not how the last weekday of a month is written"),
        ("0 0 * * 1#6", "day of week: '1#6' counts to a week that no month has"),
        ("0 0 * * 7/2", "day of week: '7/2' can be read in two ways"),
        ("0 0 * * mon,fri#2", "day of week: 'mon,fri#2' mixes # or L with plain weekdays"),
        ("0 0 15 * 5#2", "day of week: '5#2' cannot be mixed with day of month '15'"),
        ("0 0 L * 1", "day of month: 'L' cannot be mixed with day of week '1'"),
        ("1,,2 * * * *", "minute: '1,,2' has an empty item in its list"),
        ("*/0 * * * *", "minute: '*/0' has a step of 0"),
        ("* * * * * *", "expression: '* * * * * *' has 6 fields, and programs differ"),
        ("5", "expression: '5' has 1 field; allowed: five fields"),
        ("@reboot", "nickname: '@reboot' has no next time in a calendar; allowed: @yearly,"),
        ("* * * * \x1b[31m", "expression: character '\\x1b' at position 9 cannot be read"),
        ("x" * 257, "expression: 257 characters are too many; allowed: 256 at most"),
    ],
)
def test_the_message_names_field_value_and_what_is_allowed(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        *("0 0 L * */2", "0 0 */2 * L5", "0 0 1-31 * fri#2", "0 0 L * 0-6", "0 0 1,L * mon"),
        *(
            "0 0 * * fri-mon",
            "0 0 * * 6-1",
            "0 0 LW * *",
            "0 0 L/2 * *",
            "0 0 * * L",
            "0 0 * * Lfri",
        ),
        *("0 0 * * L8", "0 0 * * 8#1", "0 0 * * fri#", "0 0 * * #2", "0 0 * * 1-5#2", "0 L * * *"),
    ],
)
def test_what_has_two_readings_or_none_is_refused(text: str) -> None:
    assert refusal(text)


def test_the_sets_are_sorted_and_plain() -> None:
    spec = parse_cron("30,0-2,*/30 9 L jan-mar *")
    assert spec.minutes == (0, 1, 2, 30)
    assert spec.hours == (9,)
    assert (spec.days, spec.last_day) == ((), True)
    assert spec.months == (1, 2, 3)
    assert spec.weekdays == ALL_WEEKDAYS
    assert not spec.wildcard


def test_the_source_is_kept_as_it_was_written() -> None:
    assert parse_cron("  0  18 * * Mon-FRI ").source == "  0  18 * * Mon-FRI "


def test_a_spec_is_frozen_and_hashable() -> None:
    spec = parse_cron("@daily")
    assert hash(spec) == hash(parse_cron("@daily"))
    with pytest.raises(FrozenInstanceError):
        spec.source = ""  # pyright: ignore[reportAttributeAccessIssue] - wrong on purpose


@pytest.mark.parametrize(
    ("text", "wildcard"),
    [
        *(("* 9 * * *", True), ("0 * * * *", True), ("0 */2 * * *", True), ("@hourly", True)),
        *(("0 0-23 * * *", False), ("5,* 9 * * *", False), ("*,5 9 * * *", True)),
        *(("@daily", False), ("0 9 */2 * *", False)),
    ],
)
def test_a_job_is_a_wildcard_by_its_first_two_characters(text: str, wildcard: bool) -> None:
    assert parse_cron(text).wildcard is wildcard


@pytest.mark.parametrize(
    ("text", "days", "weekdays", "day_or"),
    [
        ("0 0 13 * 5", (13,), (5,), True),
        ("0 0 */10 * 5", (1, 11, 21, 31), (5,), False),
        ("0 0 13 * */3", (13,), (0, 3, 6), False),
        ("0 0 13 * 0-6", ALL_DAYS, ALL_WEEKDAYS, False),
        ("0 0 1-31 * 5", ALL_DAYS, ALL_WEEKDAYS, False),
        ("0 0 31 2 5", ALL_DAYS, (5,), False),
        ("0 0 * * 7", ALL_DAYS, (0,), False),
    ],
)
def test_the_day_fields_are_reduced_to_what_restricts(
    text: str, days: tuple[int, ...], weekdays: tuple[int, ...], day_or: bool
) -> None:
    spec = parse_cron(text)
    assert (spec.days, spec.weekdays, spec.day_or) == (days, weekdays, day_or)
    assert spec.months == (ALL_MONTHS if "2" not in text.split()[3] else (2,))


def test_places_in_the_month() -> None:
    spec = parse_cron("0 0 * * FRI#2,7#1,L3")
    assert spec.nth == ((0, 1), (3, LAST), (5, 2))
    assert spec.weekdays == ()


@pytest.mark.parametrize(("nickname", "expression"), NICKNAMES.items())
def test_a_nickname_stands_for_its_expression(nickname: str, expression: str) -> None:
    spec = parse_cron(f"\t{nickname.upper()} ")
    assert replace(spec, source=expression) == parse_cron(expression)


def check_message(message: str) -> None:
    assert "; allowed: " in message
    assert message.isascii()
    assert message.isprintable()


def check(text: str) -> None:
    """Take what is good and describe it; anything but CronError is a fault."""
    try:
        spec = parse_cron(text)
    except CronError as error:
        check_message(str(error))
        return
    assert isinstance(spec, CronSpec)
    assert spec.minutes
    assert spec.hours
    assert spec.months
    assert spec.days or spec.last_day
    assert spec.weekdays or spec.nth
    assert describe(spec)


@THOROUGH
@given(text=st.text())
@example("\ud800 * * * *")
@example("0 0 * * İ")
@example("²  * * * *")
@example("\x1c* * * * *")
def test_any_text_is_taken_or_refused(text: str) -> None:
    check(text)


@THOROUGH
@given(text=NEARLY)
def test_text_that_looks_like_cron_is_taken_or_refused(text: str) -> None:
    check(text)


@THOROUGH
@given(
    place=st.integers(0, 4),
    item=st.text("0123456789*/,-#LWlwHR?~jansuonfri", min_size=1, max_size=10),
)
def test_any_one_field_is_taken_or_refused(place: int, item: str) -> None:
    parts = ["*"] * 5
    parts[place] = item
    check(" ".join(parts))


@pytest.mark.parametrize(
    "text",
    [
        *("*" * 1_000_000, "0 0 * * *" + " " * 1_000_000, "1," * 500_000 + "1 * * * *"),
        *("\u3000" * 1_000_000, "9" * 1_000_000 + " * * * *", "-" * 1_000_000, "*/" * 500_000),
        *("0-59/1," * 35 + "0 * * * *", "9" * 248 + " * * * *", "a-" * 120 + " * * * *"),
        *("l#" * 120 + " * * * *", "*/" + "9" * 240 + " * * * *", "," * 248 + " * * * *"),
    ],
    ids=range(13),
)
def test_long_text_is_answered_at_once(text: str) -> None:
    started = time.perf_counter()
    check(text)
    assert time.perf_counter() - started < 0.05
