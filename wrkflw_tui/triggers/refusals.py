"""What a server does not do: each refusal as a status and a JSON object that says why."""

from __future__ import annotations

import hmac
import ipaddress
import json
import traceback
from typing import TYPE_CHECKING

from aiohttp import web

from wrkflw_tui.commands.given import DoesNotFit
from wrkflw_tui.commands.looking import UnknownId
from wrkflw_tui.commands.printing import say
from wrkflw_tui.engine.errors import (
    AmbiguousAnswer,
    InvalidAnswer,
    NotSuspended,
    RunEnded,
    RunNotFound,
    StorageError,
    UnknownPath,
    WrkflwError,
)
from wrkflw_tui.triggers.body import BrokenRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler, Middleware

OPEN = "/health"
"""Needs no token."""


class RunRemoved(WrkflwError):
    """The run of an `Idempotency-Key` is not on record any more."""


_STATUSES: tuple[tuple[type[WrkflwError], int], ...] = (
    (BrokenRequest, 400),
    (RunNotFound, 404),
    (UnknownId, 404),
    (UnknownPath, 404),
    (RunEnded, 409),
    (NotSuspended, 409),
    (AmbiguousAnswer, 409),
    (RunRemoved, 410),
    (DoesNotFit, 422),
    (InvalidAnswer, 422),
    (StorageError, 503),
)


def refusal(
    status: int,
    type: str,
    message: str,
    fields: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Make the answer that says why something is not done."""
    error: dict[str, object] = {"type": type, "message": message}
    if fields is not None:
        error["fields"] = fields
    text = json.dumps({"error": error})
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


def _refused(error: WrkflwError) -> web.Response:
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    fields = error.messages if isinstance(error, DoesNotFit) else None
    return refusal(status, type(error).__name__, str(error), fields)


@web.middleware
async def say_why(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer an error with what it is, never with a page of text."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        kept = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        message = f"{request.method} {request.path}: {error.reason.lower()}"
        return refusal(error.status, type(error).__name__.removeprefix("HTTP"), message, None, kept)
    except WrkflwError as error:
        return _refused(error)
    except Exception:
        say(traceback.format_exc())
        return refusal(500, "InternalError", "the server has said more on its standard error")


def only_for(host: str) -> Middleware:
    """Refuse requests for another host than this machine, where only it is listened to.

    A page in the browser can have its own name point here, and would then be let in.
    """
    ours = {host.lower(), "localhost"} if is_loopback(host) else None

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if ours is not None:
            asked = request.headers.getall("Host", [])
            name = _name(asked[0]) if len(asked) == 1 else ""
            if name not in ours and not _is_loopback_address(name):
                said = f"this server listens to {host} only, not to {', '.join(asked)!r}"
                return refusal(403, "WrongHost", said)
        return await handler(request)

    return check


def _name(host: str) -> str:
    """Return the name or address in a `Host` header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach it."""
    return host.lower() == "localhost" or _is_loopback_address(host)


def _is_loopback_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def knows(token: str) -> Middleware:
    """Refuse requests that do not bring the token."""
    expected = token.encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        is_known = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), expected)
        if request.path != OPEN and not (is_known and scheme.lower() == "bearer"):
            return refusal(
                401,
                "Unauthorized",
                "the header `Authorization: Bearer TOKEN` is missing, or its token is another",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return await handler(request)

    return check
