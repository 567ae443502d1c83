"""Textual's generics that a strict checker cannot see through, each given its type once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App
    from textual.screen import Screen
    from textual.widget import Widget


def app_of(node: Widget) -> App[None]:
    """Return the app that a widget is in."""
    return cast("App[None]", node.app)  # pyright: ignore[reportUnknownMemberType]


def on_bindings(node: Widget, changed: Callable[[Screen[None]], None]) -> None:
    """Call `changed` whenever other keys work on the widget's screen."""
    signal = node.screen.bindings_updated_signal  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    signal.subscribe(node, changed)  # pyright: ignore[reportUnknownMemberType]
