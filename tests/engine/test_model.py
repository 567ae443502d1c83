"""The engine against a plain recursion: random trees, and lives that end at every commit.

`WRKFLW_MODEL_EXAMPLES=5000 pytest tests/engine/test_model.py` draws that many trees for each test
instead of a few: for a night. What a failing tree prints can be typed into a test as it stands,
in `named(...)`; the seed says what the person does when.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine.model.check import (
    agrees,
    are_in_one_order,
    is_sound,
    took_over_what_came_before,
    was_seen_live,
)
from engine.model.drive import Files, Life, QuickClock, images_after_each_commit
from engine.model.reference import Fail, Undetermined, courses_again, courses_of
from engine.model.strategies import flows
from engine.model.tree import Flow, Foreach, Loop, Parallel, Step, Then, named
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st

from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.store.file import prepare

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from engine.model.reference import Course
    from engine.model.tree import Node

MANY = int(os.environ.get("WRKFLW_MODEL_EXAMPLES", "0"))
pytestmark = pytest.mark.timeout(12 * 3600 if MANY else 600)
"""A tree that fails is made smaller first, for some minutes."""
MOST_COMMITS = 80
"""Trees that take more would take too long where a life ends at each."""
trees = flows().map(named)
values = st.integers(0, 2)
seeds = st.integers(0, 1000)


def examples(usually: int) -> settings:
    return settings(
        max_examples=MANY or usually,
        deadline=None,
        print_blob=True,
        phases=set(Phase) - {Phase.explain},
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


@pytest.fixture(scope="module")
def template() -> Generator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="wrkflw-model-"))
    prepare(folder / "template.db")
    yield folder / "template.db"
    shutil.rmtree(folder)


class Example:
    """One tree, what is expected of it, and the files of its lives."""

    def __init__(self, template: Path, tree: Flow, value: int, seed: int) -> None:
        self.tree, self.value = tree, value
        self.rng = random.Random(seed)
        self.courses = self._courses()
        self.lives: list[Life] = []
        self.files = Files(Path(tempfile.mkdtemp(dir=template.parent)), template)

    def _courses(self) -> list[Course]:
        try:
            return courses_of(self.tree, self.value)
        except Undetermined:
            assume(False)
            raise

    def life(self, image: bytes | None = None) -> Life:
        life = Life(self.files.new(image), self.tree, self.rng, QuickClock())
        self.lives.append(life)
        return life

    async def check(self, life: Life, ended_as: str = "crashed") -> None:
        """Live it, and hold the record against the reference."""
        snapshot = await life.live(self.value, ended_as=ended_as)
        is_sound(snapshot)
        agrees(snapshot, self.courses)

    async def end_lives(self) -> None:
        for life in self.lives:
            await life.close()
        self.lives.clear()

    def go(self, lives: Coroutine[object, object, None]) -> None:
        async def live() -> None:
            try:
                await lives
            finally:
                await self.end_lives()

        try:
            asyncio.run(live())
        finally:
            self.files.close()


def pinned(*nodes: Node) -> example:
    """Try a tree that random ones seldom hit, or that once found a fault."""
    return example(tree=named(Flow(nodes)), value=0, seed=0)


@given(tree=trees, value=values, seed=seeds)
@pinned(Parallel((Step(asks=1), Step(fails=1, turns=3))))
@pinned(Parallel((Step(fails=1), Flow((Parallel((Step(bails=True), Step(asks=1))),)))))
@pinned(Foreach(Step(asks=2), concurrency=2))
@pinned(Foreach(Flow((Parallel((Step(), Step(turns=1, bails=True))),)), items=4, concurrency=2))
@examples(250)
def test_a_run_comes_to_what_the_reference_says(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    drawn = Example(template, tree, value, seed)
    drawn.go(_undisturbed(drawn))


async def _undisturbed(drawn: Example) -> None:
    life = drawn.life()
    following = asyncio.create_task(life.follow())
    await drawn.check(life)
    events = await life.events()
    are_in_one_order(events, await life.run.snapshot())
    since = drawn.rng.choice(events).revision
    assert await life.events(since) == [e for e in events if e.revision > since]
    was_seen_live(await following, events)


@given(tree=trees, value=values, seed=seeds)
@examples(60)
def test_answers_may_come_at_any_moment(template: Path, tree: Flow, value: int, seed: int) -> None:
    drawn = Example(template, tree, value, seed)
    drawn.go(_answered(drawn))


async def _answered(drawn: Example) -> None:
    assume(any(course.asks for course in drawn.courses))
    # The answer may be there before the question is withdrawn.
    drawn.courses = [replace(course, never=frozenset()) for course in drawn.courses]
    life = drawn.life()
    answering = asyncio.create_task(life.answer_at_any_moment())
    try:
        await drawn.check(life)
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


@given(tree=trees, value=values, seed=seeds)
@examples(30)
def test_a_run_comes_to_the_same_after_a_death_at_any_commit(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    drawn = Example(template, tree, value, seed)
    drawn.go(_every_death(drawn))


async def _every_death(drawn: Example) -> None:
    life = drawn.life()
    with images_after_each_commit() as images:
        await drawn.check(life)
    assume(len(images) <= MOST_COMMITS)
    for image in images:
        life = drawn.life(image)
        await drawn.check(life)
        await drawn.end_lives()


@given(tree=trees, value=values, seed=seeds)
@examples(60)
def test_a_run_comes_to_the_same_after_any_row_of_deaths(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    drawn = Example(template, tree, value, seed)
    drawn.go(_row_of_deaths(drawn))


async def _row_of_deaths(drawn: Example) -> None:
    image = None
    for number in range(6):
        life = drawn.life(image)
        with images_after_each_commit() as images:
            # Three crashes in a row of one step would end the run.
            await drawn.check(life, "interrupted" if number % 2 else "crashed")
        await drawn.end_lives()
        if not images:
            break
        image = drawn.rng.choice(images)


@given(tree=trees, value=values, seed=seeds)
@pinned(Then(Step(fails=1), recover=Step()))
@pinned(Foreach(Flow((Then(Step(fails=1), recover=Step()),))))
@examples(90)
def test_a_fork_comes_to_what_the_reference_says(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    drawn = Example(template, tree, value, seed)
    drawn.go(_forks(drawn))


async def _forks(drawn: Example) -> None:
    life = drawn.life()
    await drawn.check(life)
    old = await life.run.snapshot()
    for at in drawn.rng.sample(list(old.step_results), min(3, len(old.step_results))):
        begun, snapshot = await life.fork(at)
        is_sound(snapshot)
        agrees(snapshot, drawn.courses)
        took_over_what_came_before(old, at, begun, drawn.tree)
        assert snapshot.all_attempts[: len(begun.all_attempts)] == begun.all_attempts
        life.run = None
    assert await life.snapshot() == old


@given(tree=trees, value=values, seed=seeds)
@pinned(Then(Step(fails=1), recover=Step(fails=1)))
@pinned(Then(Flow((Loop(Step(sets=True), times=4),), state=True), recover=Step(fails=1)))
@examples(90)
def test_a_failed_run_goes_on_once_more_as_the_reference_says(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    drawn = Example(template, tree, value, seed)
    drawn.go(_once_more(drawn))


async def _once_more(drawn: Example) -> None:
    (first, *others) = drawn.courses
    assume(isinstance(first.outcome, Fail) and not others and not first.may)
    life = drawn.life()
    await drawn.check(life)
    drawn.courses = courses_again(drawn.tree, drawn.value, first)
    with images_after_each_commit() as images:
        snapshot = await life.again()
    is_sound(snapshot)
    agrees(snapshot, drawn.courses)
    for image in drawn.rng.sample(images, min(3, len(images))):
        await drawn.check(drawn.life(image))


@given(tree=trees, value=values, seed=seeds)
@examples(40)
def test_a_run_can_be_cancelled_wherever_it_was_left(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    drawn = Example(template, tree, value, seed)
    drawn.go(_cancelled(drawn))


async def _cancelled(drawn: Example) -> None:
    life = drawn.life()
    with images_after_each_commit() as images:
        await drawn.check(life)
    for image in drawn.rng.sample(images, min(3, len(images))):
        life = drawn.life(image)
        before = await life.snapshot()
        if before is None or before.status in ENDED:
            continue
        snapshot = await life.cancel()
        assert snapshot.status == "cancelled"
        is_sound(snapshot)
        are_in_one_order(await life.events(), snapshot)
