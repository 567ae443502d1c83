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
from engine.model.tree import named
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.store.file import prepare

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator

    from engine.model.reference import Course
    from engine.model.tree import Flow

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


@given(tree=trees, value=values, seed=seeds)
@examples(250)
def test_a_run_comes_to_what_the_reference_says(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    example = Example(template, tree, value, seed)
    example.go(_undisturbed(example))


async def _undisturbed(example: Example) -> None:
    life = example.life()
    following = asyncio.create_task(life.follow())
    await example.check(life)
    events = await life.events()
    are_in_one_order(events, await life.run.snapshot())
    since = example.rng.choice(events).revision
    assert await life.events(since) == [e for e in events if e.revision > since]
    was_seen_live(await following, events)


@given(tree=trees, value=values, seed=seeds)
@examples(60)
def test_answers_may_come_at_any_moment(template: Path, tree: Flow, value: int, seed: int) -> None:
    example = Example(template, tree, value, seed)
    example.go(_answered(example))


async def _answered(example: Example) -> None:
    assume(any(course.asks for course in example.courses))
    # The answer may be there before the question is withdrawn.
    example.courses = [replace(course, never=frozenset()) for course in example.courses]
    life = example.life()
    answering = asyncio.create_task(life.answer_at_any_moment())
    try:
        await example.check(life)
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


@given(tree=trees, value=values, seed=seeds)
@examples(30)
def test_a_run_comes_to_the_same_after_a_death_at_any_commit(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    example = Example(template, tree, value, seed)
    example.go(_every_death(example))


async def _every_death(example: Example) -> None:
    life = example.life()
    with images_after_each_commit() as images:
        await example.check(life)
    assume(len(images) <= MOST_COMMITS)
    for image in images:
        life = example.life(image)
        await example.check(life)
        await example.end_lives()


@given(tree=trees, value=values, seed=seeds)
@examples(60)
def test_a_run_comes_to_the_same_after_any_row_of_deaths(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    example = Example(template, tree, value, seed)
    example.go(_row_of_deaths(example))


async def _row_of_deaths(example: Example) -> None:
    image = None
    for number in range(6):
        life = example.life(image)
        with images_after_each_commit() as images:
            # Three crashes in a row of one step would end the run.
            await example.check(life, "interrupted" if number % 2 else "crashed")
        await example.end_lives()
        if not images:
            break
        image = example.rng.choice(images)


@given(tree=trees, value=values, seed=seeds)
@examples(90)
def test_a_fork_comes_to_what_the_reference_says(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    example = Example(template, tree, value, seed)
    example.go(_forks(example))


async def _forks(example: Example) -> None:
    life = example.life()
    await example.check(life)
    old = await life.run.snapshot()
    for at in example.rng.sample(list(old.step_results), min(3, len(old.step_results))):
        begun, snapshot = await life.fork(at)
        is_sound(snapshot)
        agrees(snapshot, example.courses)
        took_over_what_came_before(old, at, begun, example.tree)
        assert snapshot.all_attempts[: len(begun.all_attempts)] == begun.all_attempts
        life.run = None
    assert await life.snapshot() == old


@given(tree=trees, value=values, seed=seeds)
@examples(90)
def test_a_failed_run_goes_on_once_more_as_the_reference_says(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    example = Example(template, tree, value, seed)
    example.go(_once_more(example))


async def _once_more(example: Example) -> None:
    (first, *others) = example.courses
    assume(isinstance(first.outcome, Fail) and not others and not first.may)
    life = example.life()
    await example.check(life)
    example.courses = courses_again(example.tree, example.value, first)
    with images_after_each_commit() as images:
        snapshot = await life.again()
    is_sound(snapshot)
    agrees(snapshot, example.courses)
    for image in example.rng.sample(images, min(3, len(images))):
        await example.check(example.life(image))


@given(tree=trees, value=values, seed=seeds)
@examples(40)
def test_a_run_can_be_cancelled_wherever_it_was_left(
    template: Path, tree: Flow, value: int, seed: int
) -> None:
    example = Example(template, tree, value, seed)
    example.go(_cancelled(example))


async def _cancelled(example: Example) -> None:
    life = example.life()
    with images_after_each_commit() as images:
        await example.check(life)
    for image in example.rng.sample(images, min(3, len(images))):
        life = example.life(image)
        before = await life.snapshot()
        if before is None or before.status in ENDED:
            continue
        snapshot = await life.cancel()
        assert snapshot.status == "cancelled"
        is_sound(snapshot)
        are_in_one_order(await life.events(), snapshot)
