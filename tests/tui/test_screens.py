"""How the screens look; `--snapshot-update` after a look at what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from tui import follow_ups, kinds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from textual.pilot import Pilot

    from wrkflw_tui.tui.app import WrkflwApp

SIZES = [(80, 24), (120, 40)]
KEYS = {
    "workflows": (),
    "broken file": ("G",),
    "runs": ("2",),
    "schedules": ("3",),
    "week": ("3", "w"),
    "backfill": ("3", "b"),
    "schedule settings": ("3", "e", "f3"),
    "inbox": ("4",),
    "live run": ("enter",),
    "failed run": ("G", "k", "enter"),
    "log search": ("enter", "slash", *"cop", "enter", "n"),
    "run form": ("r",),
    "schedule editor": ("s", *"30", "space", *"9", "space", "*", "space", "*", "space", "1"),
    "help": ("question_mark",),
    "confirm": ("x",),
    "filter": ("slash", *"photos"),
}


async def settle(pilot: Pilot[None]) -> None:
    """Wait until nothing is drawn anew any more: reads come back from other threads."""
    before = ""
    for _ in range(50):
        await pilot.pause(0.1)
        now = pilot.app.export_screenshot(simplify=True)
        if now == before and cast("WrkflwApp", pilot.app).known.loaded:
            return
        before = now


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("screen", KEYS)
def test_screen(
    snap_compare: Callable[..., bool], app: WrkflwApp, screen: str, size: tuple[int, int]
) -> None:
    async def arrive(pilot: Pilot[None]) -> None:
        await settle(pilot)
        for key in KEYS[screen]:
            await pilot.press(key)
        await settle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=arrive)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_run_of_every_kind(
    snap_compare: Callable[..., bool], empty_app: WrkflwApp, database: Path, size: tuple[int, int]
) -> None:
    run_id = kinds.build(database)

    async def arrive(pilot: Pilot[None]) -> None:
        await settle(pilot)
        cast("WrkflwApp", pilot.app).open_run(run_id)
        await settle(pilot)

    assert snap_compare(empty_app, terminal_size=size, run_before=arrive)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_answer_form(
    snap_compare: Callable[..., bool], empty_app: WrkflwApp, database: Path, size: tuple[int, int]
) -> None:
    run_id = kinds.build(database)

    async def arrive(pilot: Pilot[None]) -> None:
        await settle(pilot)
        cast("WrkflwApp", pilot.app).open_run(run_id)
        await settle(pilot)
        await pilot.press("a")
        await settle(pilot)

    assert snap_compare(empty_app, terminal_size=size, run_before=arrive)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_follow_ups_of_a_run(
    snap_compare: Callable[..., bool],
    app: WrkflwApp,
    database: Path,
    ids: dict[str, str],
    size: tuple[int, int],
) -> None:
    follow_ups.build(database, ids["failed"])

    async def arrive(pilot: Pilot[None]) -> None:
        await settle(pilot)
        cast("WrkflwApp", pilot.app).open_run(ids["failed"])
        await settle(pilot)
        await pilot.press("g", "right", "z")
        await settle(pilot)

    assert snap_compare(app, terminal_size=size, run_before=arrive)


def test_empty_folder(snap_compare: Callable[..., bool], empty_app: WrkflwApp) -> None:
    assert snap_compare(empty_app, terminal_size=(80, 24), run_before=settle)
