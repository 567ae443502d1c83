"""Workflows by HTTP: runs are started, told something and read, as JSON."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, TypeVar, cast

from aiohttp import web

from wrkflw_tui.commands.care import Care, has_worker
from wrkflw_tui.commands.list import folder_shape, with_runs
from wrkflw_tui.commands.looking import look_with
from wrkflw_tui.commands.shapes import Shape, delivery_shape, line_shapes, run_shape, snapshot_shape
from wrkflw_tui.commands.values import STATUSES
from wrkflw_tui.engine.clock import micros_now
from wrkflw_tui.engine.models import ENDED
from wrkflw_tui.store import claims, deliveries, logs, messages, runs
from wrkflw_tui.store.removed import removed_at
from wrkflw_tui.triggers.body import BrokenRequest, read_body
from wrkflw_tui.triggers.refusals import OPEN, RunRemoved, knows, only_for, say_why
from wrkflw_tui.triggers.waiting import Ends, Keeper, unfinished

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from wrkflw_tui.commands.looking import Folder
    from wrkflw_tui.config import Config
    from wrkflw_tui.engine.models import RunStatus, WorkflowSnapshot
    from wrkflw_tui.forms.fields import Schema
    from wrkflw_tui.store.database import Database

T = TypeVar("T")

LONGEST_WAIT = 300.0
"""Seconds that a request may wait for a run's end."""
LONGEST_KEY = 255
MOST = 1000
"""Runs, or stretches of a log, that are given at a time."""
_NAMESPACE = uuid.UUID("0f0a4a8e-6f5c-5b1d-9d0a-3c1f7e2b9a64")


class Server:
    """The routes over one record and one folder.

    Whatever reads or writes the file does so on the threads of `database`, never in the loop.
    """

    def __init__(self, config: Config, database: Database, tell: Callable[[str], object]) -> None:
        self._config = config
        self._database = database
        self._looking = asyncio.Lock()
        self._ends = Ends(database)
        self._keeper = Keeper(database, lambda: Care(config), tell)

    def app(self, token: str, host: str) -> web.Application:
        """Make the application; `host` is what it will listen to."""
        app = web.Application(
            middlewares=[say_why, only_for(host), knows(token)],
            client_max_size=self._config.max_result_bytes,
        )
        app.router.add_get(OPEN, self.health)
        app.router.add_get("/workflows", self.workflows)
        app.router.add_post("/workflows/{id}/runs", self.start)
        app.router.add_get("/runs", self.runs)
        app.router.add_get("/runs/{id}", self.run)
        app.router.add_get("/runs/{id}/logs", self.logs)
        app.router.add_post("/runs/{id}/cancel", self.cancel)
        app.router.add_post("/runs/{id}/answer", self.answer)
        app.router.add_post("/runs/{id}/events/{name}", self.send)
        return app

    async def take_up(self) -> bool:
        """Care for the runs of an earlier server. Returns whether a worker is there."""
        self._keeper.keep(await self._database.read(unfinished))
        return await self._database.read(has_worker)

    def stop(self) -> None:
        """Let no request wait any longer; runs go on."""
        self._ends.close()
        self._keeper.close()

    # What there is

    async def health(self, _: web.Request) -> web.Response:
        """Tell whether the record can be read, and whether a worker is there."""
        return _json({"status": "ok", "worker": await self._database.read(has_worker)})

    async def workflows(self, _: web.Request) -> web.Response:
        """List the folder, as `list --json` does."""
        folder = await self._look()
        found = await self._database.read(lambda c: with_runs(c, folder))
        return await _json_of(lambda: folder_shape(folder, found))

    async def runs(self, request: web.Request) -> web.Response:
        """List runs, the newest first."""
        status = _text(request, "status")
        if status not in (None, *STATUSES):
            raise BrokenRequest(f"status is one of {', '.join(STATUSES)}, not {status!r}")
        workflow_id, before = _text(request, "workflow"), _text(request, "before")
        limit = int(_number(request, "limit", 20, 1, MOST))
        found = await self._database.read(
            lambda c: runs.list_runs(c, workflow_id, status, limit=limit, before=before)
        )
        return await _json_of(lambda: {"runs": [run_shape(run) for run in found]})

    async def run(self, request: web.Request) -> web.Response:
        """Give a run with all that is on record of it, as `show --json` does."""
        return await self._whole(request.match_info["id"])

    async def logs(self, request: web.Request) -> web.Response:
        """Give what a run has printed; `last` of the answer is `after` of the next request."""
        run_id = request.match_info["id"]
        after = int(_number(request, "after", 0, 0, 2**62))
        limit = int(_number(request, "limit", MOST, 1, MOST))

        def read(connection: sqlite3.Connection) -> list[logs.LogStretch]:
            runs.read_summary(connection, run_id)
            return logs.read_log(connection, run_id, after, limit)

        found = await self._database.read(read)
        last = found[-1].n if found else after
        return await _json_of(
            lambda: {
                "run_id": run_id,
                "lines": [line for stretch in found for line in line_shapes(stretch)],
                "last": last,
            }
        )

    # What is done

    async def start(self, request: web.Request) -> web.Response:
        """Queue a run; with `wait` answer once it has ended, if it does in time."""
        workflow_id = request.match_info["id"]
        keyed, wait = _run_id_for(request, workflow_id), _wait(request)
        body = await request.read()
        entry = (await self._look()).find(workflow_id)
        schema = cast("Schema", json.loads(entry.input_schema))
        text = await asyncio.to_thread(read_body, f"the input of {workflow_id}", schema, body)
        run_id = await self._database.write(lambda c: _put(c, workflow_id, text, keyed))
        self._keeper.keep([run_id])
        if wait is not None:
            await self._ends.wait(run_id, wait)
        status = await self._status(run_id)
        if wait is not None and status in ENDED:
            return await self._whole(run_id)
        return _told(run_id, status)

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a run: 202 where whoever walks it was asked to."""
        run_id = request.match_info["id"]
        status = await self._database.write(lambda c: claims.request_cancel(c, run_id))
        return _told(run_id, status, 200 if status in ENDED else 202)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a run's question."""
        run_id, path, key = request.match_info["id"], _text(request, "path"), _text(request, "key")
        body = await request.read()
        snapshot = await self._database.read(lambda c: runs.read_snapshot(c, run_id))
        meant = [
            question
            for question in snapshot.questions
            if question.kind == "answer"
            and path in (None, question.path)
            and key in (None, question.key)
        ]
        schema = meant[0].schema if len(meant) == 1 else None  # else the record says what is wrong
        payload = await _payload(f"the answer of run {run_id}", schema, body)
        now = micros_now()
        return await self._tell(
            run_id, lambda c: messages.answer(c, run_id, path, key, payload, now)
        )

    async def send(self, request: web.Request) -> web.Response:
        """Send a run an event."""
        run_id, name = request.match_info["id"], request.match_info["name"]
        body = await request.read()
        snapshot = await self._database.read(lambda c: runs.read_snapshot(c, run_id))
        schemas = messages.event_schemas(snapshot.graph_json, name)
        schema = schemas[0] if len(schemas) == 1 else None
        payload = await _payload(f"event {name!r}", schema, body)
        now = micros_now()
        return await self._tell(
            run_id, lambda c: messages.send_event(c, run_id, name, payload, now)
        )

    # How

    async def _look(self) -> Folder:
        async with self._looking:  # a file that is new is looked at once for all who ask
            return await look_with(self._config.folder, self._database)

    async def _status(self, run_id: str) -> RunStatus:
        return (await self._database.read(lambda c: runs.read_summary(c, run_id))).status

    async def _tell(
        self, run_id: str, work: Callable[[sqlite3.Connection], object]
    ) -> web.Response:
        await self._database.write(work)
        self._keeper.keep([run_id])
        return _told(run_id, await self._status(run_id))

    async def _whole(self, run_id: str) -> web.Response:
        def read(
            connection: sqlite3.Connection,
        ) -> tuple[WorkflowSnapshot, list[deliveries.Delivery]]:
            return runs.read_snapshot(connection, run_id), deliveries.of_run(connection, run_id)

        snapshot, follow_ups = await self._database.read(read)
        return await _json_of(
            lambda: {
                **snapshot_shape(snapshot),
                "follow_ups": [delivery_shape(delivery) for delivery in follow_ups],
            }
        )


def _put(connection: sqlite3.Connection, workflow_id: str, input: str, run_id: str | None) -> str:
    """Queue a run, or find the one that was queued with the same key."""
    if run_id is not None:
        if runs.has_run(connection, run_id):
            return run_id
        if removed_at(connection, run_id) is not None:
            raise RunRemoved(f"run {run_id} of this Idempotency-Key was removed: take another key")
    return claims.enqueue(connection, workflow_id, input, "http", run_id=run_id)


def _run_id_for(request: web.Request, workflow_id: str) -> str | None:
    """Derive a run's id from the workflow and the `Idempotency-Key`, if there is one."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise BrokenRequest(f"an Idempotency-Key is 1 to {LONGEST_KEY} characters of ASCII")
    return str(uuid.uuid5(_NAMESPACE, f"{workflow_id}/{key}"))


def _wait(request: web.Request) -> float | None:
    if "wait" not in request.query:
        return None
    return _number(request, "wait", 0, 0, LONGEST_WAIT, is_whole=False)


def _text(request: web.Request, name: str) -> str | None:
    return request.query.get(name) or None


def _number(
    request: web.Request,
    name: str,
    default: float,
    least: float,
    most: float,
    *,
    is_whole: bool = True,
) -> float:
    text = request.query.get(name)
    if text is None:
        return default
    try:
        value = int(text) if is_whole else float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        kind = "a whole number" if is_whole else "a number"
        raise BrokenRequest(f"{name} is {kind} from {least:g} to {most:g}, not {text!r}")
    return value


async def _payload(what: str, schema: object, body: bytes) -> str:
    fits = cast("Schema", schema) if isinstance(schema, dict) else {}
    return await asyncio.to_thread(read_body, what, fits, body)


def _told(run_id: str, status: str, code: int = 202) -> web.Response:
    return _json({"run_id": run_id, "status": status}, code, f"/runs/{run_id}")


def _json(shape: Shape, status: int = 200, location: str | None = None) -> web.Response:
    headers = None if location is None else {"Location": location}
    text = json.dumps(shape)
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


async def _json_of(make: Callable[[], Shape]) -> web.Response:
    """Answer with what may take a while to write: a run has any number of steps."""
    body = await asyncio.to_thread(lambda: json.dumps(make()).encode())
    return web.Response(body=body, content_type="application/json")
