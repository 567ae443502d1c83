"""Definitions as they are kept, made by hand: one of each kind, and one with all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

from wrkflw_tui.drawing.definition import read

if TYPE_CHECKING:
    from wrkflw_tui.drawing.definition import Node

Item: TypeAlias = "dict[str, object]"


def step(id: str) -> Item:
    return {"kind": "step", "id": id, "description": ""}


def mapped(id: str) -> Item:
    return {"kind": "map", "id": id}


def workflow(id: str, *nodes: Item) -> Item:
    return {"kind": "workflow", "id": id, "description": "", "nodes": list(nodes)}


def parallel(id: str, *arms: Item, limit: int | None = None, on_error: str = "fail") -> Item:
    return {"kind": "parallel", "id": id, "arms": arms, "limit": limit, "on_error": on_error}


def branch(id: str, *cases: tuple[str, Item], otherwise: Item | None = None) -> Item:
    return {
        "kind": "branch",
        "id": id,
        "takes": "first",
        "arms": [arm for _, arm in cases],
        "conditions": [condition for condition, _ in cases],
        "otherwise": otherwise,
    }


def foreach(id: str, body: Item, concurrency: int = 1, on_error: str = "fail") -> Item:
    return {
        "kind": "foreach",
        "id": id,
        "body": body,
        "concurrency": concurrency,
        "on_error": on_error,
    }


def loop(id: str, body: Item, condition: str, *, until: bool = True, most: int = 1000) -> Item:
    return {
        "kind": "loop",
        "id": id,
        "body": body,
        "until": until,
        "condition": condition,
        "max_iterations": most,
    }


def sleep(
    id: str, seconds: float | None = None, until: str | None = None, function: str | None = None
) -> Item:
    return {"kind": "sleep", "id": id, "seconds": seconds, "until": until, "function": function}


def wait(id: str, event: str, timeout: float | None = None) -> Item:
    schema = {"type": "object"}
    return {"kind": "wait", "id": id, "event": event, "schema": schema, "timeout": timeout}


def recover(body: Item, handler: Item) -> Item:
    return {"kind": "recover", "id": body["id"], "body": body, "handler": handler}


def nodes(*items: Item) -> tuple[Node, ...]:
    return read(json.dumps(items))


RICH = (
    step("list-customers"),
    mapped("map-1"),
    parallel(
        "parallel-1",
        step("fetch-prices"),
        workflow("rates", step("ask-bank"), step("check")),
        step("fetch-taxes"),
        limit=2,
        on_error="collect",
    ),
    branch(
        "branch-1",
        ("is_big", step("split")),
        ("is_small", workflow("merge", step("sort"), foreach("foreach-1", step("join")))),
        otherwise=step("keep"),
    ),
    foreach(
        "each-customer",
        workflow(
            "invoice",
            step("render"),
            recover(step("charge"), step("refund")),
            loop("loop-1", workflow("poll", step("look"), sleep("sleep-1", 30)), "is_paid"),
        ),
        concurrency=4,
        on_error="collect",
    ),
    sleep("sleep-1", 5400.0),
    wait("wait-for-1", "books-closed", 259_200),
    recover(
        workflow("publish", step("upload"), step("announce")), workflow("undo", step("delete"))
    ),
    step("tell"),
)
"""All kinds, nested in one another."""
