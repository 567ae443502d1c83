"""The graphs that runs follow: each is kept once, however many runs there are of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import sqlite3

GRAPH = "(SELECT graph FROM wrkflw_graphs WHERE wrkflw_graphs.id = graph_id) AS graph"
"""Reads the graph of a run, as JSON, among the columns of its row."""


def keep(connection: sqlite3.Connection, graph: str) -> int:
    """Return the id of a graph, which is put on record if it is new."""
    find = "SELECT id FROM wrkflw_graphs WHERE graph = ?"
    row = connection.execute(find, (graph,)).fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO wrkflw_graphs (graph) VALUES (?) RETURNING id", (graph,)
        ).fetchone()
    return cast("int", row[0])
