"""How often a step is tried, and how long it waits in between."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrkflw_tui import DefinitionError, GiveUp, RetryPolicy

POLICIES = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 10_000),
    initial_delay=st.timedeltas(timedelta(0), timedelta(days=1)),
    backoff=st.floats(1, 100),
    max_delay=st.timedeltas(timedelta(0), timedelta(days=30)),
    jitter=st.floats(0, 1),
    retry_on=st.just((Exception,)),
    give_up_on=st.just(()),
)
TICK = timedelta(microseconds=1)


@given(POLICIES, st.integers(1, 10_000), st.randoms())
def test_a_delay_stays_within_its_bounds(
    policy: RetryPolicy, failures: int, rng: random.Random
) -> None:
    delay = policy.delay(failures, rng)
    assert timedelta(0) <= delay <= policy.max_delay
    grown = policy.initial_delay.total_seconds() * policy.backoff ** min(failures - 1, 64)
    middle = min(grown, policy.max_delay.total_seconds())
    assert delay.total_seconds() >= middle * (1 - policy.jitter) - 1e-5
    assert delay.total_seconds() <= middle * (1 + policy.jitter) * (1 + 1e-9) + 1e-5


@given(POLICIES, st.integers(1, 200))
def test_delays_without_jitter_grow_by_the_backoff_up_to_the_cap(
    given_policy: RetryPolicy, failures: int
) -> None:
    policy = RetryPolicy(
        initial_delay=given_policy.initial_delay,
        backoff=given_policy.backoff,
        max_delay=given_policy.max_delay,
        jitter=0,
    )
    first, second = policy.delay(failures), policy.delay(failures + 1)
    assert first <= second <= policy.max_delay
    if second < policy.max_delay and failures <= 64:
        expected = first.total_seconds() * policy.backoff
        assert second.total_seconds() == pytest.approx(expected, rel=1e-6, abs=1e-3)


def test_the_promised_defaults() -> None:
    policy = RetryPolicy()
    assert policy.max_attempts == 1
    assert (policy.initial_delay, policy.backoff) == (timedelta(seconds=1), 2.0)
    assert (policy.max_delay, policy.jitter) == (timedelta(minutes=5), 0.1)
    assert [RetryPolicy(jitter=0).delay(n).total_seconds() for n in (1, 2, 3, 9, 10)] == [
        1,
        2,
        4,
        256,
        300,
    ]


def test_jitter_spreads_both_ways() -> None:
    policy = RetryPolicy(initial_delay=timedelta(seconds=10), jitter=0.5)
    delays = {policy.delay(1, random.Random(seed)).total_seconds() for seed in range(50)}
    assert min(delays) < 8
    assert max(delays) > 12


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"initial_delay": timedelta(seconds=-1)},
        {"max_delay": timedelta(seconds=-1)},
        {"backoff": 0.5},
        {"jitter": 1.5},
        {"jitter": -0.1},
    ],
    ids=str,
)
def test_a_policy_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        RetryPolicy(**options)


@given(st.integers(1, 20), st.integers(1, 20))
def test_attempts_are_counted_by_their_failures(max_attempts: int, failures: int) -> None:
    policy = RetryPolicy(max_attempts=max_attempts)
    assert policy.retries(OSError(), failures) == (failures < max_attempts)
    assert not policy.retries(GiveUp(), failures)


def test_which_errors_are_tried_again() -> None:
    policy = RetryPolicy(max_attempts=2, retry_on=(OSError,), give_up_on=(PermissionError,))
    assert policy.retries(TimeoutError(), 1)
    assert not policy.retries(PermissionError(), 1)
    assert not policy.retries(ValueError(), 1)
    assert not RetryPolicy(max_attempts=2).retries(SystemExit(), 1)
