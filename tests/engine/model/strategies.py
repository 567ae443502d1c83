"""Draws trees: small ones first, and shrinks towards a single plain step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.model.tree import (
    ALWAYS,
    FOREVER,
    RAISES,
    Branch,
    Flow,
    Foreach,
    Loop,
    Map,
    Parallel,
    Sleep,
    Step,
    Then,
    Wait,
)
from hypothesis import strategies as st

if TYPE_CHECKING:
    from engine.model.tree import Body, Node

DEPTH = 3
"""Workflows in workflows at most."""
SELDOM = st.sampled_from([False] * 7 + [True])


def flows(depth: int = DEPTH, most: int = 4) -> st.SearchStrategy[Flow]:
    """Draw workflows."""
    return st.builds(
        Flow,
        nodes=st.lists(nodes(depth), min_size=1, max_size=most).map(tuple),
        state=st.booleans(),
        attempts=st.sampled_from([None, None, None, 2]),
    )


PLAIN = st.builds(Step, sets=st.booleans(), turns=st.integers(0, 3), thread=SELDOM)
STEPS = st.one_of(
    PLAIN,
    st.builds(
        Step,
        sets=st.booleans(),
        turns=st.integers(0, 3),
        thread=SELDOM,
        asks=st.sampled_from([0, 0, 1, 1, 2]),
        fails=st.sampled_from([0, 0, 1, 2, FOREVER]),
        bails=st.sampled_from([False] * 4 + [True]),
        only=st.sampled_from([None, None, 0, 1, 2]),
        attempts=st.sampled_from([None, None, 1, 2, 3]),
        pause=st.sampled_from([0, 0, 2, 60]),
    ),
)


def bodies(depth: int) -> st.SearchStrategy[Body]:
    """Draw what may stand where a step may."""
    if depth <= 1:
        return STEPS
    inner = st.deferred(lambda: flows(depth - 1, most=3))
    return st.one_of(STEPS, STEPS, inner)


def nodes(depth: int) -> st.SearchStrategy[Node]:
    """Draw nodes."""
    body = bodies(depth)
    cases = st.tuples(st.sampled_from([0, 1, 2, ALWAYS, ALWAYS, RAISES]), body)
    return st.one_of(
        st.builds(Then, body),
        st.builds(Then, body),
        st.builds(Then, body, recover=body),
        st.builds(Map, fails=SELDOM),
        st.builds(
            Parallel,
            st.lists(body, min_size=2, max_size=4).map(tuple),
            limit=st.sampled_from([None, None, 1, 2]),
            collect=st.booleans(),
        ),
        st.builds(
            Branch,
            st.lists(cases, min_size=1, max_size=3).map(tuple),
            otherwise=st.none() | body,
            takes_all=st.just(False),
        ),
        st.builds(
            Branch,
            st.lists(cases, min_size=1, max_size=3).map(tuple),
            takes_all=st.just(True),
        ),
        st.builds(
            Foreach,
            body,
            items=st.sampled_from([2, 3, 4, 5, 0, 1]),
            concurrency=st.integers(1, 3),
            collect=st.booleans(),
        ),
        st.builds(Loop, body, times=st.integers(1, 4), until=st.booleans()),
        st.builds(
            Sleep,
            seconds=st.sampled_from([0, 1, 60, 3600]),
            until=st.booleans(),
            computed=st.booleans(),
            fails=SELDOM,
        ),
        st.builds(Wait, late=SELDOM),
    )
