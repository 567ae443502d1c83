"""Whether a run's record still fits its workflow, after somebody has edited that.

What was not reached yet may change freely. In each workflow that the run is in, the nodes up to
the last one reached have to be the ones that were walked.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias, cast

from wrkflw_tui.engine.errors import DefinitionChanged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wrkflw_tui.engine.journal import Entry

Drawn: TypeAlias = "dict[str, object]"
"""A node as `Workflow.graph` describes it."""


_PINNED = {"success", "bailed", "waiting", "suspended"}


def check_definition(
    run_id: str, old_graph: str | None, new_graph: str, entries: Mapping[str, Entry]
) -> None:
    """Raise `DefinitionChanged` where the record does not fit the workflow as it is now."""
    if old_graph is None or old_graph == new_graph:
        return
    old = cast("list[Drawn]", json.loads(old_graph))
    new = cast("list[Drawn]", json.loads(new_graph))
    found = list(_differences(old, new, entries))
    if found:
        raise DefinitionChanged(
            f"run {run_id} does not fit its workflow any more: {'; '.join(found)}. Put that back,"
            " or fork the run at a step before it"
        )


def _differences(old: list[Drawn], new: list[Drawn], entries: Mapping[str, Entry]) -> Iterator[str]:
    for scope, ids in _reached(entries).items():
        around = entries.get(scope.rstrip("/"))
        if around is not None and around.status == "success":
            continue  # only its output is used any more
        before, now = _nodes_at(old, scope), _nodes_at(new, scope)
        if before is not None and now is not None:
            yield from _in_scope(scope, ids, before, now)


def _reached(entries: Mapping[str, Entry]) -> dict[str, set[str]]:
    """Return the ids that are on record for good in each scope.

    What only failed may be replaced: that is how it is mended.
    """
    reached: dict[str, set[str]] = defaultdict(set)
    for path, entry in entries.items():
        if entry.status not in _PINNED:
            continue
        scope = ""
        for part in path.split("/"):
            reached[scope].add(part.partition("[")[0])
            scope += part + "/"
    return reached


def _nodes_at(nodes: list[Drawn], scope: str) -> list[Drawn] | None:
    """Return the nodes of the workflow whose paths begin with `scope`."""
    for part in filter(None, scope.split("/")):
        id = part.partition("[")[0]
        inside = next((n for node in nodes for n in with_bodies(node) if _is(n, id)), None)
        if inside is None:
            return None
        nodes = cast("list[Drawn]", inside["nodes"])
    return nodes


def _is(node: Drawn, id: str) -> bool:
    return node["id"] == id and "nodes" in node


def _in_scope(
    scope: str, reached: set[str], before: list[Drawn], now: list[Drawn]
) -> Iterator[str]:
    def is_reached(node: Drawn) -> bool:
        return any(str(part["id"]) in reached for part in _walked(node))

    last = max((index for index, node in enumerate(before) if is_reached(node)), default=-1)
    walked = before[: last + 1]
    names = [str(node["id"]) for node in now]
    for index, node in enumerate(walked):
        id = str(node["id"])
        if id not in names:
            if is_reached(node):
                yield f"{scope}{id} is gone"
            continue
        if names[index : index + 1] != [id]:
            yield from _moved(scope, id, names, index, walked)
        yield from _changed(scope, reached, node, now[names.index(id)])
    walked_ids = {str(node["id"]) for node in walked}
    known = {str(node["id"]) for node in before}
    reached_now = [names.index(str(n["id"])) for n in walked if n["id"] in names]
    for name in names[: max(reached_now, default=-1)]:
        if name not in walked_ids:
            how = "comes" if name in known else "was added"
            yield f"{scope}{name} {how} before {scope}{walked[-1]['id']}, which was reached"


def _moved(scope: str, id: str, names: list[str], index: int, walked: list[Drawn]) -> Iterator[str]:
    """Tell of a node that others have overtaken; one that was pushed along is not to blame."""
    before = {str(node["id"]) for node in walked[:index]}
    overtaken = before - set(names[: names.index(id)])
    for other in sorted(overtaken & set(names)):
        yield f"{scope}{id} comes before {scope}{other} now"


def _changed(scope: str, reached: set[str], node: Drawn, now: Drawn) -> Iterator[str]:
    kinds = {str(part["id"]): _kind(part) for part in _walked(now)}
    for part in _walked(node):
        id = str(part["id"])
        if id not in reached:
            continue
        if id not in kinds:
            yield f"{scope}{id} is gone"
        elif kinds[id] != _kind(part):
            yield f"{scope}{id} was a {_kind(part)} and is a {kinds[id]} now"


def _kind(node: Drawn) -> str:
    return str(node["kind"])


def _walked(node: Drawn) -> list[Drawn]:
    """Return what has paths of its own: a handler's node has none beside its body's."""
    parts = with_bodies(node)
    return parts[1:] if node["kind"] == "recover" else parts


def with_bodies(node: Drawn) -> list[Drawn]:
    """Return a node, and the steps and workflows that it leads to in its own scope."""
    parts = [node]
    parts += cast("list[Drawn]", node.get("arms") or [])
    parts += [cast("Drawn", node[k]) for k in ("otherwise", "body", "handler") if node.get(k)]
    return parts
