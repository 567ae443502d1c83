"""What holds of the drawing of every definition, at every width."""

from __future__ import annotations

from itertools import count, pairwise
from typing import TYPE_CHECKING

from drawing.graphs import (
    Item,
    branch,
    foreach,
    loop,
    mapped,
    nodes,
    parallel,
    recover,
    sleep,
    step,
    wait,
    workflow,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from wrkflw_tui.drawing.definition import every
from wrkflw_tui.drawing.mermaid import mermaid
from wrkflw_tui.drawing.state import State
from wrkflw_tui.drawing.text import draw

if TYPE_CHECKING:
    from collections.abc import Callable

LABELS = st.text(max_size=12) | st.just("是大的吗")


@st.composite
def definitions(draw_: st.DrawFn) -> list[Item]:
    numbers = count()

    def id(kind: str) -> str:
        filler = draw_(st.sampled_from(["", "-of-all-the-customers", "-x"]))
        return f"{kind}{filler}-{next(numbers)}"

    def flow(depth: int) -> list[Item]:
        return [node(depth) for _ in range(draw_(st.integers(1, 3)))]

    def body(depth: int) -> Item:
        if depth and draw_(st.booleans()):
            return workflow(id("flow"), *flow(depth - 1))
        return step(id("step"))

    def guarded(depth: int) -> Item:
        if depth and draw_(st.integers(0, 3)) == 0:
            return recover(body(depth - 1), body(depth - 1))
        return body(depth)

    def node(depth: int) -> Item:
        plain: list[Callable[[], Item]] = [
            lambda: step(id("step")),
            lambda: mapped(id("map")),
            lambda: sleep(id("sleep"), seconds=draw_(st.floats(0, 1e7))),
            lambda: wait(id("wait"), draw_(LABELS), draw_(st.none() | st.floats(0, 1e7))),
        ]
        deep: list[Callable[[], Item]] = [
            lambda: guarded(depth),
            lambda: parallel(id("par"), *[guarded(depth - 1) for _ in range(arms)]),
            lambda: branch(
                id("branch"),
                *[(draw_(LABELS), guarded(depth - 1)) for _ in range(arms)],
                otherwise=guarded(depth - 1) if draw_(st.booleans()) else None,
            ),
            lambda: foreach(id("each"), guarded(depth - 1)),
            lambda: loop(id("loop"), guarded(depth - 1), draw_(LABELS)),
        ]
        arms = draw_(st.integers(1, 4))
        return draw_(st.sampled_from(plain + deep * 2 if depth else plain))()

    return flow(draw_(st.integers(0, 4)))


def in_cells(line: str, col: int, width: int) -> str:
    """Return what stands from a column on, in so many cells."""
    start = next(n for n in range(len(line)) if cell_len(line[:n]) == col)
    end = next(n for n in range(start, len(line) + 1) if cell_len(line[start:n]) == width)
    return line[start:end]


def shown(id: str, text: str) -> bool:
    """Tell whether an id, or its beginning with a sign for the rest, is what a span says."""
    said = text[2:].split("  ", 1)[0]
    return said == id or (said.endswith("…") and id.startswith(said[:-1]))


@given(definitions(), st.integers(1, 130), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_drawing_fits_and_names_each_node_once(
    items: list[Item], width: int, is_run: bool
) -> None:
    flow = nodes(*items)
    known = {node.path: node.id for node in every(flow) if node.path}
    states = {path: State("failed", "failed 14s ×2") for path in known} if is_run else None
    drawing = draw(flow, width, states)
    assert all(cell_len(line) <= max(4, width) for line in drawing.lines)
    assert sorted(span.path for span in drawing.spans) == sorted(known)
    for span in drawing.spans:
        line = drawing.lines[span.row]
        assert span.col + span.width <= cell_len(line)
        text = in_cells(line, span.col, span.width)
        assert text[0] in "○✗"
        assert shown(known[span.path], text)


@given(definitions(), st.integers(1, 130))
@settings(max_examples=60, deadline=None)
def test_a_drawing_has_no_loose_ends(items: list[Item], width: int) -> None:
    lines = draw(nodes(*items), width).lines
    down = "│┐┤┌├┬┼┊"
    for above, below in pairwise(lines):
        if cell_len(above) != len(above) or cell_len(below) != len(below):
            continue
        for sign, under in zip(above, below.ljust(len(above)), strict=False):
            if sign in down:
                assert under in "│┘┤└├┴┼┊○┄", f"{above}\n{below}"


@given(definitions())
@settings(max_examples=60, deadline=None)
def test_a_chart_has_a_name_for_each_node_and_balanced_frames(items: list[Item]) -> None:
    flow = nodes(*items)
    lines = [line.strip() for line in mermaid(flow).splitlines()]
    assert lines[0] == "flowchart TD"
    assert sum(line.startswith("subgraph ") for line in lines) == lines.count("end")
    for node in every(flow):
        if node.path:
            assert any(f'"{node.id}' in line for line in lines)
